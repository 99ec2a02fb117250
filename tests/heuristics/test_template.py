"""Sentences: text with names in braces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.lua_interpreters import LUAS, needs_lua, run_lua

from heuristics.errors import TemplateError
from heuristics.language.expressions import Name, Names
from heuristics.language.template import Placeholder, parse_template
from heuristics.observables.vocabulary import Type

NAMES = Names({"hop_limit": Type.INT, "stage": Type.STR, "df": Type.BOOL}, thresholds={"run_step": 8})


def test_a_template_is_text_and_placeholders() -> None:
    template = parse_template("Hop limit {hop_limit} ({{{stage}}})", NAMES)
    assert template.parts == (
        "Hop limit ",
        Placeholder(Name("hop_limit", Type.INT)),
        " ({",
        Placeholder(Name("stage", Type.STR)),
        "})",
    )
    assert template.to_lua() == '"Hop limit " .. text(o.hop_limit) .. " ({" .. text(o.stage) .. "})"'


def test_each_kind_of_value_has_its_text() -> None:
    template = parse_template("{hop_limit} {stage} {df}", NAMES)
    assert template.render({"hop_limit": -3, "stage": "later", "df": True}) == "-3 later yes"
    assert template.render({"stage": None, "df": False}) == "unknown unknown no"


def test_a_template_cannot_be_deeper_than_lua_can_nest() -> None:
    with pytest.raises(TemplateError, match="more than 60"):
        parse_template("{df} " * 40, NAMES)


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("{hop_limit:time}", 0, "less than 0.01 ms"),
        ("{hop_limit:time}", 14, "0.01 ms"),
        ("{hop_limit:time}", 94, "0.09 ms"),
        ("{hop_limit:time}", 95, "0.1 ms"),
        ("{hop_limit:time}", 870, "0.9 ms"),
        ("{hop_limit:time}", 31_056, "31 ms"),
        ("{hop_limit:time}", 1_266_240, "1.27 s"),
        ("{hop_limit:time}", 905_000_000, "905 s"),
        ("{hop_limit:n hop}", 1, "1 hop"),
        ("{hop_limit:n hop}", 0, "0 hops"),
        ("{hop_limit:n other packet}", 1_234_567, "1,234,567 other packets"),
        ("{hop_limit:n byte}", -1234, "-1,234 bytes"),
        ("{hop_limit:#x}", 4369, "0x1111"),
        ("{hop_limit:#x}", -3, "-3"),
        ("{hop_limit:time} {hop_limit:n hop} {hop_limit:#x}", None, "unknown an unknown number of hops unknown"),
    ],
)
@needs_lua
def test_numbers_have_formats_in_both_engines(text: str, value: int | None, said: str, tmp_path: Path) -> None:
    template = parse_template(text, NAMES)
    assert template.render({"hop_limit": value}) == said
    for lua in LUAS:
        assert run_lua(lua, [(template.to_lua(), {"hop_limit": value})], tmp_path) == [said]


@given(value=st.integers(-(2**53), 2**53))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@needs_lua
def test_both_engines_write_every_number_alike(tmp_path_factory: pytest.TempPathFactory, value: int) -> None:
    template = parse_template("{hop_limit:time} {hop_limit:n hop} {hop_limit:#x}", NAMES)
    folder = tmp_path_factory.mktemp("lua")
    observation = {"hop_limit": value}
    for lua in LUAS:
        assert run_lua(lua, [(template.to_lua(), observation)], folder) == [template.render(observation)]


@pytest.mark.parametrize("text", ["{stage:time}", "{df:n hop}", "{stage:#x}"])
def test_only_numbers_have_formats(text: str) -> None:
    with pytest.raises(TemplateError, match="is no number"):
        parse_template(text, NAMES)


@pytest.mark.parametrize(
    "text", ["{hop_limit:x}", "{hop_limit:n }", "{hop_limit:n  hop}", "{hop_limit:}", "{hop_limit!r}"]
)
def test_an_unknown_format_is_an_error_that_names_the_known_ones(text: str) -> None:
    with pytest.raises(TemplateError, match="does not belong to a placeholder") as caught:
        parse_template(text, NAMES)
    assert "{name:n hop}" in caught.value.hint


def test_a_template_knows_its_own_texts() -> None:
    template = parse_template("silent for {hop_limit:time}: a device ({stage})", NAMES)
    assert template.fits(template.render({"hop_limit": 905_000_000, "stage": "later"}))
    assert not template.fits("silent for 905 s: a host (later)")
    assert not parse_template("a.c", NAMES).fits("abc")
