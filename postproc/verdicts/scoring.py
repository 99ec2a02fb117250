"""One reset and its observables -> a row of the resets table, with the verdict that they add up to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import Judgement, judge
from postproc.flows.state import Flow, Reset
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, ResetRow
from postproc.verdicts.shared_origin import counted_in

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


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
    words = tuple(_once(rulebook.rule(id_).say.render(observation)) for id_ in judgement.evidence)
    row = _row(capture, reset, observation, judgement)
    return JudgedReset(row, judgement.score, words, signature=reset.signature, ip_id=reset.ip_id)


def _once(text: str) -> str:
    """Many resets have the same said of them: equal texts are one object."""
    return sys.intern(text)


def _row(capture: str, reset: Named, observation: Observation, judgement: Judgement) -> ResetRow:
    packet = reset.packet
    seen: Callable[[str], Any] = observation.__getitem__  # each has its column's type
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
        stage=seen("stage"),
        end_reason=seen("end_reason"),
        cause=_once(judgement.cause) or None,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        hop_limit=packet.hop_limit,
        hop_baseline=seen("hop_baseline"),
        hop_delta=seen("hop_delta"),
        distance=seen("distance"),
        sender_distance=seen("baseline_distance"),
        baseline_source=seen("baseline_source"),
        rtt_us=seen("rtt_us"),
        response_us=seen("response_us"),
        device=_once(judgement.device) or None,
        evidence=judgement.evidence,
        reason=_once(judgement.reason),
        where=_once(judgement.where) or None,
    )


def flow_filter(flow: Flow) -> str:
    """A Wireshark display filter for the flow; frame numbers tell incarnations of the same ports apart."""
    ends = ends_filter(*flow.low, *flow.high)
    if flow.incarnation == 0 and not flow.reused:
        return ends
    return f"{ends} && frame.number >= {flow.first_frame} && frame.number <= {flow.last_frame}"


def ends_filter(one: str, one_port: int, other: str, other_port: int) -> str:
    """The same for all flows between these ends."""
    ip = "ipv6" if ":" in one else "ip"
    return f"{ip}.addr == {one} && {ip}.addr == {other} && tcp.port == {one_port} && tcp.port == {other_port}"
