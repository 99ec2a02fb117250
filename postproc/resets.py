"""The resets table: a row for every reset and ICMP error, with its verdict. Names and order are stable."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from heuristics.rulebook import Rulebook
from heuristics.verdict import Judgement, judge
from postproc.company import counted_in
from postproc.observe import Observation
from postproc.state import Flow, Reset


@dataclass(frozen=True, slots=True)
class ResetRow:
    """One judged reset or ICMP error. A value that the capture does not give is None.

    `frame` is the number Wireshark shows, `time` seconds since the epoch, `flow` a display filter that selects the
    flow, `distance` the hops from whoever sent this packet to the capture point, `sender_distance` those from the
    claimed sender, `rtt_us` and `response_us` microseconds, `evidence` the ids of the rules that fired, `reason` why a
    verdict is unclear. `cause` is a hypothesis, `device` names a known form, `where` says whence a suspect reset came.
    `end_reason` is Palo Alto's.

    Of an ICMP error, `sport` and `dport` are those of the packet it quotes, `evidence` is the entry of the rulebook
    that holds, and `quoted_hop_limit` is what the packet had left.
    """

    capture: str
    frame: int
    time: float
    kind: Literal["rst", "icmp"]
    flow: str
    src: str
    sport: int
    dst: str
    dport: int
    stage: str
    end_reason: str | None
    cause: str | None
    verdict: str
    origin: str
    suspicion: int
    hop_limit: int
    hop_baseline: int | None
    hop_delta: int | None
    distance: int
    sender_distance: int | None
    baseline_source: str
    rtt_us: int | None
    response_us: int | None
    device: str | None
    evidence: tuple[str, ...]
    reason: str
    quoted_hop_limit: int | None = None
    where: str | None = None


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(ResetRow))


@dataclass(frozen=True, slots=True)
class Rejection:
    """What an ICMP error says: type and code in words, the rejected packet's target, and the hops it had travelled."""

    name: str
    target: str
    travelled: int | None


@dataclass(frozen=True, slots=True)
class JudgedReset:
    """A row of the table with what its columns leave out: the score (centi-nats), and the evidence in words.

    `rejection` is there for ICMP errors, `signature` (postproc.signature) for resets that have one, `ip_id` where it
    may come from a counter that serves several senders (postproc.company).
    """

    row: ResetRow
    score: int
    words: tuple[str, ...]
    rejection: Rejection | None = None
    signature: str | None = None
    ip_id: int | None = None


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
