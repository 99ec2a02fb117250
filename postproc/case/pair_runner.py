"""Pairs of captures, compared: each capture is read whole, once, however many it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postproc.batch.job import needs_tshark
from postproc.batch.result_store import Report
from postproc.capture.discovery import Source
from postproc.capture.reader import read_packets
from postproc.capture.remote import fetched
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import CaptureError, NoRoomError, TsharkError
from postproc.runtime.temp_files import temporary_folder
from postproc.runtime.worker_pool import WorkerDiedError, over_processes
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import Pair, Reconciled


def compared(
    pairs: Sequence[Pair],
    sources: Sequence[Source],
    program: Tshark | None,
    processes: int,
    report: Callable[[int], Report],
) -> Iterator[tuple[Pair, Reconciled]]:
    """What comes of each pair, but for those of which a capture cannot be read a second time, or kept meanwhile."""
    wanted = sorted({index for pair in pairs for index in (pair.capture, pair.witness)})
    tell = report(len(wanted) + len(pairs))
    with suppress(NoRoomError), temporary_folder() as name:
        folder = Path(name)
        readable: set[int] = set()
        spread = over_processes(_Spread(program, folder), [(index, sources[index]) for index in wanted], processes)
        for done, (place, result) in enumerate(spread, 1):
            if result is True:
                readable.add(wanted[place])
            tell(done)
        both = [pair for pair in pairs if {pair.capture, pair.witness} <= readable]
        for done, (place, said) in enumerate(over_processes(_Compare(folder), both, processes), len(wanted) + 1):
            if not isinstance(said, WorkerDiedError):
                yield both[place], said
            tell(done)


@dataclass(frozen=True, slots=True)
class _Spread:
    """The task of reading a capture whole, once for all that it is compared with. False where it cannot be read."""

    program: Tshark | None
    folder: Path

    def __call__(self, item: tuple[int, Source]) -> bool:
        """Write its packets table to `folder`."""
        index, source = item
        try:
            with fetched(source) as copy:
                table = read_packets(copy, self.program if needs_tshark(copy) else None, whole=True).table
            table.write_parquet(_packets_of(self.folder, index))
        except (CaptureError, TsharkError, OSError, pl.exceptions.PolarsError):  # the last of a full disk
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Compare:
    """The task of comparing one pair, of which both were written to `folder`."""

    folder: Path

    def __call__(self, pair: Pair) -> Reconciled:
        """Reconcile them."""
        capture, witness = (pl.read_parquet(_packets_of(self.folder, index)) for index in (pair.capture, pair.witness))
        return reconcile(capture, witness, pair.complete)


def _packets_of(folder: Path, index: int) -> Path:
    return folder / f"{index}.parquet"
