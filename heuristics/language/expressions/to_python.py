"""Typed tree -> a Python function of an observation.

The function is compiled from source that this module writes out of the typed tree, never from a rulebook's own text:
names and strings enter as `repr` literals, operators from closed sets. One compiled function is several times faster
than a tree of closures, and a batch run tests each rule on every reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from heuristics.language.expressions.tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    Defined,
    Definition,
    Either,
    Integer,
    Known,
    Membership,
    Name,
    Negate,
    Node,
    Not,
    Or,
    Reference,
    String,
    Threshold,
    required,
    walk,
)
from heuristics.observables.vocabulary import Value

Test = Callable[[Mapping[str, Value]], bool]
Which = Callable[[Mapping[str, Value]], list[int]]
First = Callable[[Mapping[str, Value]], int | None]
Evaluate = Callable[[Mapping[str, Value]], Value]

_BUILTINS: dict[str, object] = {"__builtins__": {}, "abs": abs, "min": min, "max": max}


def to_python(tree: Node) -> Test:
    """The condition `tree` as a function: whether it holds for an observation.

    An observable is missing when it is None or not in the mapping. Where one that is named outside `known()` is
    missing, the result is False whatever the rest says.
    """
    body = _Body()
    body.need(tree)
    body.lines.append(f"return {_guarded(tree)}")
    return cast(Test, body.function())


def to_python_all(trees: Sequence[Node]) -> Which:
    """The conditions `trees` as one function: the indices of those that hold, in order.

    Each observable is looked up once and each definition computed once, however many conditions name it.
    """
    body = _Body()
    body.lines += ["found = []", "add = found.append"]
    for index, tree in enumerate(trees):
        body.need(tree)
        body.lines.append(f"if {_guarded(tree)}: add({index})")
    body.lines.append("return found")
    return cast(Which, body.function())


def to_python_first(trees: Sequence[Node]) -> First:
    """The conditions `trees` as one function: the index of the first that holds, None where none does.

    What only the later ones need is not computed.
    """
    body = _Body()
    for index, tree in enumerate(trees):
        body.need(tree)
        body.lines.append(f"if {_guarded(tree)}: return {index}")
    body.lines.append("return None")
    return cast(First, body.function())


def to_python_value(definition: Definition) -> Evaluate:
    """The value of `definition` as a function of an observation; None where it is missing."""
    body = _Body()
    tree = Defined(definition)
    body.need(tree)
    body.lines.append(f"return {_source(tree)}")
    return cast(Evaluate, body.function())


class _Body:
    """The lines of a function. What a condition needs is computed just before it, in variables that others share."""

    def __init__(self) -> None:
        self.lines = ["get = o.get"]
        self.variables: set[str] = set()

    def need(self, tree: Node) -> None:
        """Add the lines that compute what `tree` names."""
        for part in walk(tree):
            if isinstance(part, Name | Defined) and _variable(part) not in self.variables:
                self.compute(part)

    def compute(self, subject: Name | Defined) -> None:
        if isinstance(subject, Defined):
            if subject.definition.literal:
                return
            self.need(subject.definition.tree)
        value = f"get({subject.name!r})" if isinstance(subject, Name) else _value(subject.definition.tree)
        self.lines.append(f"{_variable(subject)} = {value}")
        self.variables.add(_variable(subject))

    def function(self) -> object:
        space = dict(_BUILTINS)
        exec(compile("\n ".join(["def run(o):", *self.lines]), "<rules>", "exec"), space)
        return space["run"]


def _guarded(tree: Node) -> str:
    """Python source of the whole condition: nothing that it names may be missing."""
    return " and ".join([*map(_present, required(tree)), _source(tree)])


def _value(tree: Node) -> str:
    """Python source of the value of `tree`, None where something that it names is missing."""
    guards = " and ".join(map(_present, required(tree)))
    return f"{_source(tree)} if {guards} else None" if guards else _source(tree)


def _present(subject: Reference) -> str:
    """Python source of whether the value of a name is there."""
    if isinstance(subject, Threshold) or (isinstance(subject, Defined) and subject.definition.literal):
        return "True"
    return f"{_variable(subject)} is not None"


def _variable(subject: Reference) -> str:
    """The variable that holds an observable or the value of a definition; names are identifiers of our own kind."""
    return f"o_{subject.name}" if isinstance(subject, Name) else f"d_{subject.name}"


def _source(node: Node) -> str:
    """Python source of `node`, in brackets wherever a neighbour could matter."""
    match node:
        case Defined(definition=Definition(literal=Integer() | String() as literal)):
            return _source(literal)
        case Name() | Defined():
            return _variable(node)
        case Threshold() | Integer() | String():
            return f"({node.value!r})"
        case Known():
            return f"({_present(node.subject)})"
        case Not():
            return f"(not {_source(node.operand)})"
        case And():
            return f"({' and '.join(map(_source, node.operands))})"
        case Or():
            return f"({' or '.join(map(_source, node.operands))})"
        case Either():
            return f"({' or '.join(f'({_guarded(operand)})' for operand in node.operands)})"
        case Compare(operands=(first, *rest)):
            links = (f" {operator} {_source(part)}" for operator, part in zip(node.operators, rest, strict=True))
            return f"({_source(first)}{''.join(links)})"
        case Membership():
            choices = ", ".join(repr(choice.value) for choice in node.choices)
            return f"({_source(node.operand)} {'not in' if node.negated else 'in'} {{{choices}}})"
        case Arithmetic():
            return f"({_source(node.left)} {node.operator} {_source(node.right)})"
        case Negate():
            return f"(-{_source(node.operand)})"
        case Call():
            return f"{node.function}({', '.join(map(_source, node.arguments))})"
    raise AssertionError(node)
