"""A result as one row of Parquet or JSON, and back. Caches store such rows, and workers on other machines send them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from heuristics.errors import Problem
from postproc.batch.job import CaptureResult, StampedResult
from postproc.capture.capture_point import CapturePoint
from postproc.capture.discovery import Source
from postproc.runtime.dataclass_codec import from_plain, to_plain
from postproc.verdicts.result_row import JudgedReset


@dataclass(frozen=True, slots=True)
class StoredProblem:
    """A problem without the name of its file, which may have another one when the row is read."""

    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The columns of a row. `path` is that of the capture within the case, `flows` the table of flows in base64."""

    path: str
    size: int | None
    mtime_ns: int | None
    content: str
    readable: bool
    packets: int | None
    problems: tuple[StoredProblem, ...]
    resets: tuple[JudgedReset, ...]
    errors: tuple[JudgedReset, ...]
    flows: str
    capture_point: CapturePoint


def to_row(name: str, done: StampedResult) -> dict[str, Any]:
    """A result as a row with the columns of StoredResult. `name` is the path of the capture in the case."""
    size, mtime_ns = done.stamp or (None, None)
    judged = done.result
    stored = StoredResult(
        path=name,
        size=size,
        mtime_ns=mtime_ns,
        content=judged.content,
        readable=judged.readable,
        packets=judged.packets,
        problems=tuple(StoredProblem(problem.reason, problem.hint) for problem in judged.problems),
        resets=judged.resets,
        errors=judged.errors,
        flows=b64encode(judged.flows).decode("ascii"),
        capture_point=judged.capture_point,
    )
    row: dict[str, Any] = to_plain(stored)
    return row


def from_row(row: Mapping[str, Any], source: Source) -> CaptureResult:
    """The result in a row, under the name and path that the file has now. Raises ValueError for a wrong row."""
    stored = from_plain(StoredResult, row)

    def renamed(judged: JudgedReset) -> JudgedReset:
        if judged.row.capture == source.name:
            return judged
        return replace(judged, row=replace(judged.row, capture=source.name))

    return CaptureResult(
        name=source.name,
        readable=stored.readable,
        packets=stored.packets,
        resets=tuple(map(renamed, stored.resets)),
        problems=tuple(Problem(source.label, "", "", each.reason, each.hint) for each in stored.problems),
        errors=tuple(map(renamed, stored.errors)),
        flows=b64decode(stored.flows, validate=True),
        content=stored.content,
        capture_point=stored.capture_point,
    )
