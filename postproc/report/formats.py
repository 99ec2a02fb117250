"""A summary as text in every format: table and markdown for readers, csv, jsonl and json for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from heuristics.errors import visible
from postproc.report.icmp_summary import Rejector, told
from postproc.report.summary import Alike, Sender, Share, Summary
from postproc.runtime.text import csv_table, escape_markdown, markdown_code, plural
from postproc.verdicts.result_row import COLUMNS, JudgedReset, ResetRow

_VALUES_SHOWN = 6  # different hop values of one sender that a table shows
_FRAMES_SHOWN = 12  # frames of resets that are alike
_REJECTOR_COLUMNS = ("rejected by", "origin", "errors", "verdicts", "sits", "the probe had travelled", "saying")
_SENDER_COLUMNS = ("sender", "resets", "suspicion", "verdicts", "hop baseline", "delta", "sent from", "sender is at")


@dataclass(frozen=True, slots=True)
class _Look:
    """How one kind of text looks: tabulate's style, how text and code are made safe, how a heading begins."""

    style: str
    safe: Callable[[str], str]
    code: Callable[[str], str]
    heading: str
    below: str  # between a heading and its table


_TERMINAL = _Look("simple", visible, visible, "", "\n")
_MARKDOWN = _Look("pipe", escape_markdown, markdown_code, "## ", "\n\n")


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


def _body(summary: Summary, most: int, look: _Look) -> list[str]:
    """Resets and ICMP errors: tables of at most `most` rows, and the suspicious ones in words."""
    parts: list[str] = []
    if summary.resets:
        senders = [_sender_cells(sender, look.safe) for sender in summary.senders]
        parts += _both_shares(summary, look)
        parts += _cut_table("By sender", _SENDER_COLUMNS, senders, most, "senders", look)
        parts += _listed("Most suspicious resets", [_reset(alike, look) for alike in summary.suspicious], look)
    if summary.errors:
        rejectors = [_rejector_cells(rejector, look.safe) for rejector in summary.rejectors]
        parts += _cut_table("ICMP errors: who rejected", _REJECTOR_COLUMNS, rejectors, most, "addresses", look)
        errors = [_error(error, look.safe) for error in summary.suspicious_errors]
        parts += _listed("Most suspicious ICMP errors", errors, look)
    return parts


def _cut_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], most: int, things: str, look: _Look
) -> list[str]:
    """The first rows, and how many more there are."""
    if not rows[:most]:
        return []
    table_ = f"{look.heading}{title}{look.below}{_tabulated(rows[:most], columns, look.style)}"
    left_out = len(rows) - most
    if left_out <= 0:
        return [table_]
    return [table_, f"{left_out:,} more {things}, less suspicious; --top shows more, --format json all"]


def _listed(title: str, texts: Sequence[str], look: _Look) -> list[str]:
    if not texts:
        return []
    return [f"{look.heading}{title}", *(f"{number}. {text}" for number, text in enumerate(texts, 1))]


def rows_csv(rows: Sequence[ResetRow]) -> str:
    """One line for each reset, columns as in postproc.resets.COLUMNS; `evidence` joined by `;`, None as nothing.

    Text that a spreadsheet would take for a formula (`=`, `+`, `-` or `@` first) begins with a `'`.
    """
    return csv_table(COLUMNS, ((_cells(row) | {"evidence": ";".join(row.evidence)}).values() for row in rows))


def rows_jsonl(rows: Sequence[ResetRow]) -> str:
    """One JSON object for each reset, with the keys of postproc.resets.COLUMNS; `evidence` is a list."""
    return "\n".join(json.dumps(_cells(row)) for row in rows)


def whole_json(summary: Summary) -> str:
    """Everything: `totals` (with the conclusion), `by_sender`, `resets` (with evidence in words), `problems`."""
    totals = asdict(summary.totals)
    content = {
        "totals": totals
        | {
            "by_verdict": _by_name(summary.totals.by_verdict),
            "by_origin": _by_name(summary.totals.by_origin),
            "icmp_by_verdict": _by_name(summary.totals.icmp_by_verdict, "errors"),
            "icmp_by_origin": _by_name(summary.totals.icmp_by_origin, "errors"),
            "conclusion": summary.conclusion,
        },
        "by_sender": [asdict(sender) | {"by_verdict": _by_name(sender.by_verdict)} for sender in summary.senders],
        "resets": [
            _cells(reset.row) | {"score": reset.score, "evidence_text": list(reset.words), "signature": reset.signature}
            for reset in summary.resets
        ],
        "by_rejector": [asdict(rejector) for rejector in summary.rejectors],
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


def _both_shares(summary: Summary, look: _Look) -> list[str]:
    return [
        _tabulated([(share.name, f"{share.resets:,}", f"{share.percent} %") for share in shares], header, look.style)
        for shares, header in (
            (summary.totals.by_verdict, ("verdict", "resets", "share")),
            (summary.totals.by_origin, ("origin", "resets", "share")),
        )
    ]


def _rejector_cells(rejector: Rejector, safe: Callable[[str], str]) -> tuple[str, ...]:
    return (
        safe(rejector.address),
        safe(rejector.origin),
        f"{rejector.errors:,}",
        ", ".join(f"{count:,} {verdict}" for verdict, count in rejector.verdicts.items()),
        _values(rejector.distances, unit=" hops"),
        _values(rejector.travelled, unit=" hops"),
        safe(_few([f"{count:,} {name}" for name, count in rejector.names.items()])),
    )


def _few(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_VALUES_SHOWN], *(["..."] if len(texts) > _VALUES_SHOWN else [])])


def _error(error: JudgedReset, safe: Callable[[str], str]) -> str:
    row = error.row
    lines = [
        f"Frame {row.frame} of {safe(row.capture)}: {row.verdict}, suspicion {row.suspicion} of 100, "
        f"origin {row.origin}",
        f"- {safe(told(error))}",
        *(f"- {safe(words)}" for words in error.words),
        f"- flow: {safe(row.flow)}",
    ]
    return "\n   ".join(lines)


def _tabulated(rows: Sequence[Sequence[str]], header: Sequence[str], style: str) -> str:
    # No guessing of numbers: a name such as 1e5 or nan would come out changed.
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


def _reset(alike: Alike, look: _Look) -> str:
    safe = look.safe
    reset, row = alike.reset, alike.reset.row
    reason = f" ({safe(row.reason)})" if row.reason else ""
    lines = [
        f"Frame {row.frame} of {safe(row.capture)}: {row.verdict}{reason}, suspicion {row.suspicion} of 100, "
        f"origin {row.origin}",
        f"- named sender {safe(row.src)} port {row.sport}, to {safe(row.dst)} port {row.dport}",
        f"- stage of the connection: {safe(row.stage)}",
        *(f"- {safe(words)}" for words in reset.words),
        *([f"- alike: {plural(len(alike.others), 'more reset')}, {_frames(alike.others)}"] if alike.others else []),
        *([f"- where: {safe(row.where)}"] if row.where else []),
        *([f"- probable cause: {safe(row.cause)}"] if row.cause else []),
        *([f"- made like those of: {safe(row.device)}"] if row.device else []),
        f"- flow: {look.code(row.flow)}",
    ]
    return "\n   ".join(lines)
