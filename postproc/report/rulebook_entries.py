"""Finds the entry of the rulebook that a sentence in a row is of, so that rows which say the same can be counted.

Rows hold sentences with the values of one reset in them. Both engines give them, and so do results that were stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heuristics.language.template import Template
from heuristics.presumed_sender import MEASURED
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.statements import Cause, Reason

_STATED = "stated_cause"  # the observable: why the sender says that it reset


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry: its id, its short name in summaries, and what a reader can do about it (empty: nothing is known).

    `states`: its sentence says what the sender itself states, so that the sentence says more than the short name.
    """

    id: str
    title: str
    do: str = ""
    states: bool = False


class RulebookEntries:
    """The entries of the causes, reasons and places in rows. Each text is looked up once."""

    def __init__(self, rulebook: Rulebook) -> None:
        of_explanations = [(each.cause, Entry(each.id, each.title)) for each in rulebook.explanations if each.cause]
        self._causes = _Lookup([*((each.say, _entry(each)) for each in rulebook.causes), *of_explanations])
        self._reasons = _Lookup((each.say, _entry(each)) for each in rulebook.reasons)
        self._wheres = _Lookup((each.say, Entry(each.id, each.id)) for each in rulebook.wheres)

    def cause(self, text: str | None) -> Entry | None:
        """The entry of a cause; None where there is no cause."""
        return self._causes.find(text) if text else None

    def reason(self, text: str) -> Entry:
        """The entry of the reason of an unclear verdict."""
        return self._reasons.find(text)

    def measures(self, where: str | None) -> bool:
        """Whether the hop limit says how far away a suspect reset was sent from. `where` is the column of that name."""
        return where is not None and self._wheres.find(where).id == MEASURED


class _Lookup:
    def __init__(self, entries: Iterable[tuple[Template, Entry]]) -> None:
        self._entries = tuple(entries)
        self._found: dict[str, Entry] = {}

    def find(self, text: str) -> Entry:
        """The first entry that `text` fits; an entry of its own where none does."""
        if text not in self._found:
            fitting = (entry for template, entry in self._entries if template.fits(text))
            self._found[text] = next(fitting, Entry("", text))
        return self._found[text]


def _entry(statement: Cause | Reason) -> Entry:
    title = statement.title or statement.id.replace("_", " ")
    return Entry(statement.id, title, statement.do, any(each.name == _STATED for each in statement.say.subjects))
