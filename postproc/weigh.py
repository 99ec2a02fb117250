"""One reset and its observables -> a row of the resets table, with the verdict that they add up to."""

from __future__ import annotations

from heuristics.rulebook import Rulebook
from heuristics.verdict import Judgement, judge
from postproc.company import counted_in
from postproc.observe import Observation
from postproc.resets import JudgedReset, ResetRow
from postproc.state import Flow, Reset


def judged_reset(capture: str, reset: Reset, observation: Observation, rulebook: Rulebook) -> JudgedReset:
    """Weigh the observation and write down what comes of it."""
    judgement = judge(rulebook, observation)
    words = tuple(rulebook.rule(id_).say.render(observation) for id_ in judgement.evidence)
    counted = counted_in(reset)
    row = _row(capture, reset, observation, judgement)
    return JudgedReset(row, judgement.score, words, ip_id=counted.ip_id if counted else None)


def _row(capture: str, reset: Reset, observation: Observation, judgement: Judgement) -> ResetRow:
    packet = reset.packet
    seen = observation.__getitem__
    return ResetRow(
        capture=capture,
        frame=packet.frame,
        time=packet.time_us / 1_000_000,
        kind="rst",
        flow=flow_filter(reset.flow),
        src=packet.src,
        sport=packet.sport,
        dst=packet.dst,
        dport=packet.dport,
        stage=reset.stage,
        end_reason=seen("end_reason"),  # type: ignore[arg-type]
        cause=judgement.cause or None,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        hop_limit=packet.hop_limit,
        hop_baseline=seen("hop_baseline"),  # type: ignore[arg-type]
        hop_delta=seen("hop_delta"),  # type: ignore[arg-type]
        distance=seen("distance"),  # type: ignore[arg-type]
        sender_distance=seen("baseline_distance"),  # type: ignore[arg-type]
        baseline_source=seen("baseline_source"),  # type: ignore[arg-type]
        rtt_us=seen("rtt_us"),  # type: ignore[arg-type]
        response_us=seen("response_us"),  # type: ignore[arg-type]
        device=judgement.device or None,
        evidence=judgement.evidence,
        reason=judgement.reason,
        where=judgement.where or None,
    )


def flow_filter(flow: Flow) -> str:
    """A Wireshark display filter for the flow; frame numbers tell incarnations of the same ports apart."""
    (low, low_port), (high, high_port) = flow.low, flow.high
    ip = "ipv6" if ":" in low else "ip"
    ends = f"{ip}.addr == {low} && {ip}.addr == {high} && tcp.port == {low_port} && tcp.port == {high_port}"
    if flow.incarnation == 0 and not flow.reused:
        return ends
    return f"{ends} && frame.number >= {flow.first_frame} && frame.number <= {flow.last_frame}"
