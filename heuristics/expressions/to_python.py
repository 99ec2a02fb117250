"""Typed tree -> a Python function of an observation.

The function is compiled from source that this module writes out of the typed tree, never from a rulebook's own text:
names and strings enter as `repr` literals, operators from closed sets. One compiled function is several times faster
than a tree of closures, and a batch run asks each rule about every reset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from heuristics.expressions.tree import (
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
    required_names,
)
from heuristics.vocabulary import Value

Test = Callable[[Mapping[str, Value]], bool]

_BUILTINS = {"__builtins__": {}, "abs": abs, "min": min, "max": max}


def to_python(tree: Node) -> Test:
    """The condition `tree` as a function: whether it holds for an observation.

    An observable is missing when it is None or not in the mapping. Where one that is named outside `known()` is
    missing, the result is False whatever the rest says.
    """
    guards = [_present(name) for name in required_names(tree)]
    source = " and ".join([*guards, _source(tree)])
    return cast(Test, eval(compile(f"lambda o: {source}", "<rule>", "eval"), dict(_BUILTINS)))


def _present(name: str) -> str:
    return f"o.get({name!r}) is not None"


def _source(node: Node) -> str:
    """Python source of `node`, in brackets wherever a neighbour could matter."""
    match node:
        case Name():
            return f"o[{node.name!r}]"
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
