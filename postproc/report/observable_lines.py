"""All observables of one reset or ICMP error: the value of each, and which entries of the rulebook read it."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from heuristics.language.expressions import named
from heuristics.language.template import time_text, value_text
from heuristics.observables.icmp_vocabulary import ICMP_BY_NAME
from heuristics.observables.observable import Observable
from heuristics.observables.vocabulary import BY_NAME, Value
from heuristics.rulebook.model import Rulebook

_WIDTH = 80
_INDENT = " " * 26


@dataclass(frozen=True, slots=True)
class ObservableLine:
    """One observable. `read_by` are the ids of the rules whose conditions read it, `fired` those of them that hold."""

    name: str
    value: Value
    unit: str
    meaning: str
    read_by: tuple[str, ...]
    fired: tuple[str, ...]


def reset_observables(
    observation: Mapping[str, Value], evidence: Sequence[str], rulebook: Rulebook
) -> tuple[ObservableLine, ...]:
    """Those of a reset. `evidence` are the ids of what fired."""
    readers = {rule.id: {*named(rule.condition)} for rule in rulebook.rules}
    for explanation in rulebook.explanations:
        readers[explanation.id] = {name for case in explanation.cases for name in named(case.condition)}
    return _lines(BY_NAME, observation, readers, evidence)


def icmp_observables(
    observation: Mapping[str, Value], evidence: Sequence[str], rulebook: Rulebook
) -> tuple[ObservableLine, ...]:
    """Those of an ICMP error."""
    readers = {entry.id: named(entry.condition) for entry in rulebook.icmp}
    return _lines(ICMP_BY_NAME, observation, readers, evidence)


def _lines(
    vocabulary: Mapping[str, Observable],
    observation: Mapping[str, Value],
    readers: Mapping[str, Collection[str]],
    evidence: Sequence[str],
) -> tuple[ObservableLine, ...]:
    lines = []
    for name, observable in vocabulary.items():
        read_by = tuple(id_ for id_, names in readers.items() if name in names)
        fired = tuple(id_ for id_ in read_by if id_ in evidence)
        value = observation.get(name)
        lines.append(ObservableLine(name, value, observable.unit, observable.meaning, read_by, fired))
    return tuple(lines)


def observables_text(lines: Sequence[ObservableLine]) -> str:
    """The lines for a terminal: name and value, below them the rules; a `*` marks those that hold."""
    return "\n".join(text for line in lines for text in _text(line))


def _text(line: ObservableLine) -> list[str]:
    rules = " ".join(f"*{id_}" if id_ in line.fired else id_ for id_ in line.read_by) or "-"
    wrapped = textwrap.wrap(rules, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return [f"{line.name:<25} {_value(line)}", *wrapped]


def _value(line: ObservableLine) -> str:
    if line.value is None:
        return "not known"
    if line.unit == "us" and isinstance(line.value, int):
        return f"{line.value} us ({time_text(line.value)})" if line.value >= 0 else f"{line.value} us"
    return f"{value_text(line.value)} {line.unit}".rstrip()
