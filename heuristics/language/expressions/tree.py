"""The typed tree of an expression: what a condition or a value is. It knows neither source text nor targets."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import ClassVar, Literal

from heuristics.observables.vocabulary import Type

CompareOperator = Literal["==", "!=", "<", "<=", ">", ">="]
ArithmeticOperator = Literal["+", "-", "*"]
Function = Literal["abs", "min", "max"]

MAX_THRESHOLD = 2**31 - 1  # of the numbers in [thresholds]


@dataclass(frozen=True, slots=True)
class Name:
    """The value of an observable. `always` says that it is never missing."""

    name: str
    type: Type
    always: bool = False


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number of the rulebook's [thresholds]. The plugin reads it at run time: a preference may change it."""

    type: ClassVar[Type] = Type.INT
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Defined:
    """The value of a definition."""

    definition: Definition

    @property
    def name(self) -> str:
        """What the rulebook calls it."""
        return self.definition.name

    @property
    def type(self) -> Type:
        """The type of its expression."""
        return self.definition.tree.type


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer literal."""

    type: ClassVar[Type] = Type.INT
    value: int


@dataclass(frozen=True, slots=True)
class String:
    """A string literal of printable ASCII characters."""

    type: ClassVar[Type] = Type.STR
    value: str


@dataclass(frozen=True, slots=True)
class Known:
    """Whether the value of a name is there at all."""

    type: ClassVar[Type] = Type.BOOL
    subject: Reference


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    type: ClassVar[Type] = Type.BOOL
    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions."""

    type: ClassVar[Type] = Type.BOOL
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more conditions."""

    type: ClassVar[Type] = Type.BOOL
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of one or more conditions. What is missing counts within its own condition only: this is never missing."""

    type: ClassVar[Type] = Type.BOOL
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain `a < b <= c`: n + 1 operands of one type and the n operators between them."""

    type: ClassVar[Type] = Type.BOOL
    operands: tuple[Node, ...]
    operators: tuple[CompareOperator, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a value is (or, negated, is not) among literals of its type."""

    type: ClassVar[Type] = Type.BOOL
    operand: Node
    choices: tuple[Integer, ...] | tuple[String, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum, difference or product of two integers."""

    type: ClassVar[Type] = Type.INT
    operator: ArithmeticOperator
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Negate:
    """An integer with its sign turned."""

    type: ClassVar[Type] = Type.INT
    operand: Node


@dataclass(frozen=True, slots=True)
class Call:
    """`abs` of one integer, `min` or `max` of two or more."""

    type: ClassVar[Type] = Type.INT
    function: Function
    arguments: tuple[Node, ...]


Reference = Name | Threshold | Defined
Node = (
    Reference | Integer | String | Known | Not | And | Or | Either | Compare | Membership | Arithmetic | Negate | Call
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A named expression of the rulebook. Made by `define`.

    It is missing where an observable that its expression names outside `known()` is missing; `always`: it never is.
    `largest` is the largest absolute value that an integer can take. `observables` are those that it reads, also by
    way of `definitions`, which are the definitions that it names, each after those that it needs itself.
    """

    name: str
    tree: Node
    always: bool
    largest: int
    observables: tuple[str, ...]
    definitions: tuple[Definition, ...]

    @property
    def literal(self) -> Integer | String | None:
        """The value where it is the same for every reset; nothing has to be computed then."""
        return self.tree if isinstance(self.tree, Integer | String) else None


def define(name: str, tree: Node, largest_observable: int) -> Definition:
    """A definition of `tree`, where no observable exceeds `largest_observable`."""
    if isinstance(tree, Negate) and isinstance(tree.operand, Integer):
        tree = Integer(-tree.operand.value)
    return Definition(
        name=name,
        tree=tree,
        always=not required(tree),
        largest=magnitude(tree, largest_observable),
        observables=named(tree),
        definitions=definitions_in(tree),
    )


def children(node: Node) -> tuple[Node, ...]:
    """The parts of `node`, in source order."""
    match node:
        case And() | Or() | Either() | Compare():
            return node.operands
        case Not() | Negate():
            return (node.operand,)
        case Known():
            return (node.subject,)
        case Membership():
            return (node.operand, *node.choices)
        case Arithmetic():
            return (node.left, node.right)
        case Call():
            return node.arguments
        case Name() | Threshold() | Defined() | Integer() | String():
            return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in source order. What a definition says is not below its name."""
    yield node
    for child in children(node):
        yield from walk(child)


def named(node: Node) -> tuple[str, ...]:
    """Every observable that `node` reads, also in `known()` and by way of definitions, each once, in order."""
    found: dict[str, None] = {}
    for part in walk(node):
        match part:
            case Name():
                found[part.name] = None
            case Defined():
                found.update(dict.fromkeys(part.definition.observables))
    return tuple(found)


def definitions_in(node: Node) -> tuple[Definition, ...]:
    """Every definition that `node` names, also by way of others, each once and after those that it needs."""
    found: dict[str, Definition] = {}
    for part in walk(node):
        if isinstance(part, Defined):
            found.update({below.name: below for below in (*part.definition.definitions, part.definition)})
    return tuple(found.values())


def required(node: Node) -> tuple[Name | Defined, ...]:
    """What must be present for `node` to have a value: the names outside `known()`, each once, in order.

    Where one of them is missing, the whole expression is, whichever branch names it; a condition is then false. Both
    targets put this guard in front, so that "missing" never depends on the order of evaluation.
    """
    return tuple({part.name: part for part in _required(node)}.values())


def _required(node: Node) -> Iterator[Name | Defined]:
    match node:
        case Name(always=False):
            yield node
        case Defined(definition=Definition(always=False)):
            yield node
        case Known() | Either():
            return
        case _:
            for child in children(node):
                yield from _required(child)


def required_names(node: Node) -> tuple[str, ...]:
    """The observables that must be present for `node` to have a value, also by way of definitions, in order."""
    found: dict[str, None] = {}
    for part in required(node):
        names = (part.name,) if isinstance(part, Name) else required_names(part.definition.tree)
        found.update(dict.fromkeys(names))
    return tuple(found)


def can_hold(condition: Node, absent: Set[str]) -> bool:
    """Whether `condition` may hold where the observables `absent` are always missing."""
    if isinstance(condition, Either):
        return any(can_hold(operand, absent) for operand in condition.operands)
    return absent.isdisjoint(required_names(condition))


def magnitude(node: Node, observable: int) -> int:
    """The largest absolute value the integer expression `node` can take when no observable exceeds `observable`."""
    match node:
        case Integer():
            return abs(node.value)
        case Threshold():
            return MAX_THRESHOLD
        case Defined():
            return node.definition.largest
        case Arithmetic(operator="*"):
            return magnitude(node.left, observable) * magnitude(node.right, observable)
        case Arithmetic():
            return magnitude(node.left, observable) + magnitude(node.right, observable)
        case Negate() | Call():
            return max(magnitude(part, observable) for part in children(node))
        case _:
            return observable
