"""Source text of an expression -> typed tree, or an error that names the column and the reason.

The syntax is a small, closed subset of Python's: names, integers, strings, comparison chains, `and`/`or`/`not`,
`+ - *`, `abs`/`min`/`max`, `in`/`not in` a literal set, and `known(x)`. A line break counts as a space. Python's own
parser reads it; everything else that it can read is refused here, so nothing of a rulebook ever runs that this module
does not know.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import TypeVar

from heuristics.errors import (
    CircularDefinitionError,
    ExpressionError,
    ExpressionMagnitudeError,
    ExpressionTypeError,
    MalformedExpressionError,
    RefusedSyntaxError,
    UnknownObservableError,
    nearest,
)
from heuristics.language.expressions.names import Names
from heuristics.language.expressions.tree import (
    And,
    Arithmetic,
    ArithmeticOperator,
    Call,
    Compare,
    CompareOperator,
    Definition,
    Either,
    Function,
    Integer,
    Known,
    Membership,
    Negate,
    Node,
    Not,
    Or,
    Reference,
    String,
    define,
    magnitude,
)
from heuristics.observables.vocabulary import Type

MAX_LENGTH = 2000  # characters; generous for one condition
MAX_NODES = 200  # below the 250 registers of a Lua function, so the Lua target always compiles
MAX_DEPTH = 50  # two nested levels of Lua per level here, and Lua refuses 200
MAX_EXCERPT = 40  # characters of the source that a message repeats
MAX_OBSERVABLE = 2**40  # every integer observable lies within it: microseconds of 12 days, any 32-bit field
MAX_EXACT = 2**53  # Lua 5.2 numbers are doubles; integers beyond are no longer exact

_COMPARE: dict[type[ast.cmpop], CompareOperator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_FUNCTIONS: dict[str, Function] = {"abs": "abs", "min": "min", "max": "max"}
_Numeric = TypeVar("_Numeric", Integer, Arithmetic)
TYPE_NAMES = {Type.INT: "a number", Type.STR: "text", Type.BOOL: "a condition"}


# A string literal, whole, or the sign that begins a comment.
_COMMENT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(#)""")


def parse(source: str, names: Names) -> Node:
    """The typed tree of the condition `source`.

    Raises a subclass of ExpressionError for anything that is not such a condition. Its column counts line breaks too.
    """
    reader, body = _read_text(source, names)
    return reader.condition(body, 1)


def unknown_names(source: str, names: Names) -> list[UnknownObservableError]:
    """The errors about every unknown name in an expression, each name once; none where Python cannot read it."""
    try:
        reader, body = _read_text(source, names)
    except MalformedExpressionError:
        return []
    functions = {id(node.func) for node in ast.walk(body) if isinstance(node, ast.Call)}
    read = [node for node in ast.walk(body) if isinstance(node, ast.Name) and id(node) not in functions]
    found: dict[str, UnknownObservableError] = {}
    for node in sorted(read, key=lambda node: node.col_offset):
        try:
            reader.reference(node, node.id)
        except UnknownObservableError as error:
            found.setdefault(node.id, error)
        except ExpressionError:  # a definition with an error of its own
            continue
    return [*found.values()]


def parse_any(sources: Sequence[str], names: Names) -> Node:
    """The typed tree of a list of conditions of which one has to hold. Raises as `parse` does, for the first at fault.

    An error's `number` says which of `sources` is at fault, counted from 1.
    """
    conditions = []
    for number, source in enumerate(sources, 1):
        try:
            conditions.append(parse(source, names))
        except ExpressionError as error:
            error.number = number
            raise
    return Either(tuple(conditions))


def parse_definition(name: str, source: str | Sequence[str], names: Names) -> Definition:
    """The definition of `name` by a condition, a number or a text, or by a list of conditions. Raises as `parse`."""
    if not isinstance(source, str):
        return define(name, parse_any(source, names), MAX_OBSERVABLE)
    reader, body = _read_text(source, names)
    return define(name, reader.read(body, 1), MAX_OBSERVABLE)


def _read_text(source: str, names: Names) -> tuple[_Reader, ast.expr]:
    """Python's tree of `source`, and what turns it into ours."""
    _check_text(source)
    text = source.replace("\n", " ").lstrip(" ")
    reader = _Reader(text, names, len(source) - len(text) + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, such as '\d', is an error here
            return reader, ast.parse(text, mode="eval").body
    except SyntaxError as error:
        column = max(error.offset or 1, 1) + reader.offset - 1
        raise MalformedExpressionError(min(column, len(source) + 1), f"not an expression: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError, Warning):
        raise MalformedExpressionError(1, "nested too deeply") from None


def _check_text(source: str) -> None:
    if not source.strip(" \n"):
        raise MalformedExpressionError(1, "the expression is empty")
    if len(source) > MAX_LENGTH:
        raise MalformedExpressionError(MAX_LENGTH + 1, f"longer than {MAX_LENGTH} characters")
    if source.isascii() and source.isprintable():  # nearly always, and much quicker
        return
    for column, character in enumerate(source, 1):
        if not " " <= character <= "~" and character != "\n":
            raise MalformedExpressionError(column, f"{character!a} is not a printable ASCII character")
    for match in _COMMENT.finditer(source):
        if match[1]:  # it would hide the lines after it
            reason = "a comment cannot stand in a condition of several lines"
            raise MalformedExpressionError(match.start() + 1, reason, "write it above the key")


class _Reader:
    """Turns Python's untyped tree into ours, refusing what is not in the subset."""

    def __init__(self, text: str, names: Names, offset: int) -> None:
        self.text = text
        self.names = names
        self.offset = offset
        self.nodes = 0

    def column(self, node: ast.expr) -> int:
        return node.col_offset + self.offset

    def excerpt(self, node: ast.expr) -> str:
        text = self.text[node.col_offset : node.end_col_offset]
        return text if len(text) <= MAX_EXCERPT else text[: MAX_EXCERPT - 3] + "..."

    def refused(self, node: ast.expr, reason: str, hint: str = "") -> RefusedSyntaxError:
        return RefusedSyntaxError(self.column(node), reason, hint)

    def count(self, node: ast.expr, depth: int) -> None:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise MalformedExpressionError(self.column(node), f"nested deeper than {MAX_DEPTH} levels")
        if self.nodes > MAX_NODES:
            raise MalformedExpressionError(self.column(node), f"more than {MAX_NODES} names, values and operators")

    def condition(self, node: ast.expr, depth: int) -> Node:
        return self.typed(node, Type.BOOL, depth)

    def integer(self, node: ast.expr, depth: int) -> Node:
        return self.typed(node, Type.INT, depth)

    def typed(self, node: ast.expr, expected: Type, depth: int) -> Node:
        tree = self.read(node, depth)
        if tree.type is not expected:
            reason = f"{TYPE_NAMES[expected]} is needed here, and this is {TYPE_NAMES[tree.type]}"
            raise ExpressionTypeError(self.column(node), reason)
        return tree

    def read(self, node: ast.expr, depth: int) -> Node:
        self.count(node, depth)
        match node:
            case ast.Constant():
                return self.literal(node)
            case ast.Name(id=name):
                return self.reference(node, name)
            case ast.BoolOp():
                operands = tuple(self.condition(value, depth + 1) for value in node.values)
                return And(operands) if isinstance(node.op, ast.And) else Or(operands)
            case ast.UnaryOp(op=ast.Not()):
                return Not(self.condition(node.operand, depth + 1))
            case ast.UnaryOp(op=ast.USub()):
                return Negate(self.integer(node.operand, depth + 1))
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                return self.arithmetic(node, depth)
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
                raise self.refused(node, "division is not allowed", "multiply the other side")
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                return self.membership(node, depth)
            case ast.Compare():
                return self.compare(node, depth)
            case ast.Call():
                return self.call(node, depth)
            case ast.Set() | ast.Tuple() | ast.List():
                raise self.refused(node, "a set may only stand right of 'in' or 'not in'")
            case _:
                raise self.refused(node, f"this syntax is not allowed in a rule: {self.excerpt(node)}")

    def reference(self, node: ast.expr, name: str) -> Reference:
        try:
            found = self.names.find(name)
        except CircularDefinitionError as error:
            raise CircularDefinitionError(self.column(node), error.reason) from None
        if found is None:
            hint = nearest(name, self.names)
            raise UnknownObservableError(self.column(node), f"unknown observable '{self.excerpt(node)}'", hint)
        return found

    def literal(self, node: ast.Constant) -> Integer | String:
        value = node.value
        if isinstance(value, bool):
            raise self.refused(node, f"{value} is not needed", "write 'fin_before' or 'not fin_before'")
        if isinstance(value, int):
            return self.exact(node, Integer(value))
        if isinstance(value, str):
            if not all(" " <= character <= "~" for character in value):
                raise self.refused(node, "text in a rule must be printable ASCII characters")
            return String(value)
        raise self.refused(node, f"only whole numbers and text are allowed, not {self.excerpt(node)}")

    def exact(self, node: ast.expr, tree: _Numeric) -> _Numeric:
        if magnitude(tree, MAX_OBSERVABLE) > MAX_EXACT:
            reason = "this may exceed 2^53, beyond which Lua numbers are not exact"
            raise ExpressionMagnitudeError(self.column(node), reason, "an observable counts as 2^40")
        return tree

    def arithmetic(self, node: ast.BinOp, depth: int) -> Arithmetic:
        left, right = self.integer(node.left, depth + 1), self.integer(node.right, depth + 1)
        return self.exact(node, Arithmetic(_ARITHMETIC[type(node.op)], left, right))

    def compare(self, node: ast.Compare, depth: int) -> Compare:
        sources = (node.left, *node.comparators)
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                raise self.refused(right, "'in' cannot be part of a comparison chain", "join the two with 'and'")
            if type(operator) not in _COMPARE:
                raise self.refused(right, "'is' is not allowed", "write == or known(...)")
        operands = tuple(self.read(source, depth + 1) for source in sources)
        for source, operand in zip(sources, operands, strict=True):
            self.check_operand(source, operand, operands[0])
        operators = tuple(_COMPARE[type(operator)] for operator in node.ops)
        if operands[0].type is Type.STR and not set(operators) <= {"==", "!="}:
            raise ExpressionTypeError(self.column(node), "text has no order", "only ==, != and in compare text")
        return Compare(operands, operators)

    def check_operand(self, source: ast.expr, operand: Node, first: Node) -> None:
        if operand.type is Type.BOOL:
            hint = "write 'fin_before' or 'not fin_before'"
            raise ExpressionTypeError(self.column(source), "a condition cannot be compared", hint)
        if operand.type is not first.type:
            reason = f"{TYPE_NAMES[first.type]} is compared with {TYPE_NAMES[operand.type]}"
            raise ExpressionTypeError(self.column(source), reason)

    def membership(self, node: ast.Compare, depth: int) -> Membership:
        operand, (container,) = self.read(node.left, depth + 1), node.comparators
        self.check_operand(node.left, operand, operand)
        if not isinstance(container, ast.Set | ast.Tuple | ast.List) or not container.elts:
            raise self.refused(container, "right of 'in' must stand a set of values", "such as {1, 2} or {'a', 'b'}")
        choices = [self.choice(element, depth + 1) for element in container.elts]
        for element, choice in zip(container.elts, choices, strict=True):
            self.check_operand(element, choice, operand)
        negated = isinstance(node.ops[0], ast.NotIn)
        if operand.type is Type.INT:
            return Membership(operand, tuple(c for c in choices if isinstance(c, Integer)), negated)
        return Membership(operand, tuple(c for c in choices if isinstance(c, String)), negated)

    def choice(self, node: ast.expr, depth: int) -> Integer | String:
        tree = self.read(node, depth)
        match tree:
            case Integer() | String():
                return tree
            case Negate(operand=Integer(value=value)):
                return Integer(-value)
            case _:
                raise self.refused(node, "only literal values may stand in a set")

    def call(self, node: ast.Call, depth: int) -> Call | Known:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refused(node, "only plain arguments are allowed in a call")
        if name == "known":
            return self.known(node)
        if name not in _FUNCTIONS:
            raise self.refused(
                node, f"no such function: {self.excerpt(node.func)}", "there are abs, min, max and known"
            )
        if (len(node.args) != 1) if name == "abs" else (len(node.args) < 2):
            raise self.refused(node, "abs takes one value" if name == "abs" else f"{name} takes two or more values")
        return Call(_FUNCTIONS[name], tuple(self.integer(argument, depth + 1) for argument in node.args))

    def known(self, node: ast.Call) -> Known:
        match node.args:
            case [ast.Name(id=name) as argument]:
                return Known(self.reference(argument, name))
            case _:
                raise self.refused(node, "known takes the name of one observable")
