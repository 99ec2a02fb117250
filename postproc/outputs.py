"""A summary as text in every format: table and markdown for readers, csv, jsonl and json for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from tabulate import tabulate

from heuristics.errors import visible
from postproc import escape
from postproc.rejections import Rejector, told
from postproc.resets import COLUMNS, JudgedReset, ResetRow
from postproc.summary import Alike, Sender, Share, Summary, counted

_VALUES_SHOWN = 6  # different hop values of one sender that a table shows
_FRAMES_SHOWN = 12  # frames of resets that are alike
_REJECTOR_COLUMNS = ("rejected by", "origin", "errors", "verdicts", "sits", "the probe had travelled", "saying")
_SENDER_COLUMNS = ("sender", "resets", "suspicion", "verdicts", "hop baseline", "delta", "sent from", "sender is at")


def table(summary: Summary, senders: int) -> str:
    """For a terminal. At most `senders` senders."""
    parts = [
        _counts(summary),
        *_both_shares(summary, "simple"),
        *_sections(summary, senders, "simple", visible, lambda title: f"{title}\n"),
        *(f"{number}. {_reset(alike, visible, visible)}" for number, alike in enumerate(summary.suspicious, 1)),
        *_rejections(summary, senders, "simple", visible, lambda title: f"{title}\n"),
        visible(summary.conclusion),
    ]
    return "\n\n".join(parts)


def markdown(summary: Summary, senders: int) -> str:
    """The same as a Markdown document."""
    parts = [
        "# TCP resets: who sent them",
        escape.markdown(summary.conclusion),
        _counts(summary),
        *_both_shares(summary, "pipe"),
        *_sections(summary, senders, "pipe", escape.markdown, lambda title: f"## {title}\n\n"),
        *(
            f"{number}. {_reset(alike, escape.markdown, escape.markdown_code)}"
            for number, alike in enumerate(summary.suspicious, 1)
        ),
    ]
    parts += _rejections(summary, senders, "pipe", escape.markdown, lambda title: f"## {title}\n\n")
    if summary.problems:
        problems = "\n".join(f"- {escape.markdown(str(problem))}" for problem in summary.problems)
        parts.append(f"## Problems\n\n{problems}")
    return "\n\n".join(parts)


def rows_csv(rows: Sequence[ResetRow]) -> str:
    """One line for each reset, columns as in postproc.resets.COLUMNS; `evidence` joined by `;`, None as nothing.

    Text that a spreadsheet would take for a formula (`=`, `+`, `-` or `@` first) begins with a `'`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = _cells(row) | {"evidence": ";".join(row.evidence)}
        writer.writerow([escape.csv_text(cell) if isinstance(cell, str) else cell for cell in cells.values()])
    return text.getvalue().removesuffix("\n")


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
            "icmp_by_verdict": _errors_by_name(summary.totals.icmp_by_verdict),
            "icmp_by_origin": _errors_by_name(summary.totals.icmp_by_origin),
            "conclusion": summary.conclusion,
        },
        "by_sender": [asdict(sender) | {"by_verdict": _by_name(sender.by_verdict)} for sender in summary.senders],
        "resets": [
            _cells(reset.row) | {"score": reset.score, "evidence_text": list(reset.words)} for reset in summary.resets
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


def _by_name(shares: Sequence[Share]) -> dict[str, dict[str, float]]:
    return {share.name: {"resets": share.resets, "percent": share.percent} for share in shares}


def _errors_by_name(shares: Sequence[Share]) -> dict[str, dict[str, float]]:
    return {share.name: {"errors": share.resets, "percent": share.percent} for share in shares}


def _counts(summary: Summary) -> str:
    totals = summary.totals
    packets = "not counted" if totals.packets is None else f"{totals.packets:,}"
    return (
        f"Captures: {totals.captures:,}, packets: {packets}, "
        f"flows with a reset: {totals.flows:,}, resets: {totals.resets:,}, ICMP errors: {totals.icmp_errors:,}"
    )


def _both_shares(summary: Summary, style: str) -> list[str]:
    if not summary.resets:
        return []
    return [
        _tabulated([(share.name, f"{share.resets:,}", f"{share.percent} %") for share in shares], header, style)
        for shares, header in (
            (summary.totals.by_verdict, ("verdict", "resets", "share")),
            (summary.totals.by_origin, ("origin", "resets", "share")),
        )
    ]


def _sections(
    summary: Summary, senders: int, style: str, safe: Callable[[str], str], heading: Callable[[str], str]
) -> list[str]:
    """The table of senders, and the heading of the list of resets."""
    if not summary.resets:
        return []
    shown = summary.senders[:senders]
    left_out = len(summary.senders) - len(shown)
    more = f"\n\n{left_out:,} more senders, less suspicious; --top shows more, --format json all" if left_out else ""
    parts = []
    if shown:
        rows = [_sender_cells(sender, safe) for sender in shown]
        parts.append(heading("By sender") + _tabulated(rows, _SENDER_COLUMNS, style) + more)
    if summary.suspicious:
        parts.append(heading("Most suspicious resets").rstrip("\n"))
    return parts


def _rejections(
    summary: Summary, most: int, style: str, safe: Callable[[str], str], heading: Callable[[str], str]
) -> list[str]:
    """The table of those who rejected by ICMP errors, and the errors that are suspicious."""
    if not summary.errors:
        return []
    shown = summary.rejectors[:most]
    left_out = len(summary.rejectors) - len(shown)
    more = f"\n\n{left_out:,} more addresses, less suspicious; --top shows more, --format json all" if left_out else ""
    parts = []
    if shown:
        rows = [_rejector_cells(rejector, safe) for rejector in shown]
        parts.append(heading("ICMP errors: who rejected") + _tabulated(rows, _REJECTOR_COLUMNS, style) + more)
    if summary.suspicious_errors:
        parts.append(heading("Most suspicious ICMP errors").rstrip("\n"))
        parts += (f"{number}. {_error(error, safe)}" for number, error in enumerate(summary.suspicious_errors, 1))
    return parts


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
    if not values:
        return "unknown"
    more = ", ..." if len(values) > _VALUES_SHOWN else ""
    return ", ".join(f"{value:{form}}" for value in values[:_VALUES_SHOWN]) + more + unit


def _frames(frames: Sequence[int]) -> str:
    more = ", ..." if len(frames) > _FRAMES_SHOWN else ""
    return f"frame{'' if len(frames) == 1 else 's'} {', '.join(map(str, frames[:_FRAMES_SHOWN]))}{more}"


def _reset(alike: Alike, safe: Callable[[str], str], code: Callable[[str], str]) -> str:
    reset, row = alike.reset, alike.reset.row
    reason = f" ({safe(row.reason)})" if row.reason else ""
    lines = [
        f"Frame {row.frame} of {safe(row.capture)}: {row.verdict}{reason}, suspicion {row.suspicion} of 100, "
        f"origin {row.origin}",
        f"- named sender {safe(row.src)} port {row.sport}, to {safe(row.dst)} port {row.dport}",
        f"- stage of the connection: {safe(row.stage)}",
        *(f"- {safe(words)}" for words in reset.words),
        *([f"- alike: {counted(len(alike.others), 'more reset')}, {_frames(alike.others)}"] if alike.others else []),
        *([f"- probable cause: {safe(row.cause)}"] if row.cause else []),
        *([f"- made like those of: {safe(row.device)}"] if row.device else []),
        f"- flow: {code(row.flow)}",
    ]
    return "\n   ".join(lines)
