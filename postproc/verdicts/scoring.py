"""One reset and its observables -> a row of the resets table with its verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import Judgement, judge
from postproc.flows.state import Flow, Reset
from postproc.verdicts.ip_id_runs import ip_id_sample
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, ResetRow

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


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
    words = tuple(_interned(rulebook.rule(id_).say.render(observation)) for id_ in judgement.evidence)
    row = _row(capture, reset, observation, judgement)
    return JudgedReset(row, judgement.score, words, signature=reset.signature, ip_id=reset.ip_id)


def _interned(text: str) -> str:
    """Many resets have equal texts: these are one object."""
    return sys.intern(text)


def _row(capture: str, reset: ResetIdentity, observation: Observation, judgement: Judgement) -> ResetRow:
    packet = reset.packet
    observed: Callable[[str], Any] = observation.__getitem__  # the value has the type of its column
    return ResetRow(
        capture=capture,
        frame=packet.frame,
        time=packet.time_us / 1_000_000,
        kind="rst",
        flow=reset.flow,
        src=packet.src,
        sport=packet.sport,
        dst=packet.dst,
        dport=packet.dport,
        stage=observed("stage"),
        end_reason=observed("end_reason"),
        cause=_interned(judgement.cause) or None,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        hop_limit=packet.hop_limit,
        hop_baseline=observed("hop_baseline"),
        hop_delta=observed("hop_delta"),
        distance=observed("distance"),
        sender_distance=observed("baseline_distance"),
        baseline_source=observed("baseline_source"),
        rtt_us=observed("rtt_us"),
        response_us=observed("response_us"),
        device=_interned(judgement.device) or None,
        evidence=judgement.evidence,
        reason=_interned(judgement.reason),
        where=_interned(judgement.where) or None,
    )


def flow_filter(flow: Flow) -> str:
    """A Wireshark display filter for the flow. Frame numbers separate incarnations of the same ports."""
    ends = ends_filter(*flow.low, *flow.high)
    if flow.incarnation == 0 and not flow.reused:
        return ends
    return f"{ends} && frame.number >= {flow.first_frame} && frame.number <= {flow.last_frame}"


def ends_filter(one: str, one_port: int, other: str, other_port: int) -> str:
    """A Wireshark display filter for all flows between these ends."""
    ip = "ipv6" if ":" in one else "ip"
    return f"{ip}.addr == {one} && {ip}.addr == {other} && tcp.port == {one_port} && tcp.port == {other_port}"
