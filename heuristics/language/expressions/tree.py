"""The typed tree of a `when` expression: what a condition is, knowing nothing of its source text or its targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from heuristics.observables.vocabulary import Type

CompareOperator = Literal["==", "!=", "<", "<=", ">", ">="]
ArithmeticOperator = Literal["+", "-", "*"]
Function = Literal["abs", "min", "max"]


@dataclass(frozen=True, slots=True)
class Name:
    """The value of an observable. `always` says that it is never missing."""

    name: str
    type: Type
    always: bool = False


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
    """Whether an observable is there at all."""

    type: ClassVar[Type] = Type.BOOL
    name: str


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


Node = Name | Integer | String | Known | Not | And | Or | Compare | Membership | Arithmetic | Negate | Call


def children(node: Node) -> tuple[Node, ...]:
    """The parts of `node`, in source order."""
    match node:
        case And() | Or() | Compare():
            return node.operands
        case Not() | Negate():
            return (node.operand,)
        case Membership():
            return (node.operand, *node.choices)
        case Arithmetic():
            return (node.left, node.right)
        case Call():
            return node.arguments
        case Name() | Integer() | String() | Known():
            return ()


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in source order."""
    yield node
    for child in children(node):
        yield from walk(child)


def named(node: Node) -> tuple[str, ...]:
    """Every observable that `node` asks for, also in `known()`, each once, in order."""
    return tuple(dict.fromkeys(part.name for part in walk(node) if isinstance(part, Name | Known)))


def required_names(node: Node) -> tuple[str, ...]:
    """The observables that must be present for `node` to hold: those named outside `known()`, each once, in order.

    Where one of them is missing the whole expression is false, whichever branch names it. Both targets put this guard
    in front, so that "missing" never depends on the order of evaluation.
    """
    names = (part.name for part in walk(node) if isinstance(part, Name) and not part.always)
    return tuple(dict.fromkeys(names))


def magnitude(node: Node, observable: int) -> int:
    """The largest absolute value the integer expression `node` can take when no observable exceeds `observable`."""
    match node:
        case Integer():
            return abs(node.value)
        case Arithmetic(operator="*"):
            return magnitude(node.left, observable) * magnitude(node.right, observable)
        case Arithmetic():
            return magnitude(node.left, observable) + magnitude(node.right, observable)
        case Negate() | Call():
            return max(magnitude(part, observable) for part in children(node))
        case _:
            return observable
