"""What an expression may name: observables, thresholds and definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from heuristics.language.expressions.tree import Defined, Definition, Name, Reference, Threshold
from heuristics.observables.vocabulary import Type


@dataclass(frozen=True, slots=True)
class Names:
    """Names by their meaning; an observable goes before a threshold, a threshold before a definition.

    `observables` have types, those in `always` are never missing; `thresholds` have values. Looking up one of
    `definitions` may raise CircularDefinitionError or UnusableDefinitionError.
    """

    observables: Mapping[str, Type]
    always: frozenset[str] = frozenset()
    thresholds: Mapping[str, int] = field(default_factory=dict)
    definitions: Mapping[str, Definition] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        yield from self.observables
        yield from self.thresholds
        yield from self.definitions

    def find(self, name: str) -> Reference | None:
        """What `name` means, None where it means nothing."""
        if name in self.observables:
            return Name(name, self.observables[name], name in self.always)
        if name in self.thresholds:
            return Threshold(name, self.thresholds[name])
        return Defined(self.definitions[name]) if name in self.definitions else None
