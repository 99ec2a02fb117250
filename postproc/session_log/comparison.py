"""A session log compared with the captures of a case: one row for each session that has packets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from postproc.batch.job import CaptureResult
from postproc.capture.packet_table import ENDS
from postproc.flows.flow_table import unpacked
from postproc.session_log.clock_offset import ClockOffset
from postproc.session_log.column_map import Claim, ColumnMap
from postproc.session_log.judgement import FlowFacts, Result, judged
from postproc.session_log.log_time import SECOND_US, Clock
from postproc.session_log.matching import Count, Flows, SessionMatcher, Unmatched
from postproc.session_log.sessions import read_sessions
from postproc.verdicts.result_row import ResetRow

_AFTER_US = 2 * SECOND_US  # beyond the log's precision: a reset so much later is not what ended the session


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session that has packets. `start` and `end` are seconds since the epoch by the log's clock.

    `end_reason` is the log's own word, `log_says` what it claims (a Claim), `packets_show` the same of the packets in
    words. `translated`: the packets have an address or port that the log gives as translated. `capture`, `flow` and
    `frame` are where the answer comes from; `verdict` and `origin` are those of the reset at `frame`.
    """

    line: int
    session: str | None
    rule: str | None
    start: float
    end: float
    src: str
    sport: int
    dst: str
    dport: int
    translated: bool
    end_reason: str | None
    log_says: str
    packets_show: str
    result: str
    capture: str
    flow: str
    frame: int | None
    verdict: str | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class LogComparison:
    """The rows, and counts of the lines without one.

    `sessions` are the ended sessions of the log, `other` its other records. `clocks` are by the name of the capture.
    """

    log: str
    title: str
    rows: tuple[SessionRow, ...]
    sessions: int
    other: int
    not_understood: Count
    unmatched: dict[Unmatched, Count]
    clocks: dict[str, ClockOffset]


def compare_log(log: Path, column_map: ColumnMap, clock: Clock, results: Sequence[CaptureResult]) -> LogComparison:
    """Compare a log with judged captures, whose results have the tables of all flows. Raises CaptureError."""
    shown = _ShownFlows(results)
    matcher = SessionMatcher(shown.flows)
    with read_sessions(log, column_map, clock) as batches:
        for batch in batches:
            matcher.add(batch)
    precision_us = round(column_map.precision_s * SECOND_US)
    matching = matcher.result(precision_us)
    by_line: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for pair in matching.pairs.iter_rows(named=True):
        by_line[pair["line"]].append(pair)
    offsets = {capture: found.offset_us for capture, found in matching.clocks.items()}
    rows = [_row(pairs, shown, offsets, precision_us) for pairs in by_line.values()]
    return LogComparison(
        log=str(log),
        title=column_map.title,
        rows=tuple(sorted(rows, key=lambda row: row.line)),
        sessions=matching.sessions,
        other=matching.other,
        not_understood=matching.not_understood,
        unmatched=matching.unmatched,
        clocks={results[capture].name: found for capture, found in matching.clocks.items()},
    )


class _ShownFlows:
    """The flows of all captures, and the resets of each."""

    def __init__(self, results: Sequence[CaptureResult]) -> None:
        self.results = results
        tables = [
            unpacked(result.flows).with_row_index("flow_index").with_columns(capture=pl.lit(index, pl.Int64))
            for index, result in enumerate(results)
        ]
        self._rows = [table.rows(named=True) for table in tables]
        self._resets = [_by_flow(result) for result in results]
        self.flows = Flows(
            pl.concat(tables).select(
                "capture",
                *ENDS,
                flow=pl.col("flow_index").cast(pl.Int64),
                first_us=_microseconds("first_time"),
                last_us=_microseconds("last_time"),
            ),
            {
                index: (point.first_us, point.last_us)
                for index, result in enumerate(results)
                if (point := result.capture_point).first_us is not None and point.last_us is not None
            },
        )

    def facts(self, pair: dict[str, Any], offset_us: int, precision_us: int) -> FlowFacts:
        """What one capture shows of the session of `pair`; `offset_us` is how far the log's clock is ahead."""
        result, row = self.results[pair["capture"]], self._rows[pair["capture"]][pair["flow"]]
        initiator, responder = (row["src"], row["sport"]), (row["dst"], row["dport"])
        packets = row["packets_sent"], row["packets_received"]
        turned = _is_turned(pair, initiator, responder)
        end_us = pair["end_us"] - offset_us
        latest = (end_us + precision_us + _AFTER_US) / SECOND_US
        resets = self._resets[pair["capture"]].get(row["flow"], [])
        before = [reset for reset in resets if reset.time <= latest]
        return FlowFacts(
            capture=result.name,
            flow=row["flow"],
            ends=(responder, initiator) if turned else (initiator, responder),
            packets=packets[::-1] if turned else packets,
            taken_at=frozenset(result.capture_point.local),
            end_reason=row["end_reason"],
            has_end=self.flows.spans[pair["capture"]][1] >= end_us,
            resets=before,
            late=len(resets) - len(before),
        )


def _microseconds(name: str) -> pl.Expr:
    return (pl.col(name) * SECOND_US).round().cast(pl.Int64)


def _by_flow(result: CaptureResult) -> dict[str, list[ResetRow]]:
    by_flow: defaultdict[str, list[ResetRow]] = defaultdict(list)
    for reset in result.resets:
        by_flow[reset.row.flow].append(reset.row)
    return by_flow


def _is_turned(pair: dict[str, Any], initiator: tuple[str, int], responder: tuple[str, int]) -> bool:
    """Whether the log's src is the responder of the flow, by either its own or its translated address and port."""
    src = {(pair[address], pair[port]) for address in ("src", "nat_src") for port in ("sport", "nat_sport")}
    dst = {(pair[address], pair[port]) for address in ("dst", "nat_dst") for port in ("dport", "nat_dport")}
    return not (initiator in src and responder in dst)


def _row(pairs: Sequence[dict[str, Any]], shown: _ShownFlows, offsets: dict[int, int], precision_us: int) -> SessionRow:
    session = pairs[0]
    facts = [shown.facts(pair, offsets[pair["capture"]], precision_us) for pair in pairs]
    finding = judged(Claim(session["claim"]), facts)
    reset = finding.reset
    words = [session["reason"], f"flags: {session['flags']}" if session["flags"] else None]
    return SessionRow(
        line=session["line"],
        session=session["session"],
        rule=session["rule"],
        start=session["start_us"] / SECOND_US,
        end=session["end_us"] / SECOND_US,
        src=session["src"],
        sport=session["sport"],
        dst=session["dst"],
        dport=session["dport"],
        translated=pairs[facts.index(finding.facts)]["translated"],
        end_reason=", ".join(filter(None, words)) or None,
        log_says=session["claim"],
        packets_show=finding.words,
        result=finding.result.value,
        capture=finding.facts.capture,
        flow=finding.facts.flow,
        frame=reset.frame if reset else None,
        verdict=reset.verdict if reset else None,
        origin=reset.origin if reset else None,
    )


def count_results(rows: Sequence[SessionRow]) -> dict[Result, int]:
    """How many rows have each result."""
    return {result: sum(row.result == result for row in rows) for result in Result}
