"""Sentences: text with names in braces."""

from __future__ import annotations

import pytest

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
