"""Evaluates expressions in the Lua interpreters of this machine, as the plugin evaluates them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import generator
from heuristics.language.expressions import (
    Names,
    Node,
    Threshold,
    definitions_in,
    parse,
    to_lua,
    to_lua_definition,
    to_python,
    walk,
)
from heuristics.language.lua_text import lua_string
from heuristics.observables.vocabulary import Type, Value

INTS, STRS, BOOLS = ("a", "b", "c"), ("s", "t"), ("p", "q")
VOCABULARY = Names(
    {
        **dict.fromkeys(INTS, Type.INT),
        **dict.fromkeys(STRS, Type.STR),
        **dict.fromkeys(BOOLS, Type.BOOL),
        "end": Type.INT,
    }
)
LUAS = [lua for lua in ("lua5.2", "lua5.4") if shutil.which(lua)]
needs_lua = pytest.mark.skipif(not LUAS, reason="neither lua5.2 nor lua5.4 is installed")

# What the plugin writes values with.
_TEXT_FUNCTIONS = re.search(
    r"-- The value of an observable.*?(?=-- Definitions)",
    (Path(generator.__file__).parent / "templates" / "judge" / "rules.lua.j2").read_text(encoding="utf-8"),
    re.DOTALL,
)[0]  # type: ignore[index]

Observation = Mapping[str, Value]


def lua_value(value: Value) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    return lua_string(value) if isinstance(value, str) else str(value)


def run_lua(
    lua: str, expressions: Sequence[tuple[str, Observation]], folder: Path, needing: Sequence[Node] = ()
) -> list[str]:
    """The value of each Lua expression for its observation, as text, from one Lua process.

    The definitions that the trees `needing` name are computed before, as the plugin does.
    """
    definitions = {found.name: to_lua_definition(found) for tree in needing for found in definitions_in(tree)}
    read = {part for tree in needing for part in walk(tree) if isinstance(part, Threshold)}
    read |= {
        part
        for tree in needing
        for found in definitions_in(tree)
        for part in walk(found.tree)
        if isinstance(part, Threshold)
    }
    thresholds = ", ".join(f"{threshold.name} = {threshold.value}" for threshold in read)
    lines = [
        "local floor = math.floor",
        _TEXT_FUNCTIONS,
        "local o",
        f"local THRESHOLDS = {{ {thresholds} }}",
        "local function define(o)",
        *(
            f"  {f'if {guards} then' if guards else 'do'} {field} = {value} end"
            for field, guards, value in definitions.values()
        ),
        "end",
    ]
    for expression, observation in expressions:
        fields = ", ".join(f"[{lua_string(name)}] = {lua_value(value)}" for name, value in observation.items())
        lines += [f"o = {{ {fields} }} define(o)", f"print((function() return {expression} end)())"]
    script = folder / "cases.lua"
    script.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run([lua, str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8").splitlines()


def agree(cases: Sequence[tuple[str, Observation]], folder: Path) -> None:
    """Assert that every case (a condition and an observation) has the same value in Python and in each Lua."""
    trees = [parse(source, VOCABULARY) for source, _ in cases]
    python = [to_python(tree)(observation) for tree, (_, observation) in zip(trees, cases, strict=True)]
    assert all(isinstance(result, bool) for result in python)
    for lua in LUAS:
        got = run_lua(lua, [(to_lua(t), o) for t, (_, o) in zip(trees, cases, strict=True)], folder)
        wrong = [
            (lua, case, want) for case, want, said in zip(cases, python, got, strict=True) if said != str(want).lower()
        ]
        assert not wrong
