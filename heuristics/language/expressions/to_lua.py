"""Typed tree -> the text of a Lua expression, the same on Lua 5.2 (numbers are doubles) and 5.4 (integers).

Brackets stand only where Lua's precedence needs them, so that the plugin reads like the rulebook. Only operators that
both versions have are used, and the parser has made sure that no value leaves the range in which doubles are exact.
"""

from __future__ import annotations

from enum import IntEnum

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
)
from heuristics.language.lua_text import OBSERVATION, THRESHOLDS, lua_field, lua_string


class _Level(IntEnum):
    """How tightly a piece of Lua binds (Lua 5.4 reference manual, section 3.4.8)."""

    OR = 1
    AND = 2
    COMPARE = 3
    ADD = 4
    MULTIPLY = 5
    UNARY = 6
    ATOM = 7


_Piece = tuple[str, _Level]


def to_lua(tree: Node) -> str:
    """The condition `tree` as a Lua expression that reads observables as fields of `o`; its value is a boolean.

    A missing observable is nil. Where one that is named outside `known()` is missing, the value is false whatever the
    rest says: a guard for each stands in front. Definitions are fields of `o` too: `to_lua_definition` comes before.
    """
    return _guarded(tree)[0]


def to_lua_definition(definition: Definition) -> tuple[str, str, str]:
    """A field of `o`, the Lua condition under which it has a value (empty: always), and the Lua expression of it."""
    guards = _join("and", tuple(map(_present, required(definition.tree))))[0] if not definition.always else ""
    return lua_field(OBSERVATION, definition.name), guards, _write(definition.tree)[0]


def lua_reference(subject: Reference) -> str:
    """Lua source of the value of a name."""
    return _write(subject)[0]


def _guarded(tree: Node) -> _Piece:
    return _join("and", (*map(_present, required(tree)), _write(tree)))


def _present(subject: Reference) -> _Piece:
    if isinstance(subject, Threshold) or (isinstance(subject, Defined) and subject.definition.literal):
        return "true", _Level.ATOM
    return f"{lua_field(OBSERVATION, subject.name)} ~= nil", _Level.COMPARE


def _join(operator: str, pieces: tuple[_Piece, ...]) -> _Piece:
    if len(pieces) == 1:
        return pieces[0]
    level = _Level.AND if operator == "and" else _Level.OR
    return f" {operator} ".join(_bracket(piece, level) for piece in pieces), level


def _binary(left: _Piece, operator: str, right: _Piece, level: _Level) -> _Piece:
    return f"{_bracket(left, level)} {operator} {_bracket(right, _Level(level + 1))}", level


def _write(node: Node) -> _Piece:
    match node:
        case Defined(definition=Definition(literal=Integer() | String() as literal)):
            return _write(literal)
        case Name() | Defined():
            return lua_field(OBSERVATION, node.name), _Level.ATOM
        case Threshold():
            return lua_field(THRESHOLDS, node.name), _Level.ATOM
        case Integer():
            return str(node.value), _Level.ATOM if node.value >= 0 else _Level.UNARY
        case String():
            return lua_string(node.value), _Level.ATOM
        case Not(operand=Known(subject=Name() as subject)):
            return f"{lua_field(OBSERVATION, subject.name)} == nil", _Level.COMPARE
        case Known():
            return _present(node.subject)
        case Not():
            return f"not {_bracket(_write(node.operand), _Level.ATOM)}", _Level.UNARY
        case And():
            return _join("and", tuple(map(_write, node.operands)))
        case Or():
            return _join("or", tuple(map(_write, node.operands)))
        case Either():
            return _join("or", tuple(map(_guarded, node.operands)))
        case Compare():
            return _compare(node)
        case Membership():
            return _membership(node)
        case Arithmetic():
            level = _Level.MULTIPLY if node.operator == "*" else _Level.ADD
            return _binary(_write(node.left), node.operator, _write(node.right), level)
        case Negate():
            return f"-{_bracket(_write(node.operand), _Level.ATOM)}", _Level.UNARY
        case Call():
            arguments = ", ".join(_write(argument)[0] for argument in node.arguments)
            return f"math.{node.function}({arguments})", _Level.ATOM
    raise AssertionError(node)


def _compare(node: Compare) -> _Piece:
    """A chain as the `and` of its links: Lua has no chains. Operands have no effects, so twice is once."""
    pieces = tuple(map(_write, node.operands))
    links = zip(pieces, node.operators, pieces[1:], strict=False)
    return _join("and", tuple(_binary(a, _operator(sign), b, _Level.COMPARE) for a, sign, b in links))


def _membership(node: Membership) -> _Piece:
    value = _write(node.operand)
    sign, joint = ("~=", "and") if node.negated else ("==", "or")
    links = (_binary(value, sign, _write(choice), _Level.COMPARE) for choice in node.choices)
    return _join(joint, tuple(links))


def _operator(sign: str) -> str:
    return "~=" if sign == "!=" else sign


def _bracket(piece: _Piece, least: _Level) -> str:
    text, level = piece
    return text if level >= least else f"({text})"
