"""Definitions: a named expression has the value of the expression, in Python as in Lua."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.expression_texts import conditions, integer_terms, observations, parses
from support.lua_interpreters import LUAS, STRS, VOCABULARY, Observation, needs_lua, run_lua

from heuristics.errors import (
    ExpressionMagnitudeError,
    UnusableDefinitionError,
)
from heuristics.language.expressions import (
    Names,
    can_hold,
    named,
    parse,
    parse_any,
    to_lua,
    to_lua_definition,
    to_python,
    to_python_value,
)
from heuristics.language.template import parse_template
from heuristics.observables.vocabulary import Type
from heuristics.rulebook.names import Definitions, Source

# Definitions.


def with_definitions(sources: Mapping[str, Source]) -> Names:
    """The test vocabulary with these definitions and one threshold."""
    thresholds = {"limit": 3}
    return replace(
        VOCABULARY,
        thresholds=thresholds,
        definitions=Definitions(sources, lambda found: replace(VOCABULARY, thresholds=thresholds, definitions=found)),
    )


def test_a_definition_has_a_value_of_its_own_type() -> None:
    names = with_definitions({"gap": "a - b", "wide": "gap > limit", "kind": "s", "most": "-40"})
    assert [names.definitions[name].tree.type for name in names.definitions] == [
        Type.INT,
        Type.BOOL,
        Type.STR,
        Type.INT,
    ]
    condition = parse("wide and kind == 'x' and gap != most", names)
    assert named(condition) == ("a", "b", "s")
    holds = to_python(condition)
    assert holds({"a": 9, "b": 2, "s": "x"})
    assert not holds({"a": 9, "b": 49, "s": "x"})
    assert to_python_value(names.definitions["gap"])({"a": 9, "b": 2}) == 7
    assert to_python_value(names.definitions["gap"])({"a": 9}) is None
    assert to_lua(parse("wide and gap != most and a < limit", names)) == (
        "o.wide ~= nil and o.gap ~= nil and o.a ~= nil and o.wide and o.gap ~= -40 and o.a < THRESHOLDS.limit"
    )
    assert to_lua_definition(names.definitions["wide"]) == ("o.wide", "o.gap ~= nil", "o.gap > THRESHOLDS.limit")


def test_a_definition_that_names_something_missing_is_missing_and_a_list_never_is() -> None:
    names = with_definitions({"near": "a < 2", "either": ["a < 2", "p"]})
    assert to_python(parse("known(near)", names))({"a": 5})
    assert not to_python(parse("known(near)", names))({"p": True})
    assert not to_python(parse("not near", names))({"p": True})
    assert to_python(parse("not either", names))({"s": "x"})
    assert to_python(parse("either", names))({"p": True})


def test_a_condition_on_a_definition_that_is_never_there_cannot_hold() -> None:
    absent = frozenset({"a"})
    names = with_definitions({"far": "a > 1"})
    assert not can_hold(parse("p and far", names), absent)
    assert can_hold(parse("p and not known(far)", names), absent)


def test_a_number_counts_as_large_as_its_definition_can_be() -> None:
    names = with_definitions({"tenths": "7", "square": "c * tenths", "large": "a * 4096"})
    parse("a * tenths < b * 10", names)
    with pytest.raises(ExpressionMagnitudeError):
        parse("large * 4 > 1", names)
    with pytest.raises(ExpressionMagnitudeError):
        parse("a * limit > 1", names)


@pytest.mark.parametrize(
    ("sources", "name", "reason"),
    [
        ({"x": "x > 1"}, "x", "this needs itself: x, x"),
        ({"x": "y > 1", "y": "z + 1", "z": "a + known_x", "known_x": "b - y"}, "known_x", "itself: y, z, known_x, y"),
        ({"x": "p and a"}, "x", "a condition is needed here"),
        ({"x": ["p", "a"]}, "x", "a condition is needed here"),
        ({f"x{n}": f"x{n + 1} + 1" for n in range(30)} | {"x30": "a"}, "x20", "more than 20 definitions"),
    ],
)
def test_a_definition_at_fault_is_named_once(sources: dict[str, Source], name: str, reason: str) -> None:
    definitions = with_definitions(sources).definitions
    assert isinstance(definitions, Definitions)
    errors = definitions.all_errors()
    told = {wrong: error for wrong, error in errors.items() if not isinstance(error, UnusableDefinitionError)}
    assert list(told) == [name]
    assert reason in told[name].reason


# A definition by a condition, a number, a text, or a list of conditions.
definition_sources: st.SearchStrategy[Source] = st.one_of(
    conditions.filter(parses),
    integer_terms,
    st.sampled_from(STRS),
    st.lists(conditions.filter(parses), min_size=1, max_size=3).map(tuple),
)
# With `x` for a definition of any type, and `limit` for a threshold.
OVER_DEFINITION = {
    Type.BOOL: ["x", "not x", "x and p", "x or not x or a > limit", "known(x)", "not known(x) or q"],
    Type.INT: ["x > limit", "x * 0 == 0 and p", "abs(x) >= min(x, 3)", "known(x)", "not known(x) and x == 1"],
    Type.STR: ["x == 'x'", "x != s", "x in {'x', 'later'}", "known(x)"],
}


@needs_lua
@given(data=st.data(), source=definition_sources, observation=observations)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_python_and_lua_agree_on_definitions(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, source: Source, observation: Observation
) -> None:
    folder = tmp_path_factory.mktemp("lua")
    first = with_definitions({"y": source})
    try:
        first.definitions["y"]
    except UnusableDefinitionError:  # too large a number
        return
    names = with_definitions({"y": source, "x": "y", "unused": "a + 1"})
    kind = names.definitions["x"].tree.type
    texts = data.draw(st.lists(st.sampled_from(OVER_DEFINITION[kind]), min_size=1, max_size=3))
    try:
        tree = parse_any(texts, names) if len(texts) > 1 else parse(texts[0], names)
    except ExpressionMagnitudeError:
        return
    held = to_python(tree)(observation)
    said = parse_template("{x} {limit}", names)
    for lua in LUAS:
        results = run_lua(
            lua, [(to_lua(tree), observation), (said.to_lua(), observation)], folder, [tree, *said.subjects]
        )
        assert results == [str(held).lower(), said.render(observation)]


@given(source=conditions.filter(parses), observation=observations)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_naming_a_definition_is_writing_its_condition(source: str, observation: Observation) -> None:
    names = with_definitions({"x": source})
    for by_name, written_out in (
        ("x", source),
        ("not x and p", f"not ({source}) and p"),
        ("x or q", f"({source}) or q"),
    ):
        assert to_python(parse(by_name, names))(observation) == to_python(parse(written_out, VOCABULARY))(observation)
