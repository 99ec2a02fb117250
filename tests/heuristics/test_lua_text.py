"""Text of rules and packets cannot become code: what Lua reads is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.lua_interpreters import LUAS, Observation, agree, needs_lua, run_lua

from heuristics.language.lua_text import lua_field, lua_string

HOSTILE = [
    '"',
    "'",
    "\\",
    ']]os.execute("x")--[[',
    '"..os.execute("x").."',
    "\n os.exit(1)",
    "\r\n",
    "\x00",
    "\xff9",
    "é1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_lua_string_holds_only_harmless_characters(text: str) -> None:
    inside = lua_string(text)[1:-1]
    assert inside.isascii()
    assert inside.isprintable()
    assert '"' not in inside


def test_an_escape_is_never_changed_by_the_digit_after_it() -> None:
    assert lua_string("\n1") == '"\\0101"'
    assert lua_string(b"\xff\x00") == '"\\255\\000"'


def test_a_field_name_never_leaves_its_brackets() -> None:
    assert lua_field("o", "hop_gap") == "o.hop_gap"
    assert lua_field("o", 'x"] = os.exit() --') == 'o["x\\034] = os.exit() --"]'


@needs_lua
@given(texts=st.lists(st.text() | st.sampled_from(HOSTILE), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_lua_reads_back_every_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("lua")
    hexed = [f'(({lua_string(text)}):gsub(".", function(c) return ("%02x"):format(c:byte()) end))' for text in texts]
    for lua in LUAS:
        got = run_lua(lua, [(expression, {}) for expression in hexed], folder)
        assert got == [text.encode("utf-8", "surrogatepass").hex() for text in texts]


@needs_lua
def test_hostile_literals_in_rules_stay_text(tmp_path: Path) -> None:
    texts = [text for text in HOSTILE if text.isascii() and text.isprintable()]
    cases: list[tuple[str, Observation]] = [(f"s == {text!r}", {"s": text}) for text in texts]
    cases += [(f"s in {{{text!r}, 'x'}}", {"s": "y"}) for text in texts]
    agree(cases, tmp_path)
