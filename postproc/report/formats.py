"""A summary in every format: table and markdown for readers, csv, jsonl and json for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from heuristics.errors import visible
from postproc.report.icmp_summary import IcmpErrorSource, rejection_text
from postproc.report.summary import ResetGroup, Sender, Share, Summary
from postproc.runtime.text import csv_table, escape_markdown, markdown_code, plural
from postproc.verdicts.result_row import COLUMNS, JudgedReset, ResetRow

SUMMARY_ID = "urn:rstorigin:summary:1"  # the schema of json; schemas.py says when its version changes

_VALUES_SHOWN = 6  # hop values of one sender that a table shows
_FRAMES_SHOWN = 12  # frames of one group of resets
_ICMP_SOURCE_COLUMNS = ("rejected by", "origin", "errors", "verdicts", "sits", "the probe had travelled", "saying")
_SENDER_COLUMNS = ("sender", "resets", "suspicion", "verdicts", "hop baseline", "delta", "sent from", "sender is at")


@dataclass(frozen=True, slots=True)
class _Style:
    """How one format looks: the table format of tabulate, how text and code are made safe, how a heading begins."""

    table_format: str
    safe: Callable[[str], str]
    code: Callable[[str], str]
    heading: str
    below_heading: str  # between a heading and its table


_TERMINAL = _Style("simple", visible, visible, "", "\n")
_MARKDOWN = _Style("pipe", escape_markdown, markdown_code, "## ", "\n\n")


def table(summary: Summary, senders: int) -> str:
    """For a terminal. At most `senders` senders."""
    return "\n\n".join([_counts(summary), *_body(summary, senders, _TERMINAL), visible(summary.conclusion)])


def markdown(summary: Summary, senders: int) -> str:
    """The same as a Markdown document."""
    parts = ["# TCP resets: who sent them", escape_markdown(summary.conclusion), _counts(summary)]
    parts += _body(summary, senders, _MARKDOWN)
    if summary.problems:
        problems = "\n".join(f"- {escape_markdown(str(problem))}" for problem in summary.problems)
        parts.append(f"## Problems\n\n{problems}")
    return "\n\n".join(parts)


def _body(summary: Summary, most: int, style: _Style) -> list[str]:
    """Resets and ICMP errors: tables of at most `most` rows, and the suspicious ones in words."""
    parts: list[str] = []
    if summary.resets:
        senders = [_sender_cells(sender, style.safe) for sender in summary.senders]
        parts += _both_shares(summary, style)
        parts += _cut_table(_Table("By sender", "senders", _SENDER_COLUMNS, senders), most, style)
        parts += _listed("Most suspicious resets", [_reset(group, style) for group in summary.suspicious], style)
    if summary.errors:
        sources = [_icmp_source_cells(source, style.safe) for source in summary.icmp_error_sources]
        parts += _cut_table(
            _Table("ICMP errors: who rejected", "addresses", _ICMP_SOURCE_COLUMNS, sources), most, style
        )
        errors = [_error(error, style.safe) for error in summary.suspicious_errors]
        parts += _listed("Most suspicious ICMP errors", errors, style)
    return parts


@dataclass(frozen=True, slots=True)
class _Table:
    """A table. `things` says what its rows are."""

    title: str
    things: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def _cut_table(table: _Table, most: int, style: _Style) -> list[str]:
    """The first `most` rows, and how many more there are."""
    if not table.rows[:most]:
        return []
    heading = f"{style.heading}{table.title}{style.below_heading}"
    text = f"{heading}{_tabulated(table.rows[:most], table.columns, style.table_format)}"
    left_out = len(table.rows) - most
    if left_out <= 0:
        return [text]
    return [text, f"{left_out:,} more {table.things}, less suspicious; --top shows more, --format json all"]


def _listed(title: str, texts: Sequence[str], style: _Style) -> list[str]:
    if not texts:
        return []
    return [f"{style.heading}{title}", *(f"{number}. {text}" for number, text in enumerate(texts, 1))]


def rows_csv(rows: Sequence[ResetRow]) -> str:
    """One line for each row, with the columns of COLUMNS; `evidence` is joined by `;`, None is empty.

    Text that a spreadsheet would take for a formula (`=`, `+`, `-` or `@` first) begins with a `'`.
    """
    return csv_table(COLUMNS, ((_cells(row) | {"evidence": ";".join(row.evidence)}).values() for row in rows))


def rows_jsonl(rows: Sequence[ResetRow]) -> str:
    """One JSON object for each row, with the keys of COLUMNS; `evidence` is a list."""
    return "\n".join(json.dumps(_cells(row)) for row in rows)


def whole_json(summary: Summary) -> str:
    """Everything: `totals` (with the conclusion), `by_sender`, `resets` (with evidence in words), `problems`."""
    totals = asdict(summary.totals)
    content = {
        "schema": SUMMARY_ID,
        "totals": totals
        | {
            "by_verdict": _by_name(summary.totals.by_verdict),
            "by_origin": _by_name(summary.totals.by_origin),
            "icmp_by_verdict": _by_name(summary.totals.icmp_by_verdict, "errors"),
            "icmp_by_origin": _by_name(summary.totals.icmp_by_origin, "errors"),
            "conclusion": summary.conclusion,
        },
        "selection": summary.selected.to_plain() if summary.selected else None,
        "by_sender": [asdict(sender) | {"by_verdict": _by_name(sender.by_verdict)} for sender in summary.senders],
        "resets": [
            _cells(reset.row) | {"score": reset.score, "evidence_text": list(reset.words), "signature": reset.signature}
            for reset in summary.resets
        ],
        "by_rejector": [asdict(source) for source in summary.icmp_error_sources],
        "icmp_errors": [
            _cells(error.row)
            | {"evidence_text": list(error.words), "rejection": asdict(error.rejection) if error.rejection else None}
            for error in summary.errors
        ],
        "problems": [
            {"file": problem.file, "reason": problem.reason, "hint": problem.hint} for problem in summary.problems
        ],
    }
    return json.dumps(content, indent=2)


def _cells(row: ResetRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _by_name(shares: Sequence[Share], things: str = "resets") -> dict[str, dict[str, float]]:
    return {share.name: {things: share.resets, "percent": share.percent} for share in shares}


def _counts(summary: Summary) -> str:
    totals = summary.totals
    packets = "not counted" if totals.packets is None else f"{totals.packets:,}"
    return (
        f"Captures: {totals.captures:,}, packets: {packets}, "
        f"flows with a reset: {totals.flows:,}, resets: {totals.resets:,}, ICMP errors: {totals.icmp_errors:,}"
    )


def _both_shares(summary: Summary, style: _Style) -> list[str]:
    return [
        _tabulated(
            [(share.name, f"{share.resets:,}", f"{share.percent} %") for share in shares], header, style.table_format
        )
        for shares, header in (
            (summary.totals.by_verdict, ("verdict", "resets", "share")),
            (summary.totals.by_origin, ("origin", "resets", "share")),
        )
    ]


def _icmp_source_cells(source: IcmpErrorSource, safe: Callable[[str], str]) -> tuple[str, ...]:
    return (
        safe(source.address),
        safe(source.origin),
        f"{source.errors:,}",
        ", ".join(f"{count:,} {verdict}" for verdict, count in source.verdicts.items()),
        _values(source.distances, unit=" hops"),
        _values(source.travelled, unit=" hops"),
        safe(_few([f"{count:,} {name}" for name, count in source.names.items()])),
    )


def _few(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_VALUES_SHOWN], *(["..."] if len(texts) > _VALUES_SHOWN else [])])


def _error(error: JudgedReset, safe: Callable[[str], str]) -> str:
    row = error.row
    lines = [
        f"Frame {row.frame} of {safe(row.capture)}: {row.verdict}, suspicion {row.suspicion} of 100, "
        f"origin {row.origin}",
        f"- {safe(rejection_text(error))}",
        *(f"- {safe(words)}" for words in error.words),
        f"- flow: {safe(row.flow)}",
    ]
    return "\n   ".join(lines)


def _tabulated(rows: Sequence[Sequence[str]], header: Sequence[str], style: str) -> str:
    # tabulate must not parse numbers: it would change a name such as 1e5 or nan.
    return tabulate(rows, headers=header, tablefmt=style, disable_numparse=True)


def _sender_cells(sender: Sender, safe: Callable[[str], str]) -> tuple[str, ...]:
    return (
        safe(sender.address),
        f"{sender.resets:,}",
        str(sender.suspicion),
        ", ".join(f"{share.resets:,} {share.name}" for share in sender.by_verdict if share.resets),
        _values(sender.hop_baselines),
        _values(sender.hop_deltas, "+d"),
        _values(sender.distances, unit=" hops"),
        _values(sender.sender_distances, unit=" hops"),
    )


def _values(values: Sequence[int], form: str = "d", unit: str = "") -> str:
    return _few([f"{value:{form}}" for value in values]) + unit if values else "unknown"


def _frames(frames: Sequence[int]) -> str:
    more = ", ..." if len(frames) > _FRAMES_SHOWN else ""
    return f"frame{'' if len(frames) == 1 else 's'} {', '.join(map(str, frames[:_FRAMES_SHOWN]))}{more}"


def _reset(group: ResetGroup, style: _Style) -> str:
    safe = style.safe
    reset, row = group.reset, group.reset.row
    reason = f" ({safe(row.reason)})" if row.reason else ""
    lines = [
        f"Frame {row.frame} of {safe(row.capture)}: {row.verdict}{reason}, suspicion {row.suspicion} of 100, "
        f"origin {row.origin}",
        f"- named sender {safe(row.src)} port {row.sport}, to {safe(row.dst)} port {row.dport}",
        f"- stage of the connection: {safe(row.stage)}",
        *(f"- {safe(words)}" for words in reset.words),
        *([f"- alike: {plural(len(group.others), 'more reset')}, {_frames(group.others)}"] if group.others else []),
        *([f"- where: {safe(row.where)}"] if row.where else []),
        *([f"- probable cause: {safe(row.cause)}"] if row.cause else []),
        *([f"- made like those of: {safe(row.device)}"] if row.device else []),
        f"- flow: {style.code(row.flow)}",
    ]
    return "\n   ".join(lines)
