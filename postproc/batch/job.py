"""One input, from file to judged resets: the unit of work, on one core or on many machines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from heuristics.errors import Problem
from heuristics.rulebook.model import Rulebook
from postproc.capture.capture_point import NO_CAPTURE_POINT, CapturePoint
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORT_TYPES
from postproc.capture.local_copy import local_copy
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, Tshark
from postproc.runtime.errors import CaptureError
from postproc.runtime.failures import input_failure
from postproc.runtime.gc_pause import gc_paused
from postproc.verdicts.result_row import JudgedReset

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """The result of one input; `errors` are its ICMP errors.

    `packets` is how many were read, None where they were not counted or the input is unreadable. `flows` is the table
    of flows as flows/flow_table.py packs it, empty where there is none. `content` is the SHA-256 (hex) of the file,
    empty where it was not computed. `copy_of` names another input that holds the same packets (case/copies.py).
    """

    name: str
    packets: int | None
    resets: tuple[JudgedReset, ...]
    problems: tuple[Problem, ...]
    readable: bool = True
    errors: tuple[JudgedReset, ...] = ()
    flows: bytes = field(default=b"", compare=False)
    content: str = ""
    capture_point: CapturePoint = NO_CAPTURE_POINT
    copy_of: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether something went wrong, so that another reading may give another result."""
        return not self.readable or not all(map(is_unopened_overlay, self.problems))


@dataclass(frozen=True, slots=True)
class StampedResult:
    """A result with the stamp of its file before it was read, or of its archive. It is valid while that is the same."""

    result: CaptureResult
    stamp: Stamp | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """What a job reads and returns.

    With `all_flows` the table of flows has every flow of the capture, not only those with a reset. Without
    `prefilter`, tshark reads every packet; the verdicts are the same. With `use_cache`, results of a case folder will
    be cached, so they need the file's hash, and the flows even without `with_flows`. `decode_as` are the rules that the
    tshark of another machine needs (decode_as.py), `tshark_timeout_s` is its patience.
    """

    all_flows: bool = False
    prefilter: bool = True
    use_cache: bool = True
    with_flows: bool = True
    decode_as: tuple[str, ...] = ()
    tshark_timeout_s: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Job:
    """The task for one capture: everything that it needs but the capture. Can be sent to other processes.

    `tshark` is that of `judge_source`.
    """

    rulebook: Rulebook
    tshark: Tshark | None
    options: JobOptions = JobOptions()

    def __call__(self, source: Source) -> StampedResult:
        """Judge one input. Whatever goes wrong is a problem of this input, no exception."""
        stamp = file_stamp(source.path)
        try:
            with local_copy(source) as copy:
                return self._judged(copy, stamp)
        except BaseException as error:
            return StampedResult(unreadable(source, input_failure(source.label, error)))

    def _judged(self, source: Source, stamp: Stamp | None) -> StampedResult:
        cached = self.options.use_cache and source.case is not None
        result = judge_source(
            source,
            self.rulebook,
            self.tshark,
            all_flows=self.options.all_flows,
            prefilter=self.options.prefilter,
            with_flows=self.options.with_flows or cached,
        )
        if stamp is None or not result.readable or not cached:
            return StampedResult(result)
        try:
            return StampedResult(replace(result, content=content_hash(source.path)), stamp)
        except OSError:  # the file is gone by now
            return StampedResult(result)


def file_stamp(path: Path) -> Stamp | None:
    """Size (bytes) and time of change (ns) of a file, None where there is none: cheap signs of unchanged content."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def content_hash(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def needs_tshark(source: Source) -> bool:
    """Whether tshark has to read the source. An export needs no tshark."""
    return source.file_type not in EXPORT_TYPES


def judge_source(
    source: Source,
    rulebook: Rulebook,
    tshark: Tshark | None,
    *,
    all_flows: bool = False,
    prefilter: bool = True,
    with_flows: bool = True,
) -> CaptureResult:
    """Read one input, judge its resets and ICMP errors. An unreadable input gives a problem, no exception.

    `tshark` may be None where `needs_tshark` is false. Without `prefilter`, tshark reads every packet; without
    `with_flows`, the result has no table of flows.
    """
    # Imported only here: the report on an unchanged case needs none of them.
    from postproc.capture.reader import read_packets
    from postproc.capture.spill import SpilledFlows
    from postproc.flows.flow_table import flow_table, packed
    from postproc.verdicts.judge_icmp import judged_errors
    from postproc.verdicts.judge_resets import judged_resets

    with SpilledFlows() as spilled:
        try:
            packets = read_packets(source, tshark, whole=all_flows, prefilter=prefilter, spilled=spilled)
            flows = b""
            if with_flows:
                flows = packed(flow_table(packets.table, rulebook.thresholds, all_flows=all_flows, spilled=spilled))
            with gc_paused():  # flows are many small objects
                resets = tuple(judged_resets(source.name, packets.table, rulebook, spilled=spilled))
                errors = tuple(judged_errors(source.name, packets.table, rulebook))
        except CaptureError as error:  # after reading, too: there may be no room for spilled flows
            return unreadable(source, error)
    return CaptureResult(
        name=source.name,
        packets=packets.count,
        resets=resets,
        problems=source.labelled(packets.problems),
        errors=errors,
        flows=flows,
        capture_point=packets.capture_point,
    )


def unreadable(source: Source, error: CaptureError) -> CaptureResult:
    """The result of an input that cannot be read because of `error`."""
    problem = error.problem
    if not problem.file:
        problem = replace(problem, file=source.label)
    return CaptureResult(source.name, None, (), source.labelled([problem]), readable=False)
