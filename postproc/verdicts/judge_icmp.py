"""ICMP and ICMPv6 errors, judged: who rejected a packet, and where."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from heuristics.protocol.hop_limit import distance
from heuristics.protocol.icmp_codes import icmp_meaning
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import judge_icmp
from postproc.capture.icmp_quote import TCP_QUOTED, UDP_QUOTED, IcmpError
from postproc.capture.packet_table import Packet
from postproc.flows.display_filter import addresses_filter, ends_filter
from postproc.verdicts.icmp_observables import error_of, observe_errors, travelled
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, Rejection, result_row


def judged_errors(capture: str, packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[JudgedReset]:
    """Every ICMP error of one capture, judged, in frame order. `packets` is the packets table."""
    for packet, observation in observe_errors(packets, rulebook):
        yield judged_error(capture, packet, observation, rulebook)


def judged_error(capture: str, packet: Packet, observation: Observation, rulebook: Rulebook) -> JudgedReset:
    """Find the entry of the rulebook that holds, and make the row of the error."""
    judgement, error = judge_icmp(rulebook, observation), error_of(packet)
    row = result_row(
        observation | derived_columns(observation),
        capture=capture,
        frame=packet.frame,
        time=packet.time_us / 1_000_000,
        kind="icmp",
        flow=quoted_flow_filter(packet, error),
        src=packet.src,
        sport=error.quoted_sport,
        dst=packet.dst,
        dport=error.quoted_dport,
        verdict=judgement.verdict.value,
        origin=judgement.origin.value,
        suspicion=judgement.suspicion,
        evidence=(judgement.evidence,) if judgement.evidence else (),
        reason=judgement.reason,
        device=judgement.device or None,
    )
    return JudgedReset(row, judgement.score, (judgement.words,), rejection_of(packet))


def derived_columns(observation: Observation) -> Observation:
    """The columns of an ICMP error that follow from its observables, but are none."""
    hop_limit, baseline = observation["hop_limit"], observation["hop_baseline"]
    if not (isinstance(hop_limit, int) and isinstance(baseline, int)):
        return {"hop_delta": None, "sender_distance": None, "baseline_source": "none"}
    return {
        "hop_delta": hop_limit - baseline,
        "sender_distance": distance(baseline),
        "baseline_source": "host",
    }


def rejection_of(packet: Packet) -> Rejection:
    """The packet that the error in `packet`, of kind ICMP_ERROR, rejects."""
    error = error_of(packet)
    return Rejection(
        name=icmp_meaning(packet.ip_version, error.icmp_type, error.icmp_code).name,
        target=error.quoted_dst,
        travelled=travelled(error.quoted_hop_limit),
    )


def quoted_flow_filter(packet: Packet, error: IcmpError) -> str:
    """A display filter for the flow of the packet that the error quotes, and for the errors about that flow."""
    if not error.quoted_dst:
        return f"frame.number == {packet.frame}"
    source, target = error.quoted_src, error.quoted_dst
    if error.quoted_protocol in (TCP_QUOTED, UDP_QUOTED):
        return ends_filter(source, error.quoted_sport, target, error.quoted_dport, error.quoted_protocol)
    return addresses_filter(source, target)
