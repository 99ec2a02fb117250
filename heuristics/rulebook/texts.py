"""The conditions, definitions and sentences of a rulebook: parsed once all its files are merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heuristics.errors import (
    ExpressionError,
    PlacedError,
    Problem,
    UnknownObservableError,
    UnknownPlaceholderError,
    nearest,
)
from heuristics.errors import UnusableDefinitionError as _Unusable
from heuristics.language.expressions import Names, Node
from heuristics.language.expressions.parser import TYPE_NAMES
from heuristics.language.template import Template, parse_template
from heuristics.observables.icmp_vocabulary import ICMP_ALWAYS
from heuristics.observables.vocabulary import ALWAYS, Type
from heuristics.rulebook.names import (
    CONCLUDED,
    ICMP,
    RESERVED,
    VOCABULARY,
    Definitions,
    Source,
    all_unknown,
    parse_condition,
)
from heuristics.rulebook.overlay import Layers
from heuristics.rulebook.reader import problem_of
from heuristics.rulebook.schema import ENTRIES
from heuristics.rulebook.thresholds import THRESHOLDS

_THRESHOLD_NAMES = [threshold.name for threshold in THRESHOLDS]
_ARTICLES = {"rule": "a rule", "explanation": "an explanation"}


class Texts:
    """What the texts of `layers` say: `conditions` and `sentences` by table and id, definitions by table.

    `problems` has what is wrong with them. Where a file could not be read (`partial`), a name that means nothing may be
    defined there, so it is no problem.
    """

    def __init__(self, layers: Layers, *, partial: bool) -> None:
        self.problems: list[Problem] = []
        self.conditions: dict[tuple[str, str], Node] = {}
        self.sentences: dict[tuple[str, str], Template] = {}
        self._layers = layers
        self._partial = partial
        given = layers.tables["thresholds"]
        self._thresholds = {name: given.get(name, 1) for name in _THRESHOLD_NAMES}
        self.definitions = self._define("define", VOCABULARY, ALWAYS, taken=CONCLUDED)
        self.icmp_definitions = self._define("icmp_define", ICMP, ICMP_ALWAYS, taken=ICMP)
        self.cases: dict[str, list[Node]] = {}
        for table in ENTRIES:
            self._parse_entries(table)
        for id_ in layers.entries["explanation"]:
            self._parse_explanation(id_)

    def _define(
        self, table: str, observables: Mapping[str, Type], always: frozenset[str], taken: Mapping[str, Type]
    ) -> Definitions:
        """The definitions of `table`; none may have the name of one of `taken`."""

        def names(found: Definitions) -> Names:
            return Names(observables, always, self._thresholds, found)

        sources: dict[str, Source | None] = {
            name: entry.get("is") for name, entry in self._layers.entries[table].items()
        }
        before = Definitions({**sources, **self._layers.replaced[table]}, names)
        changed = self._refuse_changed_types(table, before, Definitions(sources, names))
        found = Definitions({**sources, **dict.fromkeys(changed)}, names)
        for name, error in found.all_errors().items():
            source = sources[name]
            for each in [error] if source is None else all_unknown(error, source, names(found)):
                self._report(table, name, "is", each)
        self._refuse_taken_names(table, taken)
        return found

    def _refuse_taken_names(self, table: str, observables: Mapping[str, Type]) -> None:
        for name in self._layers.entries[table]:
            meanings = ((observables, "an observable"), (_THRESHOLD_NAMES, "a threshold"), (RESERVED, "the language"))
            for taken, meaning in meanings:
                if name in taken:
                    reason = (
                        f"'{name}' is a word of {meaning}" if taken is RESERVED else f"'{name}' is {meaning} already"
                    )
                    file = self._layers.file(table, name)
                    self.problems.append(problem_of(file, table, name, "", reason, "choose another name"))

    def _refuse_changed_types(self, table: str, before: Definitions, after: Definitions) -> list[str]:
        """The definitions whose type a later layer changes: what names them expects the type of the first layer."""
        changed = []
        for name in self._layers.replaced[table]:
            try:
                was, now = before[name].tree.type, after[name].tree.type
            except ExpressionError:  # reported with the others
                continue
            if was is not now:
                changed.append(name)
                file = self._layers.file(table, name, "is")
                reason = f"{TYPE_NAMES[was]} is needed here, and this is {TYPE_NAMES[now]}"
                self.problems.append(problem_of(file, table, name, "is", reason, "definitions keep their types"))
        return changed

    def _names(self, table: str) -> tuple[Names, Names]:
        """What the conditions of `table` may name, and what its sentences may."""
        if table == "icmp":
            names = Names(ICMP, ICMP_ALWAYS, self._thresholds, self.icmp_definitions)
            return names, names
        names = Names(VOCABULARY, ALWAYS, self._thresholds, self.definitions)
        concluded = Names(CONCLUDED, ALWAYS, self._thresholds, self.definitions)
        if table == "advice":
            return concluded, concluded
        return (names if table in ("rule", "explanation", "reason") else concluded), names

    def _parse_entries(self, table: str) -> None:
        for_conditions, for_sentences = self._names(table)
        for id_, entry in self._layers.entries[table].items():
            if "when" in entry:
                try:
                    self.conditions[table, id_] = parse_condition(entry["when"], for_conditions)
                except PlacedError as error:
                    for each in all_unknown(error, entry["when"], for_conditions):
                        self._report(table, id_, "when", each)
            if "say" in entry:
                try:
                    self.sentences[table, id_] = parse_template(entry["say"], for_sentences)
                except PlacedError as error:
                    self._report(table, id_, "say", error)

    def _parse_explanation(self, id_: str) -> None:
        """Check the cases, the cause, and the ids of the rules that it explains."""
        entry = self._layers.entries["explanation"][id_]
        names, _ = self._names("rule")
        self.cases[id_] = []
        for number, case in enumerate(entry.get("cases", ()), 1):
            try:
                self.cases[id_].append(parse_condition(case["when"], names))
            except PlacedError as error:
                for each in all_unknown(error, case["when"], names):
                    self._report("explanation", id_, "cases", each, case["when"], f"case {number}, when")
        if "cause" in entry:
            try:
                self.sentences["explanation cause", id_] = parse_template(entry["cause"], names)
            except PlacedError as error:
                self._report("explanation", id_, "cause", error)
        rules = self._layers.entries["rule"]
        for explained in entry.get("explains", ()):
            if self._layers.rule_id(explained) is None and not self._partial:
                file = self._layers.file("explanation", id_, f"explains {explained}")
                reason = f"there is no rule '{explained}'"
                hint = nearest(explained, rules)
                self.problems.append(problem_of(file, "explanation", id_, "explains", reason, hint))
        rule = self._layers.rule_id(id_)
        if rule is not None:
            (older, _), (newer, name) = self._layers.oldest_first(("rule", rule), ("explanation", id_))
            file, reason = self._layers.file(newer, name), f"'{id_}' is {_ARTICLES[older]} already"
            self.problems.append(problem_of(file, newer, name, "id", reason, "choose another id"))

    def _report(
        self, table: str, id_: str, key: str, error: PlacedError, text: Source | None = None, where: str = ""
    ) -> None:
        """Add the problem that `error` is, unless it only follows from another one.

        `text` is what it is about (default: the value of `key`), `where` what the message calls that (default: `key`).
        """
        unknown = isinstance(error, UnknownObservableError | UnknownPlaceholderError)
        if isinstance(error, _Unusable) or (self._partial and unknown):
            return
        given: Any = text or self._layers.entries[table][id_][key]
        number = f"text {error.number}, " if error.number else ""
        place = error.place(given[error.number - 1] if error.number else given)
        file = self._layers.file(table, id_, key)
        self.problems.append(problem_of(file, table, id_, f"{where or key}, {number}{place}", error.reason, error.hint))
