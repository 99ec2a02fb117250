"""A result as one row of Parquet or JSON, and back. Caches store such rows, and workers on other machines send them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from heuristics.errors import Problem
from postproc.batch.job import CaptureResult, StampedResult
from postproc.capture.capture_point import CapturePoint
from postproc.capture.discovery import Source
from postproc.runtime.dataclass_codec import from_plain, to_plain
from postproc.verdicts.result_row import JudgedReset


def to_row(name: str, done: StampedResult) -> dict[str, Any]:
    """A result as a row with the columns of STORED (parquet_rows.py). `name` is the path of the capture in the case."""
    size, mtime_ns = done.stamp or (None, None)
    judged = done.result
    return {
        "path": name,
        "size": size,
        "mtime_ns": mtime_ns,
        "content": judged.content,
        "readable": judged.readable,
        "packets": judged.packets,
        "problems": [{"reason": problem.reason, "hint": problem.hint} for problem in judged.problems],
        "resets": to_plain(judged.resets),
        "errors": to_plain(judged.errors),
        "flows": b64encode(judged.flows).decode("ascii"),
        "scene": to_plain(judged.capture_point),
    }


def from_row(row: Mapping[str, Any], source: Source) -> CaptureResult:
    """The result in a row, under the name and path that the file has now."""

    def renamed(each: Mapping[str, Any]) -> JudgedReset:
        judged = from_plain(JudgedReset, each)
        if judged.row.capture == source.name:
            return judged
        return replace(judged, row=replace(judged.row, capture=source.name))

    return CaptureResult(
        name=source.name,
        readable=row["readable"],
        packets=row["packets"],
        resets=tuple(map(renamed, row["resets"])),
        problems=tuple(
            Problem(source.url or str(source.path), "", "", each["reason"], each["hint"]) for each in row["problems"]
        ),
        errors=tuple(map(renamed, row["errors"])),
        flows=b64decode(row["flows"]),
        content=row["content"],
        capture_point=from_plain(CapturePoint, row["scene"]),
    )
