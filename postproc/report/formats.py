"""A summary in every format: table and markdown for readers, csv, jsonl and json for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from heuristics.rulebook.model import Rulebook
from postproc.report.answer import answer
from postproc.report.markdown import markdown_of
from postproc.report.presumed_senders import PresumedSender
from postproc.report.screen import Screen
from postproc.report.sections import Item, Listing, Paragraph
from postproc.report.summary import Share, Summary
from postproc.report.summary_sections import Layout, sections
from postproc.runtime.clock import IN_UTC, Clock
from postproc.runtime.text import csv_table
from postproc.verdicts.result_row import COLUMNS, ResetRow

SUMMARY_ID = "urn:rstorigin:summary:1"  # the schema of json; schemas.py says when its version changes


def table(summary: Summary, rulebook: Rulebook, layout: Layout, screen: Screen) -> str:
    """For a terminal."""
    from postproc.report.terminal import laid_out  # slow to import

    return laid_out([*sections(summary, rulebook, layout)], screen)


def answer_alone(summary: Summary, clock: Clock, screen: Screen) -> str:
    """The answer without anything else, for a terminal."""
    from postproc.report.terminal import laid_out  # slow to import

    return laid_out([Paragraph(answer(summary, clock))], screen)


def markdown(summary: Summary, rulebook: Rulebook, layout: Layout) -> str:
    """The same as a Markdown document, with the problems."""
    found = [*sections(summary, rulebook, replace(layout, wide=True))]
    if summary.problems:
        found.append(Listing("Problems", [Item(str(problem), ()) for problem in summary.problems]))
    return markdown_of("TCP resets: who sent them", found)


def rows_csv(rows: Sequence[ResetRow]) -> str:
    """One line for each row, with the columns of COLUMNS; `evidence` is joined by `;`, None is empty.

    Text that a spreadsheet would take for a formula (`=`, `+`, `-` or `@` first) begins with a `'`.
    """
    return csv_table(COLUMNS, ((_cells(row) | {"evidence": ";".join(row.evidence)}).values() for row in rows))


def rows_jsonl(rows: Sequence[ResetRow]) -> str:
    """One JSON object for each row, with the keys of COLUMNS; `evidence` is a list."""
    return "\n".join(json.dumps(_cells(row)) for row in rows)


def whole_json(summary: Summary, clock: Clock = IN_UTC) -> str:
    """Everything: `answer`, `totals`, `presumed_senders`, `causes`, `not_judged`, `surges`, `by_sender` and more.

    Resets have their evidence in words. `totals.conclusion` is the answer in one text.
    """
    sentences = answer(summary, clock)
    totals = asdict(summary.totals)
    content = {
        "schema": SUMMARY_ID,
        "answer": sentences,
        "totals": totals
        | {
            "by_verdict": _by_name(summary.totals.by_verdict),
            "by_origin": _by_name(summary.totals.by_origin),
            "icmp_by_verdict": _by_name(summary.totals.icmp_by_verdict, "errors"),
            "icmp_by_origin": _by_name(summary.totals.icmp_by_origin, "errors"),
            "conclusion": " ".join(sentences),
        },
        "selection": summary.selected.to_plain() if summary.selected else None,
        "presumed_senders": [_presumed(sender) for sender in summary.presumed_senders],
        "causes": [asdict(tally) for tally in summary.causes],
        "not_judged": [asdict(tally) for tally in summary.not_judged],
        "surges": [asdict(surge) for surge in summary.surges],
        "idle_timeouts": [asdict(timeout) for timeout in summary.idle_timeouts],
        "captures": [asdict(capture) for capture in summary.captures],
        "by_sender": [asdict(sender) | {"by_verdict": _by_name(sender.by_verdict)} for sender in summary.senders],
        "resets": [
            _cells(reset.row) | {"score": reset.score, "evidence_text": list(reset.words), "signature": reset.signature}
            for reset in summary.all_resets
        ],
        "by_rejector": [asdict(source) for source in summary.icmp_error_sources],
        "icmp_errors": [
            _cells(error.row)
            | {"evidence_text": list(error.words), "rejection": asdict(error.rejection) if error.rejection else None}
            for error in summary.all_errors
        ],
        "problems": [
            {"file": problem.file, "reason": problem.reason, "hint": problem.hint} for problem in summary.problems
        ],
    }
    return json.dumps(content, indent=2)


def _cells(row: ResetRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in COLUMNS}


def _presumed(sender: PresumedSender) -> dict[str, Any]:
    example = sender.example.row
    shown = {part.name: getattr(sender, part.name) for part in fields(sender)}
    return shown | {"example": {"capture": example.capture, "frame": example.frame}}


def _by_name(shares: Sequence[Share], things: str = "resets") -> dict[str, dict[str, float]]:
    return {share.name: {things: share.resets, "percent": share.percent} for share in shares}
