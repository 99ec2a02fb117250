"""One input, from file to judged resets: the unit of work, on one core or on many machines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from heuristics.errors import Problem
from heuristics.rulebook.model import Rulebook
from postproc.capture.capture_point import NO_SCENE, Scene
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORTS
from postproc.capture.remote import fetched, under_its_name
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import CaptureError
from postproc.runtime.gc_pause import uncollected
from postproc.verdicts.result_row import JudgedReset

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one input; `errors` are its ICMP errors.

    `packets` is how many were read, None where they were not counted or none could be. `flows` is the table of flows
    as postproc.flow_table packs it, empty where there are none, `content` the SHA-256 (hex) of the file, empty where
    nobody asked for it.
    """

    name: str
    packets: int | None
    resets: tuple[JudgedReset, ...]
    problems: tuple[Problem, ...]
    readable: bool = True
    errors: tuple[JudgedReset, ...] = ()
    flows: bytes = field(default=b"", compare=False)
    content: str = ""
    scene: Scene = NO_SCENE


@dataclass(frozen=True, slots=True)
class Done:
    """A result with the file's stamp from before it was read, which tells whether the result still holds."""

    judged: Judged
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Job:
    """The per-capture task: everything that it needs but the capture, ready to be sent to other processes.

    `tshark` as in `judge_source`; `all_flows` asks for every flow of the capture, not only those with a reset.
    Without `prefilter`, tshark reads every packet; the verdicts are the same. `keep`: results of a case folder will be
    kept, so they need the file's hash, and the flows even without `with_flows`.
    """

    rulebook: Rulebook
    tshark: Tshark | None
    all_flows: bool = False
    prefilter: bool = True
    keep: bool = True
    with_flows: bool = True

    def __call__(self, source: Source) -> Done:
        """Judge one input. What cannot be read gives a problem, no exception."""
        if source.url is None:
            return self._judged(source)
        try:
            with fetched(source) as copy:
                done = self._judged(copy)
        except CaptureError as error:
            return Done(unreadable(source, error))
        problems = under_its_name(done.judged.problems, copy, source)
        return Done(replace(done.judged, problems=problems))

    def _judged(self, source: Source) -> Done:
        stamp, kept = file_stamp(source.path), self.keep and source.case is not None
        judged = judge_source(
            source,
            self.rulebook,
            self.tshark,
            all_flows=self.all_flows,
            prefilter=self.prefilter,
            with_flows=self.with_flows or kept,
        )
        if stamp is None or not judged.readable or not kept:
            return Done(judged)
        try:
            return Done(replace(judged, content=content_hash(source.path)), stamp)
        except OSError:  # gone meanwhile
            return Done(judged)


def file_stamp(path: Path) -> Stamp | None:
    """Size (bytes) and time of change (ns) of a file, None where there is none: cheap signs that it is the same."""
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
    """Whether reading it takes a tshark; an export does not."""
    return source.kind not in EXPORTS


def judge_source(
    source: Source,
    rulebook: Rulebook,
    tshark: Tshark | None,
    *,
    all_flows: bool = False,
    prefilter: bool = True,
    with_flows: bool = True,
) -> Judged:
    """Read one input and judge its resets and ICMP errors. An input that cannot be read gives a problem, no exception.

    `tshark` may be None for what `needs_tshark` says no to. Without `prefilter`, tshark reads every packet; without
    `with_flows`, there is no table of flows.
    """
    # Only here: a case of which nothing has changed is told of before these are imported.
    from postproc.capture.reader import read_packets
    from postproc.capture.spill import Apart
    from postproc.flows.flow_table import flow_table, packed
    from postproc.verdicts.judge_icmp import judged_errors
    from postproc.verdicts.judge_resets import judged_resets

    with Apart() as apart:
        try:
            packets = read_packets(source, tshark, whole=all_flows, prefilter=prefilter, apart=apart)
            flows = b""
            if with_flows:
                flows = packed(flow_table(packets.table, rulebook.thresholds, all_flows=all_flows, apart=apart))
            with uncollected():  # flows are many small objects
                resets = tuple(judged_resets(source.name, packets.table, rulebook, apart))
                errors = tuple(judged_errors(source.name, packets.table, rulebook))
        except CaptureError as error:  # also after reading: there may be no room for what is apart
            return unreadable(source, error)
    return Judged(source.name, packets.count, resets, packets.problems, errors=errors, flows=flows, scene=packets.scene)


def unreadable(source: Source, error: CaptureError) -> Judged:
    """What comes of an input that `error` keeps from being read."""
    problem = error.problem
    if not problem.file:
        problem = replace(problem, file=source.url or str(source.path))
    return Judged(source.name, None, (), (problem,), readable=False)
