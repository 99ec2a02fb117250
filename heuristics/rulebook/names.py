"""What the conditions and sentences of each table may name, with the definitions of a rulebook among it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from keyword import kwlist

from heuristics.errors import (
    CircularDefinitionError,
    ExpressionError,
    MalformedExpressionError,
    PlacedError,
    RefusedSyntaxError,
    UnknownObservableError,
    UnusableDefinitionError,
)
from heuristics.language.expressions import (
    Definition,
    Names,
    Node,
    named,
    parse,
    parse_any,
    parse_definition,
    unknown_names,
)
from heuristics.observables.icmp_vocabulary import ICMP_OBSERVABLES
from heuristics.observables.vocabulary import JUDGED, OBSERVABLES, OF_CASES, WITH_CASES

Source = str | Sequence[str]  # one text, or a list of conditions of which one has to hold

VOCABULARY = {observable.name: observable.type for observable in OBSERVABLES}
CONCLUDED = VOCABULARY | {observable.name: observable.type for observable in JUDGED}  # for what follows a verdict
ICMP = {observable.name: observable.type for observable in ICMP_OBSERVABLES}

# Words of the language, which no definition can have for a name.
RESERVED = frozenset(kwlist) | {"abs", "known", "max", "min"}

# How many definitions may need one another in a row.
MAX_CHAIN = 20


class Definitions(Mapping[str, Definition]):
    """The definitions of a rulebook, each parsed when it is first named: their order does not matter.

    Looking one up raises CircularDefinitionError where it needs itself, UnusableDefinitionError where it is wrong.
    """

    def __init__(self, sources: Mapping[str, Source | None], names: Callable[[Definitions], Names]) -> None:
        """`sources` by name; None where the source itself was refused. `names` gives what they may name."""
        self._sources = sources
        self._names = names(self)
        self._parsed: dict[str, Definition] = {}
        self._errors: dict[str, ExpressionError] = {}
        self._path: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, name: object) -> bool:
        return name in self._sources

    def __getitem__(self, name: str) -> Definition:
        if name in self._parsed:
            return self._parsed[name]
        if name in self._path:
            circle = [*self._path[self._path.index(name) :], name]
            raise CircularDefinitionError(1, f"this needs itself: {', '.join(circle)}")
        if name not in self._errors:
            self._parse(name)
        if name in self._errors:
            raise UnusableDefinitionError(1, f"'{name}' cannot be used")
        return self._parsed[name]

    def _parse(self, name: str) -> None:
        source = self._sources[name]
        self._path.append(name)
        try:
            if source is None:
                raise UnusableDefinitionError(1, f"'{name}' has no source")
            if len(self._path) > MAX_CHAIN:
                raise CircularDefinitionError(1, f"more than {MAX_CHAIN} definitions need one another in a row")
            self._parsed[name] = parse_definition(name, source, self._names)
        except ExpressionError as error:
            self._errors[name] = error
        except RecursionError:
            self._errors[name] = MalformedExpressionError(1, "nested too deeply")
        finally:
            self._path.pop()

    def all_errors(self) -> Mapping[str, ExpressionError]:
        """What is wrong with each definition that is wrong, by name."""
        for name in self._sources:
            if name not in self._parsed and name not in self._errors:
                self._parse(name)
        return self._errors


def parse_condition(source: Source, names: Names) -> Node:
    """The typed tree of a condition. Raises ExpressionError."""
    condition = parse(source, names) if isinstance(source, str) else parse_any(source, names)
    _refuse_mixture(condition)
    return condition


def all_unknown(error: PlacedError, source: Source, names: Names) -> list[PlacedError]:
    """The error of a condition; if it is about an unknown name, the errors about all unknown names of the condition."""
    if not isinstance(error, UnknownObservableError):
        return [error]
    found: dict[str, PlacedError] = {}
    for number, text in enumerate([source] if isinstance(source, str) else source, 1):
        for each in unknown_names(text, names):
            each.number = 0 if isinstance(source, str) else number
            found.setdefault(each.reason, each)
    return [*found.values()] or [error]


def _refuse_mixture(condition: Node) -> None:
    """Raises RefusedSyntaxError for a condition on what other captures show that reads more than is at hand then."""
    names = set(named(condition))
    others = names - OF_CASES - WITH_CASES
    if names & OF_CASES and others:
        raise RefusedSyntaxError(
            1, f"what other captures show cannot be asked for together with {', '.join(sorted(others))}"
        )
