"""ICMP and ICMPv6 errors, judged: who rejected a packet, and where."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from heuristics.protocol.icmp_codes import icmp_meaning
from heuristics.protocol.tshark_fields import distance
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import judge_icmp
from postproc.capture.icmp_quote import TCP_QUOTED, UDP_QUOTED, IcmpError
from postproc.capture.packet_table import Packet
from postproc.verdicts.icmp_observables import error_of, observe_errors, travelled
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, Rejection, ResetRow


def judged_errors(capture: str, packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[JudgedReset]:
    """Every ICMP error of one capture, judged, in frame order. `packets` is the packets table."""
    for packet, observation in observe_errors(packets, rulebook):
        yield judged_error(capture, packet, observation, rulebook)


def judged_error(capture: str, packet: Packet, observation: Observation, rulebook: Rulebook) -> JudgedReset:
    """Find the entry of the rulebook that holds, and make the row of the error."""
    judgement, error = judge_icmp(rulebook, observation), error_of(packet)
    baseline = observation["hop_baseline"]
    assert baseline is None or isinstance(baseline, int)
    row = ResetRow(
        capture=capture,
        frame=packet.frame,
        time=packet.time_us / 1_000_000,
        kind="icmp",
        flow=probe_filter(packet, error),
        src=packet.src,
        sport=error.quoted_sport,
        dst=packet.dst,
        dport=error.quoted_dport,
        stage=str(observation["stage"]),
        end_reason=None,
        cause=None,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        hop_limit=packet.hop_limit,
        hop_baseline=baseline,
        hop_delta=None if baseline is None else packet.hop_limit - baseline,
        distance=distance(packet.hop_limit),
        sender_distance=None if baseline is None else distance(baseline),
        baseline_source="none" if baseline is None else "host",
        rtt_us=None,
        response_us=None,
        device=judgement.device or None,
        evidence=(judgement.evidence,) if judgement.evidence else (),
        reason=judgement.reason,
        quoted_hop_limit=error.quoted_hop_limit,
    )
    return JudgedReset(row, judgement.score, (judgement.words,), rejection_of(packet))


def rejection_of(packet: Packet) -> Rejection:
    """The packet that the error in `packet`, of kind ICMP_ERROR, rejects."""
    error = error_of(packet)
    return Rejection(
        name=icmp_meaning(packet.ip_version, error.icmp_type, error.icmp_code).name,
        target=error.quoted_dst,
        travelled=travelled(error.quoted_hop_limit),
    )


def probe_filter(packet: Packet, error: IcmpError) -> str:
    """A Wireshark display filter for the flow of the packet that the error quotes, and the errors about it."""
    ip = "ipv6" if packet.ip_version == 6 else "ip"
    if not error.quoted_dst:
        return f"frame.number == {packet.frame}"
    ends = f"{ip}.addr == {error.quoted_src} && {ip}.addr == {error.quoted_dst}"
    if error.quoted_protocol in (TCP_QUOTED, UDP_QUOTED):
        layer = error.quoted_protocol
        return f"{ends} && {layer}.port == {error.quoted_sport} && {layer}.port == {error.quoted_dport}"
    return ends
