"""What comparisons of captures show, for readers and for programs: findings, translations, and why there is no more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from tabulate import tabulate

from heuristics.errors import visible
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.case.peer_captures import Comparison
from postproc.runtime.text import csv_table, escape_markdown, plural
from postproc.verdicts.reconcile_result import Translation, Undecided
from postproc.verdicts.result_row import ResetRow


@dataclass(frozen=True, slots=True)
class Row:
    """One reset with evidence from a peer capture, the `witness`: its columns keep that name.

    `clock_offset_us` is how far the capture's clock is ahead. `witness_src` and `witness_sport` are the sender's
    address and port in the peer, where a NAT between the captures changes them.
    """

    capture: str
    frame: int
    src: str
    sport: int
    dst: str
    dport: int
    evidence: str
    witness: str
    witness_frame: int | None
    verdict: str
    clock_offset_us: int | None
    witness_src: str | None = None
    witness_sport: int | None = None


ROW_COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """All that a run of reconcile shows. `not_compared` counts pairs of captures by reason."""

    rows: tuple[Row, ...]
    names: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    not_compared: Mapping[str, int]


def reconciled(
    sources: Sequence[Source],
    results: Sequence[CaptureResult],
    comparisons: Sequence[Comparison],
    not_compared: Mapping[str, int],
) -> Reconciled:
    """The rows of these comparisons, by capture and frame, and what else they show."""
    names = tuple(source.name for source in sources)
    resets: list[dict[int, ResetRow]] = [{reset.row.frame: reset.row for reset in each.resets} for each in results]
    rows = []
    for comparison in comparisons:
        ends_there = _ends_there(comparison.result.translations)
        for each in comparison.result.evidence:
            row = resets[comparison.capture][each.frame]
            src, sport = ends_there.get((row.src, row.sport, row.dst, row.dport), (None, None))
            rows.append(
                Row(
                    capture=row.capture,
                    frame=row.frame,
                    src=row.src,
                    sport=row.sport,
                    dst=row.dst,
                    dport=row.dport,
                    evidence=each.rule_id,
                    witness=names[comparison.peer],
                    witness_frame=each.peer_frame,
                    verdict=row.verdict,
                    clock_offset_us=comparison.result.offset_us,
                    witness_src=src,
                    witness_sport=sport,
                )
            )
    ordered = sorted(rows, key=lambda row: (row.capture, row.frame))
    return Reconciled(tuple(ordered), names, tuple(comparisons), not_compared)


def _ends_there(translations: Sequence[Translation]) -> dict[tuple[str, int, str, int], tuple[str, int]]:
    """The address and port of each direction's source in the peer, where they are others there."""
    found = {}
    for each in translations:
        for end, other in ((each.source, each.destination), (each.destination, each.source)):
            if end.is_translated:
                found[(*end.here, *other.here)] = end.there
    return found


def rows_csv(result: Reconciled) -> str:
    """One line for each finding, with ROW_COLUMNS."""
    return csv_table(ROW_COLUMNS, (asdict(row).values() for row in result.rows))


def rows_jsonl(result: Reconciled) -> str:
    """One JSON object for each finding."""
    return "\n".join(json.dumps(asdict(row)) for row in result.rows)


def rows_json(result: Reconciled) -> str:
    """The findings as one JSON list."""
    return json.dumps([asdict(row) for row in result.rows], indent=2)


def table(result: Reconciled) -> str:
    """Counts, notes and the findings, for a terminal."""
    return _written(result, "simple", visible, "")


def markdown(result: Reconciled) -> str:
    """The same in Markdown."""
    return _written(result, "pipe", escape_markdown, "- ")


def _written(result: Reconciled, style: str, safe: Callable[[str], str], bullet: str) -> str:
    compared, findings = plural(len(result.comparisons), "pair"), plural(len(result.rows), "finding")
    parts = [f"{compared} of captures compared, {findings}"]
    if lines := notes(result):
        parts.append("\n".join(f"{bullet}{safe(line)}" for line in lines))
    if result.rows:
        cells = [["" if cell is None else safe(str(cell)) for cell in asdict(row).values()] for row in result.rows]
        names = [name.replace("_", " ") for name in ROW_COLUMNS]
        parts.append(tabulate(cells, names, tablefmt=style, disable_numparse=True))
    return "\n\n".join(parts)


def notes(result: Reconciled) -> list[str]:
    """What the rows do not say: translations that were found, and why resets and pairs have no result."""
    lines = []
    for comparison in result.comparisons:
        here, there = result.names[comparison.capture], result.names[comparison.peer]
        lines += [f"NAT between {here} and {there}: {each}" for each in _translations(comparison.result.translations)]
    lines += _undecided(result)
    return lines + [f"Not compared: {plural(count, 'pair')}: {why}" for why, count in result.not_compared.items()]


def _undecided(result: Reconciled) -> list[str]:
    """Why comparisons say nothing about resets, one line for each reason."""
    with_rows = {row.capture for row in result.rows}
    by_reason: dict[str, list[tuple[int, str, str]]] = {}
    for comparison in result.comparisons:
        here, there = result.names[comparison.capture], result.names[comparison.peer]
        for each in comparison.result.undecided:
            # Where resets of the capture are decided, nobody asks why those of other senders are not.
            if each.why != Undecided.NOT_AT_SENDER or here not in with_rows:
                by_reason.setdefault(each.why, []).append((each.resets, here, there))
    lines = []
    for why, found in by_reason.items():
        resets, here, there = found[0]
        more = f", and in {plural(len(found) - 1, 'more comparison')}" if len(found) > 1 else ""
        lines.append(f"No result for {plural(resets, 'reset')} of {here} by {there}{more}: {why}")
    return lines


def _translations(translations: Sequence[Translation]) -> list[str]:
    """Translations by addresses, in words."""
    flows: Counter[tuple[str, str, str, bool]] = Counter()
    for each in translations:
        for what, end in (("source", each.source), ("destination", each.destination)):
            if end.is_translated:
                flows[what, end.address, end.peer_address, end.port == end.peer_port] += 1
    return [
        f"the {what} {here} is {there} there ({plural(count, 'flow')}, port {'kept' if kept else 'changed'})"
        for (what, here, there, kept), count in flows.items()
    ]
