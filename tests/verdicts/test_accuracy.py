"""The verdicts are right on captures whose truth is known: no false accusation, and most forgeries found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support import public_captures
from support.command_line import LAB, SITUATIONS, rows
from support.public_captures import needs_public_captures

from bench.accuracy import Expectation, expectations, labelled_cases, labelled_icmp
from bench.weights.labelled import Labelled, labelled_captures
from bench.weights.scores import Scores, naive_scores, our_scores
from heuristics.rulebook.model import load
from heuristics.rulebook.scoring import ACCUSED, Origin
from postproc.capture.tshark.program import find_tshark


@cache
def laboratory() -> tuple[Labelled, ...]:
    return tuple(labelled_captures(LAB, find_tshark()))


@cache
def scores() -> tuple[Scores, Scores]:
    cases = [case for capture in laboratory() for case in labelled_cases(capture, load())]
    return our_scores(cases), naive_scores(cases)


@cache
def judged_by_hand(table: Path) -> tuple[Expectation, ...]:
    return tuple(expectations(table, load(), find_tshark()))


def test_no_genuine_reset_is_called_forged() -> None:
    assert scores()[0].false_accusations == ()


def true_origins(folder: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """Of every labelled reset in `folder`, its capture and frame, and where it came from."""
    for labels in folder.glob("*.labels.json"):
        told = json.loads(labels.read_text(encoding="utf-8"))
        for event in told["events"]:
            if event["kind"] == "rst":
                yield (told["capture"], event["frame"]), event["origin"]


@pytest.mark.parametrize(("seed", "resets"), [("seed-25", 1000), ("seed-36", 900), ("seed-40", 300)])
def test_no_host_of_a_random_laboratory_is_accused(seed: str, resets: int) -> None:
    """These paths, delays and hop limits no weight was fitted to. (A router that answers for its NAT is no host.)"""
    folder = LAB.parent / "lab-seeds" / seed
    alone = ("--no-reconcile", "--no-cache", "-j", "1")  # each capture by itself
    verdicts = {(row["capture"], int(row["frame"])): row["verdict"] for row in rows(folder, *alone)}
    truths = dict(true_origins(folder))
    honest = [reset for reset, origin in truths.items() if origin == Origin.ENDPOINT]
    assert [reset for reset in honest if verdicts[reset] in ACCUSED] == []
    assert len(truths) > resets


def test_most_forgeries_are_found() -> None:
    assert scores()[0].forged_recall >= 0.93


def test_most_genuine_resets_are_cleared() -> None:
    assert scores()[0].genuine_recall >= 0.92


def test_the_rule_of_thumb_does_accuse_the_innocent() -> None:
    ours, naive = scores()
    assert len(naive.false_accusations) > 0
    assert ours.precision > naive.precision


def test_every_reset_of_a_known_situation_gets_an_accepted_verdict() -> None:
    found = judged_by_hand(SITUATIONS / "expected.csv")
    resets = {(row["capture"], int(row["frame"])) for row in rows(SITUATIONS, "--no-reconcile", "--no-cache")}
    assert {(each.capture, each.frame) for each in found} == resets
    assert {each.capture for each in found} == {path.name for path in SITUATIONS.glob("*cap")}
    assert [each for each in found if not each.met] == []


@needs_public_captures
def test_every_reset_of_public_captures_judged_by_hand_gets_an_accepted_verdict() -> None:
    found = judged_by_hand(public_captures.TABLE)
    assert len(found) == 32
    assert [each for each in found if not each.met] == []


def test_the_origin_of_icmp_errors_is_right() -> None:
    cases = [case for capture in laboratory() for case in labelled_icmp(capture, load())]
    assert len(cases) >= 42
    assert [case for case in cases if case.origin != case.truth] == []
