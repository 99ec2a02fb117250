"""The rulebook that comes with the package: short conditions, every definition in use, the same in both languages."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path

import pytest
from support.lua_interpreters import LUAS, needs_lua, run_lua

from heuristics.language.expressions import definitions_in, to_lua
from heuristics.observables.vocabulary import ALWAYS, OBSERVABLES, Type, Value
from heuristics.rulebook.model import Thresholds, load
from heuristics.rulebook.thresholds import THRESHOLDS


def test_the_packaged_rulebook_loads() -> None:
    rulebook = load()
    assert rulebook.rules
    assert len(rulebook.hash) == 64


def default_files() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "heuristics" / "rulebook" / "default").glob("*.toml"))


def test_each_packaged_file_says_in_two_lines_what_belongs_there() -> None:
    for file in default_files():
        first, second, third = file.read_text(encoding="utf-8").splitlines()[:3]
        assert (first[:2], second[:2]) == ("# ", "# "), file
        assert not third.startswith("# "), file


def test_no_packaged_condition_is_too_long_to_be_read() -> None:
    rulebook = load()
    kinds = (rulebook.all_rules, rulebook.reasons, rulebook.causes, rulebook.wheres, rulebook.devices, rulebook.icmp)
    sources = [statement.when for kind in kinds for statement in kind]
    sources += [define.source for define in (*rulebook.defines, *rulebook.icmp_defines)]
    sources += [case.when for explanation in rulebook.all_explanations for case in explanation.cases]
    for source in sources:
        for text in [source] if isinstance(source, str) else source:
            assert len(" ".join(text.split())) <= 160, text


def test_every_packaged_definition_is_in_use() -> None:
    rulebook = load()
    of_cases = [case.condition for explanation in rulebook.explanations for case in explanation.cases]
    for defines, kinds, more in (
        (
            rulebook.defines,
            (rulebook.rules, rulebook.reasons, rulebook.causes, rulebook.wheres, rulebook.devices),
            of_cases,
        ),
        (rulebook.icmp_defines, (rulebook.icmp,), []),
    ):
        conditions = [*more, *(statement.condition for kind in kinds for statement in kind)]
        used = {used.name for condition in conditions for used in definitions_in(condition)}
        assert used == {define.name for define in defines}


@needs_lua
@pytest.mark.parametrize("always_there", [True, False])
def test_the_packaged_rulebook_means_the_same_in_both_languages(tmp_path: Path, always_there: bool) -> None:
    """Over made-up observations: small numbers, which conditions compare with, and much that is missing."""
    rulebook, chance = load(), random.Random(0)
    values: dict[Type, list[Value]] = {
        Type.INT: [0, 1, 2, 3, 4, 90, 2001, 65535],
        Type.BOOL: [True, False],
        Type.STR: ["flow", "post-syn"],
    }
    conditions = [rule.condition for rule in rulebook.rules]
    lua = " .. ".join(f"(({to_lua(condition)}) and '1' or '0')" for condition in conditions)
    observations: list[dict[str, Value]] = [
        {
            observable.name: chance.choice(values[observable.type])
            for observable in OBSERVABLES
            if always_there or observable.name in ALWAYS or chance.random() < 0.7
        }
        for _ in range(40)
    ]
    held = [rulebook.which_rules(observation) for observation in observations]
    assert len({index for which in held for index in which}) > 30
    for interpreter in LUAS:
        said = run_lua(interpreter, [(lua, observation) for observation in observations], tmp_path, conditions)
        assert [[index for index, sign in enumerate(line) if sign == "1"] for line in said] == held


def test_every_threshold_has_a_meaning() -> None:
    assert {threshold.name for threshold in THRESHOLDS} == {key.name for key in fields(Thresholds)}
