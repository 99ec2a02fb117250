"""The verdict on one reset: the weights of its evidence are added to a score, and the score gives the verdict."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from heuristics.observables.vocabulary import Value
from heuristics.rulebook.model import Rulebook, VerdictLimits
from heuristics.rulebook.statements import Explanation, Rule, Statement

_DECIDES = "; to decide: capture at the named sender as well"
UNCLEAR = f"too few signs{_DECIDES}"  # the reason where no [[reason]] holds
# The reason where an explanation fits, and what speaks against it weighs about the same.
TWO_EXPLANATIONS = f"two explanations fit: {{}}, or {{}}{_DECIDES}"
OTHER_SENDER = {False: "another device sent it", True: "the sender did"}  # by whether the explanation accuses
ICMP_UNJUDGED, ICMP_UNJUDGED_SUSPICION = "the rulebook has no entry for it", 50  # when no [[icmp]] entry holds


class Verdict(StrEnum):
    """Whether the endpoint that the reset names as its sender sent it."""

    FORGED = "forged"
    LIKELY_FORGED = "likely forged"
    UNCLEAR = "unclear"
    LIKELY_GENUINE = "likely genuine"
    GENUINE = "genuine"


ACCUSED = (Verdict.FORGED, Verdict.LIKELY_FORGED)


class Origin(StrEnum):
    """Where the reset or the ICMP error came from."""

    ENDPOINT = "endpoint"
    FRONT_END = "front-end"
    MIDDLEBOX = "middlebox"
    ROUTER = "router"  # of ICMP errors: a router that sends them in its own name, as it should
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of judging one reset.

    `score` in centi-nats, `suspicion` 0-100, `evidence` the ids of the rules that fired in rulebook order and of the
    explanation that was chosen, if any, `reason` why the verdict is unclear (empty otherwise), `cause` what may have
    made the sender reset (a hypothesis), `device` the known device whose form it has, with how sure that is, `where`
    from where a suspect reset was sent; these are empty where nothing fits.
    """

    score: int
    suspicion: int
    verdict: Verdict
    origin: Origin
    evidence: tuple[str, ...]
    reason: str
    cause: str
    device: str
    where: str


@cache
def suspicion_limits() -> tuple[int, ...]:
    """The 100 ascending scores (centi-nats) from which suspicion is at least 1, 2 ... 100.

    Suspicion is the probability that the score stands for, in percent, rounded: limit k is where it reaches
    (k - 0.5) %. The plugin carries this table, so that neither engine computes a logarithm per packet.
    """
    shares = ((k - 0.5) / 100 for k in range(1, 101))
    return tuple(round(100 * math.log(share / (1 - share))) for share in shares)


def suspicion(score: int, limits: Sequence[int]) -> int:
    """The suspicion, 0-100, that `score` (centi-nats) stands for: the number of limits it reaches."""
    return bisect_right(limits, score)


def judge(rulebook: Rulebook, observation: Mapping[str, Value]) -> Judgement:
    """Judge the reset that `observation` (observable name -> value) describes by `rulebook`."""
    fired = [rulebook.rules[index] for index in rulebook.which_rules(observation)]
    explanation, change = _explained(rulebook, observation, fired)
    evidence: list[Rule | Explanation] = [*fired, *([explanation] if explanation else [])]
    score = rulebook.verdict.prior + sum(rule.weight for rule in fired) + change
    verdict = verdict_at(score, rulebook.verdict)
    origin = origin_of(verdict, front_end=any(each.origin == Origin.FRONT_END for each in evidence))
    concluded = {**observation, "verdict": verdict.value, "origin": origin.value}
    device = rulebook.first_device(concluded)
    return Judgement(
        score=score,
        suspicion=suspicion(score, suspicion_limits()),
        verdict=verdict,
        origin=origin,
        evidence=tuple(each.id for each in evidence),
        reason=_reason(rulebook, observation, explanation) if verdict is Verdict.UNCLEAR else "",
        cause=_cause(rulebook, concluded, explanation, verdict),
        device=f"{_sentence(device, observation)} ({device.confidence} %)" if device else "",
        where=where(rulebook, concluded),
    )


def _explained(
    rulebook: Rulebook, observation: Mapping[str, Value], fired: Sequence[Rule]
) -> tuple[Explanation | None, int]:
    """The explanation that changes the score most, and by how much; among equals the first in the rulebook."""
    best: tuple[Explanation | None, int] = (None, 0)
    for index, price in rulebook.prices(observation).items():
        explanation = rulebook.explanations[index]
        change = explanation.change(price, fired)
        if abs(change) > abs(best[1]):
            best = explanation, change
    return best


def _reason(rulebook: Rulebook, observation: Mapping[str, Value], explanation: Explanation | None) -> str:
    if explanation is None:
        return _sentence(rulebook.first_reason(observation), observation, UNCLEAR)
    return TWO_EXPLANATIONS.format(explanation.title, OTHER_SENDER[explanation.accuses])


def _cause(
    rulebook: Rulebook, concluded: Mapping[str, Value], explanation: Explanation | None, verdict: Verdict
) -> str:
    agrees = explanation and verdict is not Verdict.UNCLEAR and explanation.accuses == (verdict in ACCUSED)
    if explanation and explanation.cause and agrees:
        return explanation.cause.render(concluded)
    return _sentence(rulebook.first_cause(concluded), concluded)


def evidence_weights(rulebook: Rulebook, evidence: Sequence[str], score: int) -> list[int]:
    """The part that each entry of `evidence`, ids of rules and at most one explanation, has in the score."""
    found = [rulebook.evidence(id_) for id_ in evidence]
    of_rules = sum(each.weight for each in found if isinstance(each, Rule))
    rest = score - rulebook.verdict.prior - of_rules
    return [each.weight if isinstance(each, Rule) else rest for each in found]


def where(rulebook: Rulebook, concluded: Mapping[str, Value]) -> str:
    """Where a reset came from, in words; empty where no [[where]] holds. `concluded` has verdict and origin too."""
    return _sentence(rulebook.first_where(concluded), concluded)


@dataclass(frozen=True, slots=True)
class IcmpJudgement:
    """The result of judging one ICMP error. `evidence` is the id of the entry that holds, `words` its sentence."""

    suspicion: int
    verdict: Verdict
    origin: Origin
    evidence: str
    words: str
    device: str

    @property
    def reason(self) -> str:
        """Why the verdict is unclear; empty otherwise."""
        return self.words if self.verdict is Verdict.UNCLEAR else ""

    @property
    def score(self) -> int:
        """The score (centi-nats) that a reset of this suspicion has; only to be sorted by."""
        return icmp_score(self.suspicion)


def icmp_score(suspicion: int) -> int:
    """The least score (centi-nats) that stands for `suspicion` (0-100)."""
    return suspicion_limits()[max(suspicion, 1) - 1]


def judge_icmp(rulebook: Rulebook, observation: Mapping[str, Value]) -> IcmpJudgement:
    """Judge the ICMP error that `observation` describes: the first [[icmp]] entry that holds is the judgement."""
    entry = rulebook.first_icmp(observation)
    if entry is None:
        return IcmpJudgement(ICMP_UNJUDGED_SUSPICION, Verdict.UNCLEAR, Origin.UNKNOWN, "", ICMP_UNJUDGED, "")
    return IcmpJudgement(
        suspicion=entry.suspicion,
        verdict=Verdict(entry.verdict),
        origin=Origin(entry.origin),
        evidence=entry.id,
        words=entry.say.render(observation),
        device=entry.device or "",
    )


def verdict_at(score: int, limits: VerdictLimits) -> Verdict:
    """The verdict that a score (centi-nats) stands for."""
    if score >= limits.forged:
        return Verdict.FORGED
    if score >= limits.likely_forged:
        return Verdict.LIKELY_FORGED
    if score <= limits.genuine:
        return Verdict.GENUINE
    if score <= limits.likely_genuine:
        return Verdict.LIKELY_GENUINE
    return Verdict.UNCLEAR


def origin_of(verdict: Verdict, *, front_end: bool) -> Origin:
    """Where a reset with this verdict came from; `front_end`: its form is that of a device in front of the endpoint."""
    if verdict in ACCUSED:
        return Origin.MIDDLEBOX
    if front_end:
        return Origin.FRONT_END
    return Origin.UNKNOWN if verdict is Verdict.UNCLEAR else Origin.ENDPOINT


def _sentence(statement: Statement | None, observation: Mapping[str, Value], otherwise: str = "") -> str:
    return statement.say.render(observation) if statement else otherwise
