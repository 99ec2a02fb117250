"""Typed tree -> the text of a Lua expression, the same on Lua 5.2 (numbers are doubles) and 5.4 (integers).

Brackets stand only where Lua's precedence needs them, so that the plugin reads like the rulebook. Only operators that
both versions have are used, and the parser has made sure that no value leaves the range in which doubles are exact.
"""

from __future__ import annotations

from enum import IntEnum

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
from heuristics.lua_text import lua_field, lua_string


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


def to_lua(tree: Node, table: str = "o") -> str:
    """The condition `tree` as a Lua expression that reads observables as fields of `table`; its value is a boolean.

    A missing observable is nil. Where one that is named outside `known()` is missing, the value is false whatever the
    rest says: a guard for each stands in front.
    """
    writer = _Writer(table)
    guards = tuple(writer.present(name) for name in required_names(tree))
    return writer.join("and", (*guards, writer.write(tree)))[0]


class _Writer:
    def __init__(self, table: str) -> None:
        self.table = table

    def present(self, name: str) -> _Piece:
        return f"{lua_field(self.table, name)} ~= nil", _Level.COMPARE

    def join(self, operator: str, pieces: tuple[_Piece, ...]) -> _Piece:
        if len(pieces) == 1:
            return pieces[0]
        level = _Level.AND if operator == "and" else _Level.OR
        return f" {operator} ".join(_bracket(piece, level) for piece in pieces), level

    def binary(self, left: _Piece, operator: str, right: _Piece, level: _Level) -> _Piece:
        return f"{_bracket(left, level)} {operator} {_bracket(right, _Level(level + 1))}", level

    def write(self, node: Node) -> _Piece:
        match node:
            case Name():
                return lua_field(self.table, node.name), _Level.ATOM
            case Integer():
                return str(node.value), _Level.ATOM if node.value >= 0 else _Level.UNARY
            case String():
                return lua_string(node.value), _Level.ATOM
            case Not(operand=Known(name=name)):
                return f"{lua_field(self.table, name)} == nil", _Level.COMPARE
            case Known():
                return self.present(node.name)
            case Not():
                return f"not {_bracket(self.write(node.operand), _Level.ATOM)}", _Level.UNARY
            case And():
                return self.join("and", tuple(map(self.write, node.operands)))
            case Or():
                return self.join("or", tuple(map(self.write, node.operands)))
            case Compare():
                return self.compare(node)
            case Membership():
                return self.membership(node)
            case Arithmetic():
                level = _Level.MULTIPLY if node.operator == "*" else _Level.ADD
                return self.binary(self.write(node.left), node.operator, self.write(node.right), level)
            case Negate():
                return f"-{_bracket(self.write(node.operand), _Level.ATOM)}", _Level.UNARY
            case Call():
                arguments = ", ".join(self.write(argument)[0] for argument in node.arguments)
                return f"math.{node.function}({arguments})", _Level.ATOM
        raise AssertionError(node)

    def compare(self, node: Compare) -> _Piece:
        """A chain as the `and` of its links: Lua has no chains. Operands have no effects, so twice is once."""
        pieces = tuple(map(self.write, node.operands))
        links = zip(pieces, node.operators, pieces[1:], strict=False)
        return self.join("and", tuple(self.binary(a, _operator(sign), b, _Level.COMPARE) for a, sign, b in links))

    def membership(self, node: Membership) -> _Piece:
        value = self.write(node.operand)
        sign, joint = ("~=", "and") if node.negated else ("==", "or")
        links = (self.binary(value, sign, self.write(choice), _Level.COMPARE) for choice in node.choices)
        return self.join(joint, tuple(links))


def _operator(sign: str) -> str:
    return "~=" if sign == "!=" else sign


def _bracket(piece: _Piece, least: _Level) -> str:
    text, level = piece
    return text if level >= least else f"({text})"
