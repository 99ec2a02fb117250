"""What a session log says of the same traffic, and what the packets say to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postproc.report.session_log import COUNTED, by_result, clock_text, conclusion, session_sentence
from postproc.runtime.text import plural
from postproc.session_log.comparison import LogComparison, SessionRow
from postproc.session_log.judgement import Result

_SHOWN = 20  # rows of the table, and contradicted sessions


@dataclass(frozen=True, slots=True)
class ContradictedSession:
    """One session of which the packets say something else. `says` is a sentence, `flow` a display filter."""

    line: int
    ends: str
    says: str
    where: str
    flow: str


@dataclass(frozen=True, slots=True)
class LogFindings:
    """A log compared with the packets. `counted` has a row for each end reason: its name, and a number for COUNTED."""

    log: str
    answer: str
    clocks: tuple[str, ...]
    headers: tuple[str, ...]
    counted: tuple[tuple[str, tuple[int, ...]], ...]
    contradicted: tuple[ContradictedSession, ...]
    left_out: int


def log_findings(comparison: LogComparison) -> LogFindings:
    """What the report shows of the comparison."""
    contradicted = [row for row in comparison.rows if row.result == Result.CONTRADICTED]
    by_reason = by_result(comparison.rows, lambda row: row.end_reason)
    return LogFindings(
        log=f"{comparison.log} ({comparison.title}): {plural(comparison.sessions, 'session')}, "
        f"{len(comparison.rows):,} of them have packets.",
        answer=conclusion(comparison),
        clocks=tuple(f"Clock: {clock_text(clock, name)}." for name, clock in comparison.clocks.items()),
        headers=("end reason in the log", *COUNTED),
        counted=_rows([*by_reason.items()]),
        contradicted=tuple(map(_session, contradicted[:_SHOWN])),
        left_out=max(len(contradicted) - _SHOWN, 0),
    )


def _rows(counted: Sequence[tuple[str, dict[str, int]]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name or "(none)", tuple(counts[each] for each in COUNTED)) for name, counts in counted[:_SHOWN])


def _session(row: SessionRow) -> ContradictedSession:
    rule = f", rule {row.rule}" if row.rule else ""
    frame = "" if row.frame is None else f"frame {row.frame} of "
    return ContradictedSession(
        line=row.line,
        ends=f"{row.src} port {row.sport} to {row.dst} port {row.dport}{rule}",
        says=session_sentence(row),
        where=f"{frame}{row.capture}",
        flow=row.flow,
    )
