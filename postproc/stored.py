"""A result as one row of a Parquet file, and back: what caches keep and what workers elsewhere send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from heuristics.errors import Problem
from postproc.flow_table import FLOW_SCHEMA, no_flows
from postproc.records import from_plain, schema_of, to_plain
from postproc.resets import JudgedReset
from postproc.scene import Scene
from postproc.sources import Source
from postproc.task import Done, Judged

STORED: dict[str, pl.DataType] = {
    "path": pl.String(),
    "size": pl.Int64(),
    "mtime_ns": pl.Int64(),
    "content": pl.String(),
    "readable": pl.Boolean(),
    "packets": pl.Int64(),
    "problems": pl.List(pl.Struct({"reason": pl.String(), "hint": pl.String()})),
    "resets": pl.List(pl.Struct(schema_of(JudgedReset))),
    "errors": pl.List(pl.Struct(schema_of(JudgedReset))),
    "flows": pl.List(pl.Struct(FLOW_SCHEMA)),
    "scene": pl.Struct(schema_of(Scene)),
}


def to_row(name: str, done: Done) -> dict[str, Any]:
    """A result as a row with the columns of STORED; `name` is the capture's path within the case."""
    size, mtime_ns = done.stamp or (None, None)
    judged = done.judged
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
        "flows": judged.flows.to_dicts(),
        "scene": to_plain(judged.scene),
    }


def from_row(row: Mapping[str, Any], source: Source) -> Judged:
    """The result that a row holds, under the name and path that the file has now."""

    def renamed(each: Mapping[str, Any]) -> JudgedReset:
        judged = from_plain(JudgedReset, each)
        if judged.row.capture == source.name:
            return judged
        return replace(judged, row=replace(judged.row, capture=source.name))

    return Judged(
        name=source.name,
        readable=row["readable"],
        packets=row["packets"],
        resets=tuple(map(renamed, row["resets"])),
        problems=tuple(
            Problem(source.url or str(source.path), "", "", each["reason"], each["hint"]) for each in row["problems"]
        ),
        errors=tuple(map(renamed, row["errors"])),
        flows=pl.DataFrame(row["flows"], schema=FLOW_SCHEMA) if row["flows"] else no_flows(),
        content=row["content"],
        scene=from_plain(Scene, row["scene"]),
    )
