"""TOML that is small but deep or full costs neither memory nor time."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heuristics.rulebook.model import RulebookError, load
from heuristics.toml_text import load_toml
from postproc.case.case_file import CaseError, load_case

BOMBS = {
    "dotted keys": (".".join("a" * 10_000) + " = 1", "nested more than 12 deep (at line 1, column 26)"),
    "headers": ("\n[" + ".".join(["a"] * 14) + "]", "nested more than 12 deep (at line 2, column 25)"),
    "quoted keys": (' . "b"'.join(['"a"'] * 9_000) + " = 1", "nested more than 12 deep"),
    "lists": ("a = " + "[" * 3000, "nested more than 12 deep"),
    "tables": ("a = " + "{b = " * 3000, "nested more than 12 deep"),
    "keys": ("\n".join(f"a{number} = 1" for number in range(60_000)), "more than 50,000 keys and values"),
    "values": ("a = [" + "1," * 400_000 + "]", "more than 50,000 keys and values"),
    "a text without end": ('a = """' + '\\"' * 500_000, ""),
    "quotes": ('"' * 1_000_000, ""),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_at_once(bomb: str, tmp_path: Path) -> None:
    text, message = BOMBS[bomb]
    began = time.process_time()
    with pytest.raises(ValueError, match=re.escape(message) or "."):
        load_toml(text.encode())
    assert time.process_time() - began < 5
    (tmp_path / "case.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CaseError, match="not TOML"):
        load_case(tmp_path)
    with pytest.raises(RulebookError, match="not TOML"):
        load(overlays=[tmp_path / "case.toml"])


def test_dots_and_brackets_in_texts_and_comments_do_not_count() -> None:
    marks = ".[{=," * 30
    text = f"""
    a = "{marks}" # {marks}
    b = '{marks}'
    c = \"\"\"
    {marks}"{marks}""x\\\"\"\" {marks}\"\"\"\"
    d = '''{marks}'{marks}'''
    "e.{marks}".f = [[1.5, 2.5], {{g = 1}}]
    """
    content = load_toml(text.encode())
    assert content["a"] == content["b"] == marks
    assert content[f"e.{marks}"] == {"f": [[1.5, 2.5], {"g": 1}]}


@given(st.text(alphabet="a.[]{}=,\"'\\\n# 1", max_size=60))
def test_nothing_but_a_value_error_comes(text: str) -> None:
    with suppress(ValueError):
        load_toml(text.encode())


def test_thousands_of_mistakes_are_ten_lines_and_a_count(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("networks = [" + '"x", ' * 20_000 + "]\n", encoding="utf-8")
    with pytest.raises(CaseError) as error:
        load_case(tmp_path)
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 19,990 more"
