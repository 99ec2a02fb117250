"""The expression language: what it accepts, what it refuses and how, and that Python and Lua always agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.expression_texts import cases_of, conditions, numbers, observations, observations_of, parses
from support.lua_interpreters import LUAS, VOCABULARY, Observation, agree, needs_lua, run_lua

from heuristics.errors import (
    ExpressionError,
    ExpressionMagnitudeError,
    ExpressionTypeError,
    MalformedExpressionError,
    RefusedSyntaxError,
    UnknownObservableError,
)
from heuristics.language.expressions import (
    MAX_EXACT,
    MAX_OBSERVABLE,
    Names,
    can_hold,
    named,
    parse,
    parse_any,
    required_names,
    to_lua,
    to_python,
    to_python_all,
    to_python_first,
)
from heuristics.language.expressions.tree import And, Compare, Integer, Membership, Name
from heuristics.language.template import parse_template
from heuristics.observables.vocabulary import Type, Value

# What is accepted.


def test_a_condition_becomes_a_typed_tree() -> None:
    tree = parse("a >= 0x10 and s in {'x'}", VOCABULARY)
    assert isinstance(tree, And)
    assert tree.operands[0] == Compare((Name("a", Type.INT), Integer(16)), (">=",))
    assert isinstance(tree.operands[1], Membership)
    assert tree.type is Type.BOOL


@pytest.mark.parametrize(
    ("source", "lua"),
    [
        ("a >= 2", "o.a ~= nil and o.a >= 2"),
        ("p", "o.p ~= nil and o.p"),
        ("known(a)", "o.a ~= nil"),
        ("not known(a) or p", "o.p ~= nil and (o.a == nil or o.p)"),
        ("1 < a <= 5", "o.a ~= nil and 1 < o.a and o.a <= 5"),
        ("s != 'x'", 'o.s ~= nil and o.s ~= "x"'),
        ("s in ('x', 'y')", 'o.s ~= nil and (o.s == "x" or o.s == "y")'),
        ("a not in [1, -2]", "o.a ~= nil and o.a ~= 1 and o.a ~= -2"),
        ("a - (b - -1) * 2 > 0", "o.a ~= nil and o.b ~= nil and o.a - (o.b - -1) * 2 > 0"),
        ("-(-a) == min(a, abs(b))", "o.a ~= nil and o.b ~= nil and -(-o.a) == math.min(o.a, math.abs(o.b))"),
        ("end > 0", 'o["end"] ~= nil and o["end"] > 0'),
    ],
)
def test_lua_reads_like_the_rule(source: str, lua: str) -> None:
    assert to_lua(parse(source, VOCABULARY)) == lua


def test_a_missing_observable_makes_the_whole_condition_false() -> None:
    tree = parse("a >= 2 or p", VOCABULARY)
    assert required_names(tree) == ("a", "p")
    assert to_python(tree)({"a": 3, "p": False})
    assert not to_python(tree)({"a": 3})
    assert not to_python(tree)({"a": 3, "p": None})


def test_known_asks_without_requiring() -> None:
    holds = to_python(parse("not known(a) and not p", VOCABULARY))
    assert required_names(parse("known(a) or known(b)", VOCABULARY)) == ()
    assert holds({"p": False})
    assert not holds({"p": False, "a": 0})


def test_a_line_break_is_a_space() -> None:
    assert parse("\n  a >= 2\n  and s == 'x # y'\n", VOCABULARY) == parse("a >= 2 and s == 'x # y'", VOCABULARY)


def test_a_list_holds_where_one_of_it_holds_and_only_that_one_needs_its_observables() -> None:
    tree = parse_any(["a >= 2 and p", "s == 'x'"], VOCABULARY)
    assert (named(tree), required_names(tree)) == (("a", "p", "s"), ())
    assert to_lua(tree) == 'o.a ~= nil and o.p ~= nil and o.a >= 2 and o.p or o.s ~= nil and o.s == "x"'
    holds = to_python(tree)
    assert holds({"a": 2, "p": True})
    assert holds({"s": "x"})
    assert not holds({"a": 2, "s": "y"})


def test_an_error_says_which_text_of_a_list_is_wrong() -> None:
    with pytest.raises(UnknownObservableError) as raised:
        parse_any(["p", "q and\n x > 1"], VOCABULARY)
    assert (raised.value.number, raised.value.place("q and\n x > 1")) == (2, "line 2, column 2")


def test_a_condition_that_needs_what_is_never_there_cannot_hold() -> None:
    absent = frozenset({"a"})
    assert not can_hold(parse("a > 1 or p", VOCABULARY), absent)
    assert can_hold(parse("not known(a) and p", VOCABULARY), absent)
    assert can_hold(parse_any(["a > 1", "p"], VOCABULARY), absent)
    assert not can_hold(parse_any(["a > 1", "p and a > 2"], VOCABULARY), absent)


# What is refused, and the column and reason given (no column where it is Python's parser that names it).


@pytest.mark.parametrize(
    ("source", "error", "column", "reason"),
    [
        ("", MalformedExpressionError, 1, "empty"),
        ("   ", MalformedExpressionError, 1, "empty"),
        ("a >", MalformedExpressionError, None, "not an expression"),
        ("  a > (", MalformedExpressionError, None, "not an expression"),
        ("a = 1", MalformedExpressionError, None, "not an expression"),
        ("p; p", MalformedExpressionError, None, "not an expression"),
        ("a >\t1", MalformedExpressionError, 4, "printable ASCII"),
        ("\n a >\n  x", UnknownObservableError, 9, "unknown observable 'x'"),
        ("p # q\nand q", MalformedExpressionError, 3, "a comment cannot stand"),
        ("p # \u202e", MalformedExpressionError, 5, "printable ASCII"),
        ("s == 'caf\xe9'", MalformedExpressionError, 10, "printable ASCII"),
        (r"s == '\n'", RefusedSyntaxError, 6, "printable ASCII"),
        (r"s == '\d'", MalformedExpressionError, None, "invalid escape"),
        ("p or " * 400 + "p", MalformedExpressionError, 2001, "longer than"),
        ("(" * 500 + "p" + ")" * 500, MalformedExpressionError, None, "nested"),
        ("not " * 60 + "p", MalformedExpressionError, 201, "nested deeper"),
        ("-" * 1500 + "a > 1", MalformedExpressionError, None, "nested"),
        ("a in {" + "1," * 300 + "}", MalformedExpressionError, None, "more than"),
        ("d > 1", UnknownObservableError, 1, "unknown observable 'd'"),
        ("p and known(d)", UnknownObservableError, 13, "unknown observable 'd'"),
        ("abs > 1", UnknownObservableError, 1, "unknown observable 'abs'"),
        ("a", ExpressionTypeError, 1, "a condition is needed here, and this is a number"),
        ("s", ExpressionTypeError, 1, "a condition is needed here, and this is text"),
        ("p and a", ExpressionTypeError, 7, "a condition is needed"),
        ("not s", ExpressionTypeError, 5, "a condition is needed"),
        ("a + p > 1", ExpressionTypeError, 5, "a number is needed here, and this is a condition"),
        ("a > 's'", ExpressionTypeError, 5, "a number is compared with text"),
        ("s in {1}", ExpressionTypeError, 7, "text is compared with a number"),
        ("s < 'x'", ExpressionTypeError, 1, "text has no order"),
        ("p == q", ExpressionTypeError, 1, "a condition cannot be compared"),
        ("p in {1}", ExpressionTypeError, 1, "a condition cannot be compared"),
        ("a == p", ExpressionTypeError, 6, "a condition cannot be compared"),
        ("p == True", RefusedSyntaxError, 6, "True is not needed"),
        ("a > 1.5", RefusedSyntaxError, 5, "only whole numbers and text are allowed, not 1.5"),
        ("s == b'x'", RefusedSyntaxError, 6, "only whole numbers and text"),
        ("a is None", RefusedSyntaxError, 6, "'is' is not allowed"),
        ("a / 2 > 1", RefusedSyntaxError, 1, "division"),
        ("a // 2 > 1", RefusedSyntaxError, 1, "division"),
        ("a ** 2 > 1", RefusedSyntaxError, 1, "not allowed in a rule: a ** 2"),
        ("a & 1 == 1", RefusedSyntaxError, 1, "not allowed in a rule: a & 1"),
        ("+a > 1", RefusedSyntaxError, 1, "not allowed in a rule: +a"),
        ("s.upper() == 'X'", RefusedSyntaxError, 1, "no such function: s.upper"),
        ("a.real > 1", RefusedSyntaxError, 1, "not allowed in a rule: a.real"),
        ("s[0] == 'x'", RefusedSyntaxError, 1, "not allowed in a rule"),
        ("f'{a}' == 'x'", RefusedSyntaxError, 1, "not allowed in a rule"),
        ("p if q else p", RefusedSyntaxError, 1, "not allowed in a rule"),
        ("(x := p)", RefusedSyntaxError, 2, "not allowed in a rule"),
        ("lambda: p", RefusedSyntaxError, 1, "not allowed in a rule"),
        ("any(x for x in [p])", RefusedSyntaxError, 1, "no such function: any"),
        ("max(a) > 1", RefusedSyntaxError, 1, "max takes two or more"),
        ("abs(a, b) > 1", RefusedSyntaxError, 1, "abs takes one"),
        ("max(a, key=b) > 1", RefusedSyntaxError, 1, "plain arguments"),
        ("max(*a) > 1", RefusedSyntaxError, 1, "plain arguments"),
        ("known(a + 1)", RefusedSyntaxError, 1, "known takes the name"),
        ("known()", RefusedSyntaxError, 1, "known takes the name"),
        ("a in {}", RefusedSyntaxError, 6, "a set of values"),
        ("a in ()", RefusedSyntaxError, 6, "a set of values"),
        ("a in b", RefusedSyntaxError, 6, "a set of values"),
        ("s in 'xyz'", RefusedSyntaxError, 6, "a set of values"),
        ("a in {1, b}", RefusedSyntaxError, 10, "only literal values"),
        ("{1} == a", RefusedSyntaxError, 1, "a set may only stand right"),
        ("1 < a in {2}", RefusedSyntaxError, 10, "comparison chain"),
        (f"a < {MAX_EXACT + 1}", ExpressionMagnitudeError, 5, "2^53"),
        ("a * b > 1", ExpressionMagnitudeError, 1, "2^53"),
        ("p and abs(a * 8192) + b > 1", ExpressionMagnitudeError, 7, "2^53"),
    ],
)
def test_what_is_refused(source: str, error: type[ExpressionError], column: int | None, reason: str) -> None:
    with pytest.raises(error) as raised:
        parse(source, VOCABULARY)
    assert reason in raised.value.reason
    assert column in (None, raised.value.column)


def test_an_unknown_name_gets_the_nearest_as_a_hint() -> None:
    with pytest.raises(UnknownObservableError, match=r"unknown observable 'hop_gpa' \(did you mean 'hop_gap'\?\)"):
        parse("hop_gpa > 1", Names({"hop_gap": Type.INT, "window": Type.INT}))


def test_numbers_up_to_the_last_exact_one_are_allowed() -> None:
    assert to_python(parse(f"a * 8192 == {MAX_EXACT}", VOCABULARY))({"a": MAX_OBSERVABLE})


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_any_textparses_or_is_refused_with_a_column(source: str) -> None:
    column = 1
    try:
        parse(source, VOCABULARY)
    except ExpressionError as error:
        column = error.column
    assert 1 <= column <= len(source) + 1


# Both targets agree.


@needs_lua
@given(cases=cases_of)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_python_and_lua_agree_on_every_condition(
    tmp_path_factory: pytest.TempPathFactory, cases: list[tuple[str, Observation]]
) -> None:
    agree(cases, tmp_path_factory.mktemp("lua"))


@given(st.lists(conditions.filter(parses), min_size=1, max_size=10), observations)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_conditions_asked_together_hold_as_each_alone(sources: list[str], observation: dict[str, Value]) -> None:
    trees = [parse(source, VOCABULARY) for source in sources]
    together = to_python_all(trees)(observation)
    assert together == [index for index, tree in enumerate(trees) if to_python(tree)(observation)]


@given(st.lists(conditions.filter(parses), min_size=1, max_size=10), observations)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_first_that_holds_is_the_first_of_those_that_hold(sources: list[str], observation: Observation) -> None:
    trees = [parse(source, VOCABULARY) for source in sources]
    which = to_python_all(trees)(observation)
    assert to_python_first(trees)(observation) == (which[0] if which else None)


@needs_lua
def test_the_largest_conditions_still_compile_in_both(tmp_path: Path) -> None:
    everything: Observation = {"a": 1, "b": 2, "c": 3, "p": True, "q": False, "s": "x", "t": "y"}
    largest = [
        "not " * 48 + "p",
        "(" * 190 + "p" + ")" * 190,
        "a in {" + ", ".join(map(str, range(195))) + "}",
        "max(" + ", ".join(["a"] * 190) + ") == 1",
        "max(a, " * 45 + "b" + ")" * 45 + " == 2",
        "a - (" * 45 + "b" + ")" * 45 + " == 2",
        " or ".join(["p"] * 190),
        "(p and (q or " * 20 + "p" + "))" * 20,
        "(not (" * 20 + "p" + "))" * 20,
        "+".join(["a"] * 40) + " == 40",
    ]
    agree([(source, everything) for source in largest], tmp_path)


@needs_lua
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map(
            lambda text: text.replace("{", "{{").replace("}", "}}")
        ),
        min_size=1,
        max_size=5,
    ),
    observation=observations_of(numbers),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_python_and_lua_render_the_same_explanation(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], observation: Observation
) -> None:
    folder = tmp_path_factory.mktemp("lua")
    names = ["{a}", "{s}", "{p}", "{q}", "{t}"]
    template = parse_template("".join(text + name for text, name in zip(texts, names, strict=False)), VOCABULARY)
    for lua in LUAS:
        assert run_lua(lua, [(template.to_lua(), observation)], folder) == [template.render(observation)]
