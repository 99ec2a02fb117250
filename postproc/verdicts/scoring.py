"""One reset and its observables -> a row of the resets table with its verdict."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import Judgement, judge
from postproc.flows.display_filter import flow_filter
from postproc.flows.state import Reset
from postproc.verdicts.ip_id_runs import ip_id_sample
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, ResetRow, result_row

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


_interned = sys.intern  # many resets have equal texts: these are one object


class ResetIdentity(NamedTuple):
    """What a row says of a reset besides its verdict: the packet, a filter for its flow, its signature.

    `ip_id` is None if its IP ID cannot come from a counter that serves several senders.
    """

    packet: Packet
    flow: str
    ip_id: int | None
    signature: str | None = None


def reset_identity(reset: Reset, signature: str | None = None) -> ResetIdentity:
    """The identity of a reset whose flow has ended."""
    sample = ip_id_sample(reset)
    return ResetIdentity(
        packet=reset.packet,
        flow=flow_filter(reset.flow),
        ip_id=sample.ip_id if sample else None,
        signature=signature,
    )


def judged_reset(capture: str, reset: ResetIdentity, observation: Observation, rulebook: Rulebook) -> JudgedReset:
    """Score the observation, and make the row of the reset."""
    judgement = judge(rulebook, observation)
    words = tuple(_interned(rulebook.evidence(id_).say.render(observation)) for id_ in judgement.evidence)
    row = _row(capture, reset, observation, judgement)
    return JudgedReset(row, judgement.score, words, signature=reset.signature, ip_id=reset.ip_id)


def _row(capture: str, reset: ResetIdentity, observation: Observation, judgement: Judgement) -> ResetRow:
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
        reason=_interned(judgement.reason),
        cause=_interned(judgement.cause) or None,
        device=_interned(judgement.device) or None,
        where=_interned(judgement.where) or None,
    )
