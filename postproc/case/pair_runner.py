"""Runs comparisons of pairs of captures. Reads each capture once, however many others it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postproc.batch.job import needs_tshark
from postproc.batch.result_store import ReportProgress
from postproc.capture.discovery import Source
from postproc.capture.local_copy import local_copy
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import CaptureError, NoRoomError, TsharkError
from postproc.runtime.temp_files import temporary_folder
from postproc.runtime.worker_pool import WorkerDiedError, map_over_processes
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import CapturePair, ReconcileResult


def compare_pairs(
    pairs: Sequence[CapturePair],
    sources: Sequence[Source],
    *,
    tshark: Tshark | None,
    processes: int,
    start_progress: Callable[[int], ReportProgress],
) -> Iterator[tuple[CapturePair, ReconcileResult]]:
    """The result of each pair, except where a capture cannot be read again, or a temporary file not be written."""
    wanted = sorted({index for pair in pairs for index in (pair.capture, pair.peer)})
    report = start_progress(len(wanted) + len(pairs))
    with suppress(NoRoomError), temporary_folder() as name:
        folder = Path(name)
        readable: set[int] = set()
        items = [(index, sources[index]) for index in wanted]
        for done, (place, written) in enumerate(map_over_processes(_Read(tshark, folder), items, processes), 1):
            if written is True:
                readable.add(wanted[place])
            report(done)
        left = [pair for pair in pairs if {pair.capture, pair.peer} <= readable]
        comparisons = map_over_processes(_Compare(folder), left, processes)
        for done, (place, result) in enumerate(comparisons, len(wanted) + 1):
            if not isinstance(result, WorkerDiedError):
                yield left[place], result
            report(done)


@dataclass(frozen=True, slots=True)
class _Read:
    """The task that reads a whole capture, once for all comparisons. False where that fails."""

    tshark: Tshark | None
    folder: Path

    def __call__(self, item: tuple[int, Source]) -> bool:
        """Write the packets table to `folder`."""
        index, source = item
        try:
            with local_copy(source) as copy:
                table = read_packets(copy, self.tshark if needs_tshark(copy) else None, whole=True).table
            table.write_parquet(_packets_file(self.folder, index))
        except (CaptureError, TsharkError, OSError, pl.exceptions.PolarsError):  # the last for a full disk
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Compare:
    """The task that compares one pair, whose packets tables are in `folder`."""

    folder: Path

    def __call__(self, pair: CapturePair) -> ReconcileResult:
        """Reconcile them."""
        capture, peer = (pl.read_parquet(_packets_file(self.folder, index)) for index in (pair.capture, pair.peer))
        return reconcile(capture, peer, pair.complete)


def _packets_file(folder: Path, index: int) -> Path:
    return folder / f"{index}.parquet"
