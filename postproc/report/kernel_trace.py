"""Captured resets compared with a kernel trace, for readers and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

from tabulate import tabulate

from heuristics.errors import visible
from postproc.kernel_trace.matching import Shown, TraceMatching
from postproc.kernel_trace.trace_text import reasons
from postproc.runtime.text import csv_table, escape_markdown, plural
from postproc.verdicts.result_row import ResetRow


@dataclass(frozen=True, slots=True)
class KernelRow:
    """One reset of a capture. `kernel` is what the trace shows about it (a Shown), `reason` why, in words.

    `received`: the kernel of the trace received it too, and took it as valid. `state` is that of the socket,
    `kernel_reason` and `drop_reason` are the kernel's own names.
    """

    capture: str
    frame: int
    time: float
    src: str
    sport: int
    dst: str
    dport: int
    kernel: str
    received: bool
    reason: str
    state: str
    kernel_reason: str
    drop_reason: str
    verdict: str
    origin: str


KERNEL_COLUMNS = tuple(field.name for field in fields(KernelRow))
_UNSURE = "forged, or sent by the host's own firewall (netfilter), which this trace does not show"
_SHOWN_COLUMNS = ("frame", "src", "sport", "dst", "dport", "kernel", "reason", "verdict")


def kernel_rows(matching: TraceMatching, judged: Sequence[ResetRow]) -> list[KernelRow]:
    """The rows of one capture; `judged` are its resets with the verdicts that the trace leads to, in the same order."""
    rows = []
    for match, row in zip(matching.matches, judged, strict=True):
        event = match.event
        words = "; ".join(reasons(event)) if event else ""
        if match.shown is Shown.NEVER_SENT and not match.rule_id:
            words = _UNSURE
            if match.firewall_drop_us is not None:
                words = f"probably its own firewall: it dropped a packet {match.firewall_drop_us / 1000:.1f} ms from it"
        rows.append(
            KernelRow(
                capture=row.capture,
                frame=row.frame,
                time=row.time,
                src=row.src,
                sport=row.sport,
                dst=row.dst,
                dport=row.dport,
                kernel=match.shown.value,
                received=match.received,
                reason=words,
                state=event.state if event else "",
                kernel_reason=event.reason if event else "",
                drop_reason=event.drop_reason if event else "",
                verdict=row.verdict,
                origin=row.origin,
            )
        )
    return rows


def rows_csv(rows: Sequence[KernelRow]) -> str:
    """One line for each reset, with KERNEL_COLUMNS."""
    return csv_table(KERNEL_COLUMNS, (asdict(row).values() for row in rows))


def rows_jsonl(rows: Sequence[KernelRow]) -> str:
    """One JSON object for each reset."""
    return "\n".join(json.dumps(asdict(row)) for row in rows)


def rows_json(rows: Sequence[KernelRow]) -> str:
    """The resets as one JSON list."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def table(rows: Sequence[KernelRow], notes: Sequence[str]) -> str:
    """For a terminal: counts, the resets that the trace says something about, and notes."""
    return _written(rows, notes, "simple", visible)


def markdown(rows: Sequence[KernelRow], notes: Sequence[str]) -> str:
    """The same in Markdown."""
    return _written(rows, notes, "pipe", escape_markdown)


def _written(rows: Sequence[KernelRow], notes: Sequence[str], style: str, safe: Callable[[str], str]) -> str:
    counts = Counter(row.kernel for row in rows)
    summed = ", ".join(f"{counts[shown.value]:,} {shown.value}" for shown in Shown if counts[shown.value])
    parts = [f"{plural(len(rows), 'reset')}" + (f": {summed}" if summed else "")]
    parts += [safe(note) for note in notes]
    by_capture: dict[str, list[KernelRow]] = {}
    for row in rows:
        if row.kernel != Shown.NOTHING:
            by_capture.setdefault(row.capture, []).append(row)
    for capture, shown in by_capture.items():
        cells = [[safe(str(getattr(row, name))) for name in _SHOWN_COLUMNS] for row in shown]
        parts.append(f"{safe(capture)}\n\n{tabulate(cells, _SHOWN_COLUMNS, tablefmt=style, disable_numparse=True)}")
    return "\n\n".join(parts)
