"""Sessions of a log and flows of captures: which belong together, by addresses, ports, translations and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from postproc.capture.packet_table import ENDS, TURNED
from postproc.session_log.clock_offset import ClockOffset, clock_offset
from postproc.session_log.log_time import SECOND_US
from postproc.session_log.sessions import SESSION_SCHEMA, Batch

_SLACK_US = 2 * SECOND_US  # beyond the log's precision: by how much a session may miss its packets
_MINUTE_US = 60 * SECOND_US
_COMPACT_AT = 64  # tables of counts that are summed up into one


class Unmatched(StrEnum):
    """Why a session has no packets."""

    NOT_TCP = "not TCP"
    NO_TIME = "no time in the log"
    OUTSIDE = "outside the time of the captures"
    TRANSLATED = "same ports, but another address in the packets: translated (NAT)"
    OTHER_TIME = "same addresses and ports, but at another time"
    NO_PACKETS = "no packets in the captures"


@dataclass(slots=True)
class Count:
    """How many lines, and the number of the first of them (0 for none)."""

    lines: int = 0
    first_line: int = 0

    def add(self, lines: int, first_line: int | None) -> None:
        """Count more lines."""
        if lines and first_line is not None:
            self.first_line = min(self.first_line or first_line, first_line)
            self.lines += lines


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows of all captures: columns `capture` and `flow` (indexes), the ends, `first_us` and `last_us`.

    `spans` are the times of the first and the last packet (us) of each capture that has packets, by its index.
    """

    table: pl.DataFrame
    spans: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Matching:
    """Sessions with their flows, and counts of the lines without.

    `pairs` has the columns of a session, with `capture`, `flow` and `translated`: the flow has an address or port that
    the log gives as translated. `clocks` are by capture, and lack those that have no session.
    """

    pairs: pl.DataFrame
    clocks: dict[int, ClockOffset]
    unmatched: dict[Unmatched, Count]
    sessions: int
    other: int
    not_understood: Count


@dataclass(slots=True)
class SessionMatcher:
    """Takes a log batch by batch. Keeps the sessions whose ends are those of a flow, and of all others only counts.

    These are by minute, as the offset of the clocks, which says what is outside a capture, is known at the end.
    """

    flows: Flows
    sessions: int = 0
    other: int = 0
    not_understood: Count = field(default_factory=Count)
    _unmatched: dict[Unmatched, Count] = field(default_factory=lambda: {reason: Count() for reason in Unmatched})
    _candidates: list[pl.DataFrame] = field(default_factory=list)
    _counts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Take the next batch."""
        self.sessions += batch.sessions.height
        self.other += batch.other
        self.not_understood.add(len(batch.not_understood), min(batch.not_understood, default=None))
        rest = batch.sessions
        timeless = pl.col("start_us").is_null() & pl.col("end_us").is_null()
        for reason, condition in ((Unmatched.NOT_TCP, ~pl.col("tcp")), (Unmatched.NO_TIME, timeless)):
            out, rest = rest.filter(condition), rest.filter(~condition)
            self._unmatched[reason].add(out.height, _first(out))
        rest = rest.with_columns(
            start_us=pl.coalesce("start_us", "end_us"), end_us=pl.coalesce("end_us", "start_us"), tcp=pl.lit(value=True)
        )
        directions = _both_ways(self.flows.table)
        found = _candidates(rest, directions)
        self._candidates.append(found)
        self._counts.append(_by_minute(rest.join(found, on="line", how="anti", maintain_order="left"), directions))
        if len(self._counts) >= _COMPACT_AT:
            self._counts = [_summed(self._counts)]

    def result(self, precision_us: int) -> Matching:
        """The matching; `precision_us` is by how much the log's times may be off."""
        found = pl.concat(self._candidates) if self._candidates else _candidates(_no_sessions(), self.flows.table)
        clocks = _clocks(found, precision_us)
        pairs = _in_time(found, clocks, precision_us)
        others = found.join(pairs, on="line", how="anti", maintain_order="left").unique("line", keep="first")
        late = _minutes(others.with_columns(translated=pl.lit(value=False)))
        self._count(late, clocks, (Unmatched.OTHER_TIME, Unmatched.OTHER_TIME))
        self._count(_summed(self._counts), clocks, (Unmatched.TRANSLATED, Unmatched.NO_PACKETS))
        unmatched = {reason: count for reason, count in self._unmatched.items() if count.lines}
        return Matching(pairs, clocks, unmatched, self.sessions, self.other, self.not_understood)

    def _count(
        self, minutes: pl.DataFrame, clocks: Mapping[int, ClockOffset], reasons: tuple[Unmatched, Unmatched]
    ) -> None:
        """Count sessions by reason: outside of all captures, else the first of `reasons` if `translated`, or the other.

        `minutes` are those of `_minutes`.
        """
        inside = pl.lit(value=False)
        for capture, (first_us, last_us) in self.flows.spans.items():
            offset = clocks[capture].offset_us if capture in clocks else 0
            begins, ends = (first_us + offset) // _MINUTE_US - 1, (last_us + offset) // _MINUTE_US + 1
            inside |= (pl.col("start") <= ends) & (pl.col("end") >= begins)
        for reason, condition in (
            (Unmatched.OUTSIDE, ~inside),
            (reasons[0], inside & pl.col("translated")),
            (reasons[1], inside & ~pl.col("translated")),
        ):
            part = minutes.filter(condition)
            self._unmatched[reason].add(int(part["lines"].sum()), _first(part))


def _first(table: pl.DataFrame) -> int | None:
    line = table["line"].min()
    return line if isinstance(line, int) else None


def _no_sessions() -> pl.DataFrame:
    return pl.DataFrame(schema=SESSION_SCHEMA)


def _both_ways(flows: pl.DataFrame) -> pl.DataFrame:
    """Each flow twice: with its ends as they are, and turned round."""
    return pl.concat([flows, flows.with_columns(**{name: pl.col(other) for name, other in TURNED.items()})])


def _candidates(sessions: pl.DataFrame, directions: pl.DataFrame) -> pl.DataFrame:
    """Sessions with every flow that has their ends, translated or not."""
    joined = []
    for src, dst in ((False, False), (True, False), (False, True), (True, True)):
        ends = [*_ends("src", "sport", translated=src), *_ends("dst", "dport", translated=dst)]
        keys = [f"_{name}" for name in ENDS]
        keyed = sessions.with_columns(value.alias(key) for key, value in zip(keys, ends, strict=True))
        differs = pl.any_horizontal(pl.col(key) != pl.col(name) for key, name in zip(keys, ENDS, strict=True))
        found = keyed.join(directions, left_on=keys, right_on=ENDS, how="inner", maintain_order="left")
        joined.append(found.with_columns(translated=differs).drop(keys, strict=False))
    return pl.concat(joined).unique(["line", "capture", "flow"], keep="first", maintain_order=True)


def _ends(address: str, port: str, *, translated: bool) -> list[pl.Expr]:
    if not translated:
        return [pl.col(address), pl.col(port)]
    return [pl.coalesce(f"nat_{address}", address), pl.coalesce(f"nat_{port}", port)]


def _by_minute(sessions: pl.DataFrame, directions: pl.DataFrame) -> pl.DataFrame:
    """Counts of sessions without a flow; `translated` where a flow has their ports and one of their addresses."""
    alike = [
        sessions.join(directions, on=["sport", "dport", address], how="semi")["line"] for address in ("src", "dst")
    ]
    lines = pl.concat(alike).implode()
    return _minutes(sessions.with_columns(translated=pl.col("line").is_in(lines)))


def _minutes(sessions: pl.DataFrame) -> pl.DataFrame:
    """Counts of sessions by `translated` and the minutes (since the epoch) of `start` and `end`."""
    return sessions.group_by(
        "translated", start=pl.col("start_us") // _MINUTE_US, end=pl.col("end_us") // _MINUTE_US
    ).agg(lines=pl.len().cast(pl.Int64), line=pl.col("line").min())


def _summed(counts: list[pl.DataFrame]) -> pl.DataFrame:
    tables = [_minutes(_no_sessions().with_columns(translated=pl.lit(value=False))), *counts]
    return pl.concat(tables).group_by("translated", "start", "end").agg(pl.col("lines").sum(), pl.col("line").min())


def _clocks(candidates: pl.DataFrame, precision_us: int) -> dict[int, ClockOffset]:
    clocks = {}
    for (capture,), pairs in candidates.group_by("capture"):
        differences = (pairs["start_us"] - pairs["first_us"]).to_numpy()
        if (found := clock_offset(differences, precision_us)) is not None:
            clocks[int(str(capture))] = found
    return clocks


def _in_time(candidates: pl.DataFrame, clocks: Mapping[int, ClockOffset], precision_us: int) -> pl.DataFrame:
    """Of each session and capture the flow that lived at its time: of several, the one that began nearest to it."""
    offsets = {capture: clock.offset_us for capture, clock in clocks.items()}
    placed = candidates.with_columns(
        offset=pl.col("capture").replace_strict(offsets, default=None, return_dtype=pl.Int64)
    )
    slack = precision_us + _SLACK_US
    began, ended = pl.col("start_us") - pl.col("offset"), pl.col("end_us") - pl.col("offset")
    together = (began - slack <= pl.col("last_us")) & (ended + slack >= pl.col("first_us"))
    return (
        placed.filter(together)
        .with_columns(apart=(began - pl.col("first_us")).abs())
        .sort("line", "capture", "apart", maintain_order=True)
        .unique(["line", "capture"], keep="first", maintain_order=True)
        .drop("apart", "offset")
    )
