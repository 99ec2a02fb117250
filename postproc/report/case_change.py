"""What has changed from one case to another: connections that were reset, by verdict, sender and cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from heuristics.language.template import time_text
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Verdict
from postproc.batch.job import CaptureResult
from postproc.report.capture_places import capture_places
from postproc.report.rate_ratio import RateRatio, rate_ratio
from postproc.report.rulebook_entries import RulebookEntries
from postproc.report.sections import Column, Paragraph, Section, Table
from postproc.report.sender_rows import rows_by_sender
from postproc.report.surges import joined_spans
from postproc.runtime.text import plural
from postproc.verdicts.result_row import ResetRow

_HOUR = 3600
_SENTENCES = 4  # new and vanished senders that the answer names


class Exposure(StrEnum):
    """What events are counted against."""

    TIME = "time"
    PACKETS = "packets"


class Change(StrEnum):
    """What has become of a rate."""

    NEW = "new"
    GONE = "gone"
    MORE = "more"
    FEWER = "fewer"
    UNCLEAR = "no clear change"


@dataclass(frozen=True, slots=True)
class Changed:
    """One row: connections reset before and after, of one verdict, sender or cause (`kind`)."""

    kind: str
    name: str
    before: int
    after: int
    ratio: RateRatio

    @property
    def change(self) -> Change:
        """The change in a word. A rate is new or gone only where chance does not explain it."""
        if not self.ratio.is_clear:
            return Change.UNCLEAR
        if self.after == 0 or self.before == 0:
            return Change.GONE if self.after == 0 else Change.NEW
        return Change.MORE if self.ratio.low > 1 else Change.FEWER


@dataclass(frozen=True, slots=True)
class CaseChange:
    """The whole comparison. `exposures` are hours or packets, before and after."""

    exposure: Exposure
    exposures: tuple[float, float]
    rows: tuple[Changed, ...]

    def row(self, name: str) -> Changed:
        """The first row of this name."""
        return next(row for row in self.rows if row.name == name)


SUSPECT = "forged or likely forged"


def case_change(
    before: Sequence[CaptureResult], after: Sequence[CaptureResult], rulebook: Rulebook, exposure: Exposure
) -> CaseChange:
    """Compare two cases, judged by one rulebook. Raises ValueError where nothing can be counted against `exposure`.

    Connections are counted, not resets: one connection may see several, which are not independent.
    """
    exposures = (_exposure(before, exposure), _exposure(after, exposure))
    if min(exposures) <= 0:
        raise ValueError("unknown")
    counted = [_counts(judged, rulebook) for judged in (before, after)]
    rows = []
    for kind in counted[0]:
        names = list(dict.fromkeys([*counted[0][kind], *counted[1][kind]]))
        found = [
            Changed(
                kind,
                name,
                *(numbers := (counted[0][kind].get(name, 0), counted[1][kind].get(name, 0))),
                rate_ratio(*numbers, *exposures),
            )
            for name in names
        ]
        rows += found if kind == "verdict" else sorted(found, key=lambda row: -max(row.before, row.after))
    return CaseChange(exposure, exposures, tuple(rows))


def _exposure(judged: Sequence[CaptureResult], exposure: Exposure) -> float:
    if exposure is Exposure.PACKETS:
        return float(sum(each.packets or 0 for each in judged))
    points = [each.capture_point for each in judged]
    spans = [(p.first_us, p.last_us) for p in points if p.first_us is not None and p.last_us is not None]
    return sum(last - first for first, last in joined_spans(spans)) / 1e6 / _HOUR


def _counts(judged: Sequence[CaptureResult], rulebook: Rulebook) -> dict[str, dict[str, int]]:
    """Connections by kind and name."""
    resets = [reset for each in judged for reset in each.resets]
    rows = [reset.row for reset in resets]
    entries = RulebookEntries(rulebook)

    def by(name_of: Callable[[ResetRow], str | None]) -> dict[str, int]:
        groups: dict[str, list[ResetRow]] = {}
        for row in rows:
            if (name := name_of(row)) is not None:
                groups.setdefault(name, []).append(row)
        return {name: _connections(each) for name, each in groups.items()}

    def cause_of(row: ResetRow) -> str | None:
        entry = entries.cause(row.cause)
        return entry.title if entry and row.verdict != Verdict.UNCLEAR else None

    verdicts = {"all resets": _connections(rows), SUSPECT: _connections(r for r in rows if r.verdict in ACCUSED)}
    by_verdict = by(lambda row: row.verdict)
    verdicts |= {verdict.value: by_verdict.get(verdict.value, 0) for verdict in Verdict}
    senders: Mapping[str, Sequence[ResetRow]] = rows_by_sender(resets, entries, capture_places(judged))
    return {
        "verdict": verdicts,
        "sender": {name: _connections(each) for name, each in senders.items()},
        "cause": by(cause_of),
    }


def _connections(rows: Iterable[ResetRow]) -> int:
    return len({(row.capture, row.flow) for row in rows})


def change_sentences(change: CaseChange) -> Iterator[str]:
    """The answer: whether suspect resets became fewer, and which senders are new or gone."""
    suspect = change.row(SUSPECT)
    if suspect.before == suspect.after == 0:
        yield "No connection has a suspect reset, before or after."
    else:
        yield f"Connections with suspect resets: {_rates(suspect, change)}: {_words(suspect)}."
    senders = [row for row in change.rows if row.kind == "sender"]
    for word, text in ((Change.GONE, "Gone"), (Change.NEW, "New")):
        names = [row.name for row in senders if row.change is word]
        if names:
            more = f" and {len(names) - _SENTENCES:,} more" if len(names) > _SENTENCES else ""
            yield f"{text}: {', '.join(names[:_SENTENCES])}{more}."


def change_sections(change: CaseChange, most: int) -> Iterator[Section]:
    """The answer, what was compared, and a table for each kind with at most `most` rows."""
    yield Paragraph([*change_sentences(change)])
    before, after = change.exposures
    if change.exposure is Exposure.TIME:
        spans = [time_text(round(hours * 3_600_000_000)) for hours in change.exposures]
        compared = f"Compared: captures of {spans[0]} before, {spans[1]} after."
    else:
        compared = f"Compared: {plural(round(before), 'packet')} before, {plural(round(after), 'packet')} after."
    yield Paragraph(
        [compared, "Each row counts connections. The range holds the true ratio of the rates in 95 of 100 cases."]
    )
    for kind, title in (("verdict", "Verdicts"), ("sender", "Senders"), ("cause", "Causes")):
        rows = [row for row in change.rows if row.kind == kind and row.before + row.after]
        columns = [
            *(Column(kind, cut=30), Column("before", right=True), Column("after", right=True)),
            *(Column("rate ratio", right=True), Column("range"), Column("change")),
        ]
        cells = [
            [row.name, f"{row.before:,}", f"{row.after:,}", _ratio(row.ratio.ratio), _range(row.ratio), row.change]
            for row in rows[:most]
        ]
        if cells:
            left_out = len(rows) - most
            yield Table(title, columns, cells, f"{left_out:,} more; --top N shows more" if left_out > 0 else "")


def _rates(row: Changed, change: CaseChange) -> str:
    unit = "an hour" if change.exposure is Exposure.TIME else "in a million packets"
    scale = 1 if change.exposure is Exposure.TIME else 1_000_000
    before, after = (n / e * scale for n, e in zip((row.before, row.after), change.exposures, strict=True))
    return f"{_rate(before)} {unit} before ({row.before:,}), {_rate(after)} after ({row.after:,})"


def _rate(rate: float) -> str:
    """Three digits, never as a power of ten."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _words(row: Changed) -> str:
    if row.change is Change.UNCLEAR:
        return "no clear change: chance may explain the difference"
    return f"{row.change}, {_range(row.ratio)} times as many"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else _number(ratio)


def _range(ratio: RateRatio) -> str:
    if math.isinf(ratio.high):
        return f"{_number(ratio.low)} or more"
    return f"{_number(ratio.low)} to {_number(ratio.high)}"


def _number(value: float) -> str:
    """Two digits, or all of them before the point."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
