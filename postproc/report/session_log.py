"""A session log compared with packets, for readers (table, Markdown) and for programs (csv, jsonl, json)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from tabulate import tabulate

from heuristics.errors import visible
from postproc.runtime.text import csv_table, escape_markdown, plural
from postproc.session_log.clock_offset import ClockOffset
from postproc.session_log.comparison import LogComparison, SessionRow, count_results
from postproc.session_log.judgement import Result

SESSION_COLUMNS = tuple(field.name for field in fields(SessionRow))
_RESULTS = (Result.CONFIRMED, Result.CONTRADICTED, Result.UNDECIDABLE)
COUNTED = ("sessions", *(result.value for result in _RESULTS))
_MOST = 20  # rows of a table of rules or end reasons


@dataclass(frozen=True, slots=True)
class _Style:
    """How a format looks: the table format of tabulate, how text is made safe, headings, what stands below them."""

    table_format: str
    safe: Callable[[str], str]
    heading: str
    below_heading: str


_TERMINAL = _Style("simple", visible, "", "\n")
_MARKDOWN = _Style("pipe", escape_markdown, "## ", "\n\n")


def table(comparison: LogComparison, top: int) -> str:
    """For a terminal: counts, tables, at most `top` contradicted sessions, the answer last."""
    return "\n\n".join([*_body(comparison, top, _TERMINAL), visible(conclusion(comparison))])


def markdown(comparison: LogComparison, top: int) -> str:
    """The same as a Markdown document, the answer first."""
    title = "# Session log compared with packets"
    return "\n\n".join([title, escape_markdown(conclusion(comparison)), *_body(comparison, top, _MARKDOWN)])


def rows_csv(comparison: LogComparison) -> str:
    """One line for each session that has packets, with SESSION_COLUMNS."""
    return csv_table(SESSION_COLUMNS, (asdict(row).values() for row in comparison.rows))


def rows_jsonl(comparison: LogComparison) -> str:
    """One JSON object for each session that has packets, with the keys of SESSION_COLUMNS."""
    return "\n".join(json.dumps(asdict(row)) for row in comparison.rows)


def whole_json(comparison: LogComparison) -> str:
    """Everything: counts, clocks, tables and rows."""
    content = {
        "log": comparison.log,
        "format": comparison.title,
        "conclusion": conclusion(comparison),
        "sessions": comparison.sessions,
        "with_packets": len(comparison.rows),
        "by_result": {result.value: count for result, count in count_results(comparison.rows).items()},
        "without_packets": {
            reason.value: {"sessions": count.lines, "first_line": count.first_line}
            for reason, count in comparison.unmatched.items()
        },
        "other_records": comparison.other,
        "not_understood": asdict(comparison.not_understood),
        "clocks": {name: asdict(clock) for name, clock in comparison.clocks.items()},
        "by_rule": by_result(comparison.rows, lambda row: row.rule),
        "by_end_reason": by_result(comparison.rows, lambda row: row.end_reason),
        "rows": [asdict(row) for row in comparison.rows],
    }
    return json.dumps(content, indent=2)


def conclusion(comparison: LogComparison) -> str:
    """The answer in a sentence or two."""
    if not comparison.rows:
        return f"None of {plural(comparison.sessions, 'session')} of the log has packets in the captures."
    counts = count_results(comparison.rows)
    contradicted, decided = counts[Result.CONTRADICTED], len(comparison.rows) - counts[Result.UNDECIDABLE]
    if not decided:
        return f"The packets decide none of {plural(len(comparison.rows), 'session')}."
    answer = f"The log is contradicted in {contradicted:,} of {plural(decided, 'session')} that the packets decide."
    worst = next((row for row in comparison.rows if row.result == Result.CONTRADICTED), None)
    return f"{answer} Example, line {worst.line}: {session_sentence(worst)}" if worst else answer


def session_sentence(row: SessionRow) -> str:
    """What the log says of a session, and what the packets show."""
    return f"log: {row.end_reason or row.log_says}; packets: {row.packets_show}."


def _body(comparison: LogComparison, top: int, style: _Style) -> list[str]:
    counts = count_results(comparison.rows)
    parts = [_lines(comparison, style.safe)]
    if comparison.rows:
        parts.append(_tabulated(("packets", "sessions"), [(r.value, f"{counts[r]:,}") for r in _RESULTS], style))
    parts += _table("By rule of the log", "rule", by_result(comparison.rows, lambda row: row.rule), style)
    parts += _table("By end reason", "end reason", by_result(comparison.rows, lambda row: row.end_reason), style)
    if comparison.unmatched:
        reasons = [
            (reason.value, f"{count.lines:,}", str(count.first_line)) for reason, count in comparison.unmatched.items()
        ]
        parts.append(_headed("Sessions without packets", ("why", "sessions", "first line"), reasons, style))
    contradicted = [row for row in comparison.rows if row.result == Result.CONTRADICTED]
    if shown := contradicted[:top]:
        parts.append(f"{style.heading}Contradicted")
        parts += [f"{number}. {_session(row, style.safe)}" for number, row in enumerate(shown, 1)]
        if left_out := len(contradicted) - len(shown):
            parts.append(f"{left_out:,} more; --top shows more, --format csv all")
    return parts


def _lines(comparison: LogComparison, safe: Callable[[str], str]) -> str:
    """The counts of the log, and the offset of each clock."""
    others = f", {plural(comparison.other, 'other record')}" if comparison.other else ""
    lines = [
        f"Log: {safe(comparison.log)} ({safe(comparison.title)}): {plural(comparison.sessions, 'session')}{others}; "
        f"{len(comparison.rows):,} have packets"
    ]
    lines += [f"Clock: {clock_text(clock, safe(name))}" for name, clock in comparison.clocks.items()]
    return "\n".join(lines)


def clock_text(clock: ClockOffset, capture: str) -> str:
    """How far the clocks of the log and of a capture are apart."""
    agree = f"{clock.agreeing:,} of {plural(clock.compared, 'session')} agree"
    seconds = abs(clock.offset_us) / 1_000_000
    if seconds < 1:
        return f"the log and {capture} agree within a second ({agree})"
    distance = f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
    zone = "; a wrong time zone? --log-timezone sets it" if seconds >= 1700 else ""
    return f"the log is {distance} {'ahead of' if clock.offset_us > 0 else 'behind'} {capture} ({agree}){zone}"


def by_result(rows: Sequence[SessionRow], key: Callable[[SessionRow], str | None]) -> dict[str, dict[str, int]]:
    """Sessions by result, for each value of `key`: those with the most contradicted first."""
    counted: dict[str, Counter[str]] = {}
    for row in rows:
        counted.setdefault(key(row) or "", Counter())[row.result] += 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1][Result.CONTRADICTED], -item[1].total(), item[0]))
    return {
        name: {"sessions": counts.total(), **{result.value: counts[result] for result in _RESULTS}}
        for name, counts in ordered
    }


def _table(title: str, name: str, counted: dict[str, dict[str, int]], style: _Style) -> list[str]:
    if not any(counted):  # no rows, or a log that has no such column
        return []
    rows = [
        (style.safe(value or "(none)"), *(f"{counts[each]:,}" for each in COUNTED))
        for value, counts in [*counted.items()][:_MOST]
    ]
    parts = [_headed(title, (name, *COUNTED), rows, style)]
    if len(counted) > _MOST:
        parts.append(f"{len(counted) - _MOST:,} more; --format json shows all")
    return parts


def _headed(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], style: _Style) -> str:
    return f"{style.heading}{title}{style.below_heading}{_tabulated(header, rows, style)}"


def _tabulated(header: Sequence[str], rows: Sequence[Sequence[Any]], style: _Style) -> str:
    # tabulate must not parse numbers: it would change a rule named 1e5 or nan.
    return tabulate(rows, headers=header, tablefmt=style.table_format, disable_numparse=True)


def _session(row: SessionRow, safe: Callable[[str], str]) -> str:
    rule = f" (rule {safe(row.rule)})" if row.rule else ""
    translated = ", translated in the packets" if row.translated else ""
    where = f"frame {row.frame} of {row.capture}" if row.frame else row.capture
    return "\n   ".join(
        [
            f"Line {row.line}: {row.src} port {row.sport} to {row.dst} port {row.dport}{translated}",
            f"- log: {safe(row.end_reason or row.log_says)}{rule}",
            f"- packets: {safe(row.packets_show)}",
            f"- where: {safe(where)}",
        ]
    )
