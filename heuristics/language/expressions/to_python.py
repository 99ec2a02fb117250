"""Typed tree -> a Python function of an observation.

The function is compiled from source that this module writes out of the typed tree, never from a rulebook's own text:
names and strings enter as `repr` literals, operators from closed sets. One compiled function is several times faster
than a tree of closures, and a batch run asks each rule about every reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from heuristics.language.expressions.tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    Integer,
    Known,
    Membership,
    Name,
    Negate,
    Node,
    Not,
    Or,
    String,
    named,
    required_names,
)
from heuristics.observables.vocabulary import Value

Test = Callable[[Mapping[str, Value]], bool]
Which = Callable[[Mapping[str, Value]], list[int]]

_BUILTINS: dict[str, object] = {"__builtins__": {}, "abs": abs, "min": min, "max": max}


def to_python(tree: Node) -> Test:
    """The condition `tree` as a function: whether it holds for an observation.

    An observable is missing when it is None or not in the mapping. Where one that is named outside `known()` is
    missing, the result is False whatever the rest says.
    """
    which = to_python_all([tree])
    return lambda observation: bool(which(observation))


def to_python_all(trees: Sequence[Node]) -> Which:
    """The conditions `trees` as one function: the indices of those that hold, in order.

    Each observable is looked up once, however many conditions name it.
    """
    read = [f" {_local(name)} = get({name!r})" for name in sorted(set().union(*map(named, trees)))]
    asked = [f" if {_guarded(tree)}: add({index})" for index, tree in enumerate(trees)]
    lines = ["def which(o):", " get, found = o.get, []", " add = found.append", *read, *asked, " return found"]
    space = dict(_BUILTINS)
    exec(compile("\n".join(lines), "<rules>", "exec"), space)
    return cast(Which, space["which"])


def _guarded(tree: Node) -> str:
    """Python source of the whole condition: nothing that it names may be missing."""
    return " and ".join([*map(_present, required_names(tree)), _source(tree)])


def _present(name: str) -> str:
    return f"{_local(name)} is not None"


def _local(name: str) -> str:
    """The variable that holds an observable; every name of a tree is one of the vocabulary's."""
    return f"o_{name}"


def _source(node: Node) -> str:
    """Python source of `node`, in brackets wherever a neighbour could matter."""
    match node:
        case Name():
            return _local(node.name)
        case Integer() | String():
            return f"({node.value!r})"
        case Known():
            return f"({_present(node.name)})"
        case Not():
            return f"(not {_source(node.operand)})"
        case And():
            return f"({' and '.join(map(_source, node.operands))})"
        case Or():
            return f"({' or '.join(map(_source, node.operands))})"
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
