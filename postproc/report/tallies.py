"""How often each cause stands behind the resets, and how often each reason why a verdict is unclear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict
from postproc.report.rulebook_entries import Entry, RulebookEntries
from postproc.verdicts.result_row import ResetRow


@dataclass(frozen=True, slots=True)
class Tally:
    """How many `resets` have one cause or reason, and how many of them are `accused` (forged or likely forged).

    `title` is its short name, `do` what a reader can do about it (empty: nothing is known), `example` the sentence of
    one reset. `front_end`: a front-end says so.
    """

    id: str
    title: str
    do: str
    example: str
    resets: int
    accused: int = 0
    front_end: bool = False


def causes(rows: Iterable[ResetRow], entries: RulebookEntries) -> tuple[Tally, ...]:
    """The causes of resets whose sender is known, those of the most resets first."""
    return _tallied(
        (row, found, row.cause)
        for row in rows
        if row.cause and row.verdict != Verdict.UNCLEAR and (found := entries.cause(row.cause))
    )


def reasons(rows: Iterable[ResetRow], entries: RulebookEntries) -> tuple[Tally, ...]:
    """Why verdicts are unclear, the most frequent reason first."""
    return _tallied((row, entries.reason(row.reason), row.reason) for row in rows if row.verdict == Verdict.UNCLEAR)


def _tallied(found: Iterable[tuple[ResetRow, Entry, str]]) -> tuple[Tally, ...]:
    groups: dict[tuple[bool, str, str], tuple[Entry, str, list[ResetRow]]] = {}
    for row, entry, text in found:
        front_end = row.origin == Origin.FRONT_END
        title = text if front_end or entry.states else entry.title  # their own words say more
        groups.setdefault((front_end, entry.id, title), (entry, text, []))[2].append(row)
    tallies = [
        Tally(
            id=id_,
            title=title,
            do=entry.do,
            example=text,
            resets=len(rows),
            accused=sum(row.verdict in ACCUSED for row in rows),
            front_end=front_end,
        )
        for (front_end, id_, title), (entry, text, rows) in groups.items()
    ]
    return tuple(sorted(tallies, key=lambda tally: -tally.resets))
