"""One reset and its observables -> a row of the resets table, with the verdict that they add up to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import Judgement, judge
from postproc.flows.display_filter import flow_filter
from postproc.flows.state import Reset
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, ResetRow, result_row
from postproc.verdicts.shared_origin import counted_in

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


_shared = sys.intern  # many resets have the same texts: equal texts become one object


class Named(NamedTuple):
    """Which reset it is, and what goes with its verdict: the packet, a filter for its flow, its signature.

    `ip_id` is there where it may come from a counter that serves several senders.
    """

    packet: Packet
    flow: str
    ip_id: int | None
    signature: str | None = None


def named(reset: Reset, signature: str | None = None) -> Named:
    """A reset whose flow has ended."""
    counted = counted_in(reset)
    return Named(reset.packet, flow_filter(reset.flow), counted.ip_id if counted else None, signature)


def judged_reset(capture: str, reset: Named, observation: Observation, rulebook: Rulebook) -> JudgedReset:
    """Weigh the observation and write down what comes of it."""
    judgement = judge(rulebook, observation)
    words = tuple(_shared(rulebook.rule(id_).say.render(observation)) for id_ in judgement.evidence)
    row = _row(capture, reset, observation, judgement)
    return JudgedReset(row, judgement.score, words, signature=reset.signature, ip_id=reset.ip_id)


def _row(capture: str, reset: Named, observation: Observation, judgement: Judgement) -> ResetRow:
    packet = reset.packet
    return result_row(
        observation,
        capture=capture,
        frame=packet.frame,
        time=packet.time_us / 1_000_000,
        kind="rst",
        flow=reset.flow,
        src=packet.src,
        sport=packet.sport,
        dst=packet.dst,
        dport=packet.dport,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        evidence=judgement.evidence,
        reason=_shared(judgement.reason),
        cause=_shared(judgement.cause) or None,
        device=_shared(judgement.device) or None,
        where=_shared(judgement.where) or None,
    )
