"""The entries of a rulebook, with their conditions and sentences parsed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from heuristics.language.expressions import Definition, Node, Test, to_python
from heuristics.language.template import Template
from heuristics.observables.vocabulary import Type


@dataclass(frozen=True)
class Define:
    """A named condition or value. `source` is one text, or conditions of which one has to hold."""

    name: str
    source: str | tuple[str, ...]
    meaning: str
    unit: str
    definition: Definition = field(repr=False)

    @property
    def type(self) -> Type:
        """The type of its values."""
        return self.definition.tree.type


@dataclass(frozen=True)
class Statement:
    """A sentence, and the condition under which it is given. `when` is its text, as in `Define.source`."""

    id: str
    when: str | tuple[str, ...]
    condition: Node = field(repr=False)
    say: Template

    @cached_property
    def holds(self) -> Test:
        """Whether the condition holds for an observation (observable name -> value); compiled on first use."""
        return to_python(self.condition)

    def __getstate__(self) -> dict[str, Any]:
        """Without the compiled function, which cannot be sent to another process."""
        return {key: value for key, value in vars(self).items() if key != "holds"}


@dataclass(frozen=True)
class Rule(Statement):
    """One piece of evidence. `weight` in centi-nats: + for "in between", - for "endpoint"."""

    title: str
    weight: int
    reference: str
    origin: str | None = None  # "front-end": a reset that a device in front of the endpoint sends on its behalf
    enabled: bool = True
    was: tuple[str, ...] = ()  # ids that it had before


@dataclass(frozen=True)
class ExplanationCase:
    """One condition under which an explanation is possible, and its price there (centi-nats)."""

    when: str | tuple[str, ...]
    condition: Node = field(repr=False)
    price: int


@dataclass(frozen=True)
class Explanation:
    """A story that accounts for several signs at once.

    If `origin` is "middlebox" it is a forger's, and the signs for the endpoint that it explains do not count; otherwise
    it is an honest one, and the signs against the endpoint that it explains do not count. Its price says how rare the
    story is: the cheapest case that holds counts. `cause` is the cause of the reset where the verdict agrees.
    """

    id: str
    title: str
    origin: str
    explains: frozenset[str]
    cases: tuple[ExplanationCase, ...]
    say: Template
    reference: str
    cause: Template | None = None
    enabled: bool = True

    @property
    def accuses(self) -> bool:
        """Whether it is a forger's story."""
        return self.origin == "middlebox"

    def change(self, price: int, fired: Iterable[Rule]) -> int:
        """How much the score changes if this story is taken; 0 if the story gains nothing."""
        sign = 1 if self.accuses else -1
        explained = sum(rule.weight for rule in fired if rule.weight * sign < 0 and rule.id in self.explains)
        change = -explained - sign * price
        return change if change * sign > 0 else 0


@dataclass(frozen=True)
class CountedStatement(Statement):
    """A statement that summaries count. `title` is its short name there, `do` what a reader can do about it."""

    title: str = ""
    do: str = ""


@dataclass(frozen=True)
class Reason(CountedStatement):
    """Why a verdict is unclear; the first that holds is given."""


@dataclass(frozen=True)
class Cause(CountedStatement):
    """What may have made the sender reset; the first that holds is given. May name verdict and origin."""


@dataclass(frozen=True)
class Where(Statement):
    """Where a suspect reset came from, in words; the first that holds is given. May name verdict and origin."""


@dataclass(frozen=True)
class Device(Statement):
    """A known device or mechanism, and the form of its resets; the first that holds is given.

    `confidence` (percent) says how sure the name is. Devices follow the verdict and never change it.
    """

    confidence: int
    reference: str


@dataclass(frozen=True)
class Advice(Statement):
    """What to capture next, to be surer. All that hold are given. May name verdict and origin."""


@dataclass(frozen=True)
class IcmpEntry(Statement):
    """A judgement of ICMP and ICMPv6 errors; that of the first entry that holds is given.

    `verdict` and `origin` are values of scoring's Verdict and Origin, `suspicion` is 0-100, `device` names a known
    device whose form the error has.
    """

    verdict: str
    origin: str
    suspicion: int
    reference: str
    device: str | None = None
