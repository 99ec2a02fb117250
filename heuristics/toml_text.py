"""TOML as text -> its content, within limits: a small file of deep keys would take gigabytes to parse."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_DEEPEST = 12  # keys within keys, lists within lists; a rulebook has 4
_MOST_KEYS = 50_000  # and other things that the parser makes an object of; no file of the default rulebook has 500
# Texts and comments, in which dots and brackets mean nothing; texts without an end; and what counts.
_TOKEN = re.compile(
    r"""
    "{3}(?:\\.|[^\\"]|"(?!""))*+"{3,5} | '{3}(?:[^']|'(?!''))*+'{3,5} | (?P<endless>"{3}|'{3})
    | "(?:\\.|[^"\\\n])*+" | '[^'\n]*+' | \#[^\n]*+ | (?P<unended>["'])
    | (?P<mark>[\[\]{}.,=\n])
    """,
    re.DOTALL | re.VERBOSE,
)


def load_toml(raw: bytes) -> dict[str, Any]:
    """The content of a TOML file. Raises ValueError: UnicodeDecodeError where it is not UTF-8."""
    text = raw.decode("utf-8")
    _check(text)
    return tomllib.loads(text)


def _check(text: str) -> None:
    """Raises ValueError for a text that is nested too deeply, or holds too much."""
    nested = dots = marks = 0
    for token in _TOKEN.finditer(text):
        if token["endless"] or token["unended"]:
            return  # the parser says where
        mark = token["mark"]
        if mark is None or mark == "\n":
            dots = 0 if mark else dots
            continue
        marks += 1
        nested += (mark in "[{") - (mark in "]}")
        dots = dots + 1 if mark == "." else 0
        if nested + dots > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep (at {_place(text, token.start())})")
        if marks > _MOST_KEYS:
            raise ValueError(f"more than {_MOST_KEYS:,} keys and values")


def _place(text: str, at: int) -> str:
    """Where that is, as tomllib says it."""
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"
