"""How good verdicts are: cases (a label beside a verdict), and the shares that are right. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean
from typing import TypeVar

from bench.weights.labelled import Label
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict

CLEARED = (Verdict.GENUINE, Verdict.LIKELY_GENUINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled reset, our verdict on it with the reason where it is unclear, and whether the naive rule accuses."""

    label: Label
    verdict: str
    reason: str
    naive: bool

    @property
    def truth(self) -> str:
        """Where it came from (an Origin)."""
        return self.label.truth

    @property
    def accused(self) -> bool:
        """Whether our verdict says that the sender did not send it."""
        return self.verdict in ACCUSED

    @property
    def cleared(self) -> bool:
        """Whether our verdict says that the sender sent it."""
        return self.verdict in CLEARED

    @property
    def unclear(self) -> bool:
        """Neither."""
        return not self.accused and not self.cleared

    @property
    def sender_present(self) -> bool:
        """Whether it is forged, one capture can decide it, and the capture shows its claimed sender otherwise."""
        return self.label.forged and not self.label.undecidable and not self.label.sender_absent


@dataclass(frozen=True, slots=True)
class IcmpCase:
    """One labelled ICMP error, and our origin and verdict."""

    label: Label
    origin: str
    verdict: str

    @property
    def truth(self) -> str:
        """Where it came from (an Origin)."""
        return self.label.truth


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares between 0 and 1. Recalls are macro averages over (vantage, mechanism), precision is over all resets.

    `forged_recall` is over what one capture can decide (`Label.undecidable`), `forged_recall_present` over those of
    them whose claimed sender has other packets in the capture, `forged_recall_all` over everything forged.
    `genuine_recall` is over the endpoints' own resets.
    """

    forged_recall: float
    forged_recall_present: float
    forged_recall_all: float
    genuine_recall: float
    precision: float
    false_accusations: tuple[Case, ...]


def our_scores(cases: Sequence[Case]) -> Scores:
    """How good our verdicts are; an unclear one is neither an accusation nor a clearance."""
    return _scores(cases, lambda case: case.accused, lambda case: case.cleared)


def naive_scores(cases: Sequence[Case]) -> Scores:
    """How good the naive rule is; what it does not accuse counts as cleared."""
    return _scores(cases, lambda case: case.naive, lambda case: not case.naive)


def _scores(cases: Sequence[Case], accuses: Callable[[Case], bool], clears: Callable[[Case], bool]) -> Scores:
    accused = [case for case in cases if accuses(case)]
    forged = [case for case in cases if case.label.forged]
    return Scores(
        forged_recall=_macro([case for case in forged if not case.label.undecidable], accuses),
        forged_recall_present=_macro([case for case in forged if case.sender_present], accuses),
        forged_recall_all=_macro(forged, accuses),
        genuine_recall=_macro([case for case in cases if case.truth == Origin.ENDPOINT], clears),
        precision=fmean(case.label.forged for case in accused) if accused else 1.0,
        false_accusations=tuple(case for case in accused if not case.label.forged),
    )


def _macro(cases: Sequence[Case], right: Callable[[Case], bool]) -> float:
    """The mean, over (vantage, mechanism), of the share that is right; 1 where there is none."""
    shares = [fmean(right(case) for case in group) for _, group in grouped(cases)]
    return fmean(shares) if shares else 1.0


AnyCase = TypeVar("AnyCase", Case, IcmpCase)


def grouped(cases: Iterable[AnyCase]) -> list[tuple[tuple[str, str, str], list[AnyCase]]]:
    """The cases of each (vantage, mechanism, truth), in order."""
    ordered = sorted(cases, key=lambda case: case.label.group)
    return [(key, list(group)) for key, group in groupby(ordered, key=lambda case: case.label.group)]
