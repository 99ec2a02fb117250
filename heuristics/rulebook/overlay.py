"""Layers of rulebook files -> one whole: what each file changes, and what the whole lacks.

A layer is a file or a folder of files. Messages name the file that gave the key at fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from heuristics.errors import Problem, nearest
from heuristics.rulebook.reader import problem_of
from heuristics.rulebook.schema import ENTRIES, NAMED_TABLES, SINGLE_TABLES, RulebookFile

_REQUIRED = {
    "define": ("is", "meaning"),
    "icmp_define": ("is", "meaning"),
    "rule": ("title", "when", "weight", "say", "reference"),
    "explanation": ("title", "origin", "explains", "cases", "say", "reference"),
    "reason": ("when", "say"),
    "cause": ("when", "say"),
    "where": ("when", "say"),
    "device": ("when", "say", "confidence", "reference"),
    "icmp": ("when", "verdict", "origin", "suspicion", "say", "reference"),
    "advice": ("when", "say"),
}
_VERDICT_ORDER = ("genuine", "likely_genuine", "prior", "likely_forged", "forged")

Entry = dict[str, Any]


class Layers:
    """Layers of rulebook files, one on the other.

    `tables` and `entries` hold the keys by table, and `entries` by id or name too. `replaced` has the first source of
    every definition that a later layer gives another, by table and name.
    """

    def __init__(self) -> None:
        self.tables: dict[str, Entry] = {table: {} for table in SINGLE_TABLES}
        self.entries: dict[str, dict[str, Entry]] = {table: {} for table in _REQUIRED}
        self.replaced: dict[str, dict[str, Any]] = {table: {} for table in NAMED_TABLES}
        self._current: dict[str, str] = {}  # old ids of rules -> their ids
        self._files: dict[tuple[str, str, str], str] = {}  # by table, id and key; key "": the first to name the entry
        self._base = ""

    def add(self, files: Iterable[tuple[str, RulebookFile]]) -> list[Problem]:
        """Put the files of one layer, with their names, on top. Returns entries that two of them have."""
        inherited = {table: list(entries) for table, entries in self.entries.items()}
        given: dict[tuple[str, str], str] = {}
        problems = []
        for file, content in files:
            self._base = self._base or file
            for table in self.tables:
                values = getattr(content, table).given()
                other = given.setdefault((table, ""), file) if values else file
                if other != file:
                    hint = "keep it in one file of a folder"
                    problems.append(Problem(file, "", f"[{table}]", f"stands in {other} too", hint))
                self._merge_table(file, table, values)
            for table, id_, entry in _entries_of(content):
                other = given.setdefault((table, id_), file)
                if other != file:
                    problems.append(problem_of(file, table, id_, "", f"stands in {other} too", "give each its own id"))
                self._merge_entry(file, table, id_, entry)
        for table, ids in inherited.items():
            # Of most others the first that holds counts, so the new ones of a layer come first.
            if table not in ("rule", "explanation"):
                merged = self.entries[table]
                new = {id_: entry for id_, entry in merged.items() if id_ not in ids}
                self.entries[table] = {**new, **{id_: merged[id_] for id_ in ids}}
        return problems + self._name_old_ids()

    def _merge_table(self, file: str, table: str, given: Entry) -> None:
        self.tables[table].update(given)
        for key in ("", *given) if given else ():
            self._files[table, "", key] = file

    def _merge_entry(self, file: str, table: str, given_id: str, given: Entry) -> None:
        id_ = self._current.get(given_id, given_id) if table == "rule" else given_id
        entry = self.entries[table].setdefault(id_, {})
        if "is" in entry and "is" in given:
            self.replaced[table].setdefault(id_, entry["is"])
        entry.update({**given, "id": id_} if "id" in given else given)
        also = entry.pop("also_explains", [])
        if also:
            entry["explains"] = [*entry.get("explains", ()), *also]
        self._files.setdefault((table, id_, ""), file)
        for key in (*given, *(f"explains {rule}" for rule in (*given.get("explains", ()), *also))):
            self._files[table, id_, key] = file

    def _name_old_ids(self) -> list[Problem]:
        """Read the keys `was` anew. Returns those that name a rule which exists."""
        rules, problems = self.entries["rule"], []
        self._current = {}
        for id_, rule in rules.items():
            for old in rule.get("was", ()):
                if old in rules or old in self._current:
                    reason = f"'{old}' names rule '{old if old in rules else self._current[old]}'"
                    problems.append(Problem(self.file("rule", id_, "was"), id_, "was", reason))
                self._current.setdefault(old, id_)
        return problems

    def rule_id(self, id_: str) -> str | None:
        """The current id of the rule that is or was called `id_`; None where there is none."""
        return id_ if id_ in self.entries["rule"] else self._current.get(id_)

    def file(self, table: str, id_: str = "", key: str = "") -> str:
        """The file that gave this key last, or first named this entry."""
        return self._files.get((table, id_, key)) or self._files.get((table, id_, ""), self._base)

    def oldest_first(self, *entries: tuple[str, str]) -> list[tuple[str, str]]:
        """Entries (table and id) in the order in which files first named them."""
        order = [*self._files]
        return sorted(entries, key=lambda entry: order.index((*entry, "")))

    def problems(self) -> list[Problem]:
        """What is missing or contradictory when all layers lie on one another."""
        found = self._missing_keys() + [problem for table in _REQUIRED for problem in self._incomplete_entries(table)]
        return found or self._verdict_order()

    def _missing_keys(self) -> list[Problem]:
        return [
            Problem(self.file(name), "", f"[{name}] {key}", "is missing")
            for name, table in SINGLE_TABLES.items()
            for key in table.model_fields
            if key not in self.tables[name]
        ]

    def _incomplete_entries(self, table: str) -> list[Problem]:
        complete: list[str] = []
        problems = []
        for id_, entry in self.entries[table].items():
            missing = [key for key in _REQUIRED[table] if key not in entry]
            if not missing:
                complete.append(id_)
                continue
            reason = f"a new {table} needs {', '.join(missing)} too"
            problems.append(problem_of(self.file(table, id_), table, id_, "", reason, nearest(id_, complete)))
        return problems

    def _verdict_order(self) -> list[Problem]:
        limits = self.tables["verdict"]
        for low, high in pairwise(_VERDICT_ORDER):
            if limits[low] >= limits[high]:
                reason = f"{low} ({limits[low]}) must be below {high} ({limits[high]})"
                return [Problem(self.file("verdict"), "", "[verdict]", reason, " < ".join(_VERDICT_ORDER))]
        return []


def _entries_of(content: RulebookFile) -> Iterable[tuple[str, str, Entry]]:
    """Table, id or name, and the keys given, of every entry of a file."""
    for table in NAMED_TABLES:
        for name, entry in getattr(content, table).items():
            yield table, name, entry.given()
    for table in ENTRIES:
        for entry in getattr(content, table):
            given = entry.given()
            yield table, given["id"], given
