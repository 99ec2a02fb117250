"""Runs comparisons of pairs of captures. Reads each capture once, however many others it is compared with.

Only pairs with a common packet are compared in full: an index of all packets finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from postproc.batch.job import needs_tshark
from postproc.batch.result_store import ReportProgress, died
from postproc.capture.discovery import Source
from postproc.capture.local_copy import local_copy
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import CaptureError, NoRoomError
from postproc.runtime.failures import input_failure
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.runtime.worker_pool import WorkerDiedError, map_over_processes
from postproc.verdicts.common_packets import KEY, MATTERS, Holdings, packet_keys, without_common_packets
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import CapturePair, ReconcileResult

_Result = TypeVar("_Result")
_KEYS_TOGETHER = 1_000_000


def compare_pairs(
    pairs: Sequence[CapturePair],
    sources: Sequence[Source],
    partial: Collection[int],
    *,
    tshark: Tshark | None,
    processes: int,
    start_progress: Callable[[int], ReportProgress],
) -> Iterator[tuple[CapturePair, ReconcileResult | CaptureError]]:
    """The result of each pair. Where there is none, the error that says why.

    `partial` are the sources that could only be read in part before; others must be read whole now, too.
    """
    wanted = sorted({index for pair in pairs for index in (pair.capture, pair.peer)})
    report = start_progress(len(wanted) + len(pairs))
    try:
        with temporary_folder() as folder:
            failed: dict[int, CaptureError] = {}
            items = [(index, sources[index], index in partial) for index in wanted]
            held: dict[int, Holdings] = {}
            read = map_over_processes(_Read(tshark, Path(folder)), items, processes)
            for done, (place, result) in enumerate(read, 1):
                if isinstance(result, Holdings):
                    held[wanted[place]] = result
                else:
                    failed[wanted[place]] = _result_or_error(result, sources[wanted[place]])
                report(done)
            whole = [pair for pair in pairs if pair.capture in held and pair.peer in held]
            common = _with_common_packets(Path(folder), whole)
            left = [pair for pair in whole if (pair.capture, pair.peer) in common]
            for pair in pairs:
                if pair.capture not in held or pair.peer not in held:
                    yield pair, failed.get(pair.capture) or failed[pair.peer]
                elif (pair.capture, pair.peer) not in common:
                    yield pair, without_common_packets(held[pair.capture], held[pair.peer], pair.hosts)
            report(len(wanted) + len(pairs) - len(left))
            comparisons = map_over_processes(_Compare(Path(folder), sources), left, processes)
            for done, (place, compared) in enumerate(comparisons, len(wanted) + len(pairs) - len(left) + 1):
                pair = left[place]
                yield pair, _result_or_error(compared, sources[pair.capture])
                report(done)
    except NoRoomError as error:  # not even for the folder
        yield from ((pair, error) for pair in pairs)


@dataclass(frozen=True, slots=True)
class _Read:
    """The task that reads a whole capture, once for all comparisons."""

    tshark: Tshark | None
    folder: Path

    def __call__(self, item: tuple[int, Source, bool]) -> Holdings | CaptureError:
        """Write the packets table and its keys to `folder`. The error where that fails."""
        index, source, partial = item
        try:
            with local_copy(source) as copy:
                packets = read_packets(copy, self.tshark if needs_tshark(copy) else None, whole=True)
            if not partial and (left := [each for each in packets.problems if not is_unopened_overlay(each)]):
                return CaptureError(source.label, left[0].reason, left[0].hint)
            with writing_temporary((OSError, pl.exceptions.PolarsError)):  # the last for a full disk
                packets.table.write_parquet(_packets_file(self.folder, index))
                packet_keys(packets.table).write_parquet(_keys_file(self.folder, index))
            return Holdings.of(packets.table)
        except BaseException as error:
            return input_failure(source.label, error)


@dataclass(frozen=True, slots=True)
class _Compare:
    """The task that compares one pair, whose packets tables are in `folder`."""

    folder: Path
    sources: Sequence[Source]

    def __call__(self, pair: CapturePair) -> ReconcileResult | CaptureError:
        """Reconcile them. The error where that fails."""
        try:
            capture, peer = (pl.read_parquet(_packets_file(self.folder, each)) for each in (pair.capture, pair.peer))
            return reconcile(capture, peer, pair.complete, pair.hosts)
        except BaseException as error:
            return input_failure(self.sources[pair.capture].label, error)


def _with_common_packets(folder: Path, pairs: Sequence[CapturePair]) -> set[tuple[int, int]]:
    """Those of the pairs that may have a common packet."""
    captures, peers = ({getattr(pair, side) for pair in pairs} for side in ("capture", "peer"))
    ours = [_keys(folder, index, "capture").filter(MATTERS).drop(MATTERS) for index in sorted(captures)]
    if not ours:
        return set()
    index = pl.concat(ours)
    common: set[tuple[int, int]] = set()
    for part in _in_parts(_keys(folder, peer, "peer").drop(MATTERS) for peer in sorted(peers)):
        common.update(index.join(part, on=KEY, how="inner").select("capture", "peer").unique().iter_rows())
    return common


def _in_parts(tables: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The tables, so many together that joining each part is worth it, and not so many that they fill the memory."""
    part: list[pl.DataFrame] = []
    for table in tables:
        part.append(table)
        if sum(each.height for each in part) >= _KEYS_TOGETHER:
            yield pl.concat(part)
            part = []
    if part:
        yield pl.concat(part)


def _keys(folder: Path, index: int, side: str) -> pl.DataFrame:
    """The keys of the packets of a capture, with its index in the column `side`."""
    return pl.read_parquet(_keys_file(folder, index)).with_columns(pl.lit(index, pl.Int64).alias(side))


def _result_or_error(result: _Result | WorkerDiedError, source: Source) -> _Result | CaptureError:
    return died(source) if isinstance(result, WorkerDiedError) else result


def _keys_file(folder: Path, index: int) -> Path:
    return folder / f"{index}.keys.parquet"


def _packets_file(folder: Path, index: int) -> Path:
    return folder / f"{index}.parquet"
