"""The verdict: limits, suspicion, origin and the reason given for an unclear one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heuristics.observables.vocabulary import ALWAYS, OBSERVABLES, Type, Value
from heuristics.rulebook.model import Rulebook, Thresholds, load
from heuristics.rulebook.scoring import UNCLEAR, Origin, Verdict, judge, suspicion, suspicion_limits
from heuristics.rulebook.statements import Reason, Rule

RULEBOOK = (
    """\
[rulebook]
name = "verdicts"
version = 1
description = "For tests"
[verdict]
prior = 10
forged = 300
likely_forged = 100
likely_genuine = -100
genuine = -300
"""
    + "\n".join(["[thresholds]", *(f"{key.name} = 1" for key in fields(Thresholds))])
    + """
[[rule]]
id = "always"
title = "Fires whenever there is a hop limit"
when = "hop_limit >= 1"
weight = 0
say = "Hop limit {hop_limit}"
reference = "none"
[[rule]]
id = "front"
title = "A front end"
when = "payload_kind == 'bigip'"
weight = 0
say = "BIG-IP"
reference = "none"
origin = "front-end"
[[reason]]
id = "alone"
when = "flow_packets == 0"
say = "nothing to compare hop limit {hop_limit} with"
[[reason]]
id = "late"
when = "fin_before"
say = "after a FIN"
"""
)


def seen(given: Mapping[str, Value]) -> dict[str, Value]:
    """An observation as the engines make it: what is always there is there, and the rest is missing but for `given`."""
    nothing: dict[Type, Value] = {Type.INT: 0, Type.BOOL: False, Type.STR: ""}
    return {o.name: nothing[o.type] if o.name in ALWAYS else None for o in OBSERVABLES} | dict(given)


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory: pytest.TempPathFactory) -> Rulebook:
    path: Path = tmp_path_factory.mktemp("rulebook") / "rulebook.toml"
    path.write_text(RULEBOOK, encoding="utf-8")
    return load(path)


def weighing(rulebook: Rulebook, weight: int) -> Rulebook:
    """The rulebook with `always` weighing `weight`, so that the score is 10 more."""
    always, *others = rulebook.all_rules
    return replace(rulebook, all_rules=(replace(always, weight=weight), *others))


@pytest.mark.parametrize(
    ("score", "verdict", "origin"),
    [
        (301, Verdict.FORGED, Origin.MIDDLEBOX),
        (300, Verdict.FORGED, Origin.MIDDLEBOX),
        (299, Verdict.LIKELY_FORGED, Origin.MIDDLEBOX),
        (100, Verdict.LIKELY_FORGED, Origin.MIDDLEBOX),
        (99, Verdict.UNCLEAR, Origin.UNKNOWN),
        (-99, Verdict.UNCLEAR, Origin.UNKNOWN),
        (-100, Verdict.LIKELY_GENUINE, Origin.ENDPOINT),
        (-299, Verdict.LIKELY_GENUINE, Origin.ENDPOINT),
        (-300, Verdict.GENUINE, Origin.ENDPOINT),
    ],
)
def test_the_score_decides_verdict_and_origin(rulebook: Rulebook, score: int, verdict: Verdict, origin: Origin) -> None:
    weighed = weighing(rulebook, score - 10)
    judgement = judge(weighed, seen({"hop_limit": 64}))
    assert (judgement.score, judgement.verdict, judgement.origin) == (score, verdict, origin)
    fronted = judge(weighed, seen({"hop_limit": 64, "payload_kind": "bigip"}))
    assert fronted.origin is (Origin.MIDDLEBOX if score >= 100 else Origin.FRONT_END)


def test_without_evidence_the_prior_stands(rulebook: Rulebook) -> None:
    judgement = judge(rulebook, seen({}))
    assert (judgement.score, judgement.evidence, judgement.verdict) == (10, (), Verdict.UNCLEAR)


def test_evidence_is_named_in_rulebook_order(rulebook: Rulebook) -> None:
    assert judge(rulebook, seen({"payload_kind": "bigip", "hop_limit": 64})).evidence == ("always", "front")


def test_a_disabled_rule_is_no_evidence(rulebook: Rulebook) -> None:
    always, *others = rulebook.all_rules
    without = replace(rulebook, all_rules=(replace(always, enabled=False), *others))
    assert judge(without, seen({"hop_limit": 64})).evidence == ()


def test_an_unclear_verdict_gives_the_first_reason_that_holds(rulebook: Rulebook) -> None:
    both = {"flow_packets": 0, "fin_before": True, "hop_limit": 64}
    assert judge(rulebook, seen(both)).reason == "nothing to compare hop limit 64 with"
    assert judge(rulebook, seen({"flow_packets": 1, "fin_before": True})).reason == "after a FIN"
    assert judge(rulebook, seen({"flow_packets": 1})).reason == UNCLEAR


def test_a_clear_verdict_needs_no_reason(rulebook: Rulebook) -> None:
    assert judge(weighing(rulebook, 500), seen({"hop_limit": 64, "fin_before": True})).reason == ""


def test_rules_and_reasons_are_what_a_rulebook_is_made_of(rulebook: Rulebook) -> None:
    assert all(isinstance(rule, Rule) for rule in rulebook.rules)
    assert all(isinstance(reason, Reason) for reason in rulebook.reasons)


# Suspicion.


def test_the_limits_are_a_hundred_ascending_integers() -> None:
    limits = suspicion_limits()
    assert len(limits) == 100
    assert all(low < high for low, high in pairwise(limits))
    assert limits == tuple(-limit for limit in reversed(limits))
    assert (limits[0], limits[49], limits[50], limits[99]) == (-529, -2, 2, 529)


@pytest.mark.parametrize(("score", "expected"), [(-10_000, 0), (-530, 0), (-529, 1), (0, 50), (528, 99), (529, 100)])
def test_suspicion_counts_the_limits_reached(score: int, expected: int) -> None:
    assert suspicion(score, suspicion_limits()) == expected


@given(st.integers(-2000, 2000))
def test_suspicion_is_the_probability_in_percent(score: int) -> None:
    probability = 100 / (1 + math.exp(-score / 100))
    assert abs(suspicion(score, suspicion_limits()) - probability) <= 0.7


def test_the_values_are_the_words_that_tables_show() -> None:
    assert list(Verdict) == ["forged", "likely forged", "unclear", "likely genuine", "genuine"]
    assert list(Origin) == ["endpoint", "front-end", "middlebox", "router", "unknown"]
