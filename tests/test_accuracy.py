"""The verdicts are right on captures whose truth is known: no false accusation, and most forgeries found."""

from __future__ import annotations

from functools import cache

import pytest
from commandline import LAB, REAL

from bench.accuracy import Expectation, expectations, labelled_cases, labelled_icmp
from bench.scores import Scores, naive_scores, our_scores
from heuristics.rulebook import load
from postproc import tshark


@cache
def scores() -> tuple[Scores, Scores]:
    cases = labelled_cases(LAB, load(), tshark.find())
    return our_scores(cases), naive_scores(cases)


@cache
def judged_by_hand() -> tuple[Expectation, ...]:
    return tuple(expectations(REAL / "expected.csv", load(), tshark.find()))


def test_no_genuine_reset_is_called_forged() -> None:
    assert scores()[0].false_accusations == ()


@pytest.mark.parametrize(("seed", "resets"), [("seed-25", 1000), ("seed-36", 900), ("seed-40", 300)])
def test_no_host_of_a_random_laboratory_is_accused(seed: str, resets: int) -> None:
    """These paths, delays and hop limits no weight was fitted to. (A router that answers for its NAT is no host.)"""
    cases = labelled_cases(LAB.parent / "lab-seeds" / seed, load(), tshark.find())
    assert [case for case in cases if case.accused and case.truth == "endpoint"] == []
    assert len(cases) > resets


def test_most_forgeries_are_found() -> None:
    assert scores()[0].forged_recall >= 0.80


def test_most_genuine_resets_are_cleared() -> None:
    assert scores()[0].genuine_recall >= 0.85


def test_the_rule_of_thumb_does_accuse_the_innocent() -> None:
    ours, naive = scores()
    assert len(naive.false_accusations) > 0
    assert ours.precision > naive.precision


def test_the_table_of_expectations_was_read() -> None:
    assert len(judged_by_hand()) == 32


@pytest.mark.parametrize("number", range(32))
def test_a_reset_judged_by_hand_gets_an_accepted_verdict(number: int) -> None:
    expectation = judged_by_hand()[number]
    assert expectation.met, expectation


def test_the_origin_of_icmp_errors_is_right() -> None:
    cases = labelled_icmp(LAB, load(), tshark.find())
    assert len(cases) >= 42
    assert [case for case in cases if case.origin != case.truth] == []
