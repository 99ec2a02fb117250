"""A reset, its flow and its host -> the observables that rules read.

Names and meaning: heuristics/observables/vocabulary.py. The observables of the context are measured when the reset
passes (postproc/flows/reset_context.py) and copied here; all others are computed here. The plugin does the same in Lua
(generator/templates/judge/reset_observables.lua.j2), function by function.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from heuristics.engine_limits import MIN_COUNTING, ON_ITS_WAY_SHARE, ON_ITS_WAY_US, STRAY_ELSEWHERE
from heuristics.observables.vocabulary import Value
from heuristics.protocol.hop_limit import distance, distance_if_known
from heuristics.protocol.idle_timeouts import known_timeout
from heuristics.protocol.netscaler_codes import netscaler_meaning
from heuristics.protocol.reset_payload import payload_kind
from heuristics.protocol.stated_cause import diagnosis, stated_cause
from heuristics.protocol.tshark_fields import ACK, reserved_bits
from heuristics.rulebook.model import Thresholds
from postproc.flows.connection_end import ended_connection
from postproc.flows.counterparts import Counterparts
from postproc.flows.end_reason import end_reason
from postproc.flows.handshake_rtt import acknowledges_syn
from postproc.flows.host_profile import HostProfile, most_frequent, nearest, share
from postproc.flows.injected_packets import own_hop_limits, own_resets, stray_packets
from postproc.flows.silence import SilentResets
from postproc.flows.state import CONTEXT_NAMES, HostHandshakes, Reset, RoundTrips, Side
from postproc.flows.tcp_arithmetic import seq_diff
from postproc.verdicts.shared_origin import CrossFlowCorrelation

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars

Observation = dict[str, Value]
_context_values = attrgetter(*CONTEXT_NAMES)


class FlowObservation(NamedTuple):
    """The observables from the flow of a reset and its host's profile, and values that wait for the whole capture.

    `round_trips` are the flow's own, `silence_us` is how long it was silent before the reset. If the sender's side of
    the conversation moved on past the reset, `continued_us` is the time from the reset to that. If its sender then
    acknowledges the bytes that were in flight to it when the reset passed, `overtaken_us` is the age that these had
    then.
    """

    observation: Observation
    round_trips: RoundTrips
    silence_us: int | None
    continued_us: int | None
    overtaken_us: int | None


def observe_flow(reset: Reset, host: HostProfile, counterparts: Counterparts) -> FlowObservation:
    """The observables known once the flow has ended. `host` is the profile of the claimed sender."""
    observation = {
        **_observe_header(reset),
        **_observe_baseline(reset, host),
        **_observe_host(reset, host),
        **_observe_context(reset),
        **_observe_handshakes(reset),
        "refuses_accepted": _refuses_accepted(reset),
        "ended_connection": ended_connection(reset),
        "end_reason": end_reason(reset.flow),
        "own_resets": own_resets(reset.side, reset.side.reset_hop_limits),
        "own_bare_resets": own_resets(reset.side, reset.side.bare_reset_hop_limits),
        **_observe_burst(reset),
        **_observe_link(reset, host),
        **counterparts.of(reset)._asdict(),
    }
    flow = reset.side.round_trips
    continued_us = _continued_us(reset)
    overtaken_us = None if continued_us is None else _overtaken_us(reset)
    round_trips = flow if flow.handshake else RoundTrips()
    return FlowObservation(observation, round_trips, reset.silence_us, continued_us, overtaken_us)


def observe_capture(
    packet: Packet,
    of_flow: FlowObservation,
    handshakes: HostHandshakes,
    silences: SilentResets,
    correlation: CrossFlowCorrelation,
    counterparts: Counterparts,
    thresholds: Thresholds,
) -> Observation:
    """All observables of the reset `packet`.

    `handshakes` and `silences` are those of the claimed sender; `correlation` and `counterparts` know all resets of the
    capture.
    """
    rtt = _observe_round_trip(of_flow.round_trips, handshakes.round_trips)
    return {
        **of_flow.observation,
        **rtt,
        "spoke_after": _continued_after(of_flow, rtt, thresholds),
        "port_accepts": packet.sport in handshakes.accepting_ports,
        "silent_resets": silences.resets,
        "least_silence_us": silences.least_us,
        "known_timeout": known_timeout(silences.least_us or of_flow.silence_us),
        **_observe_shared_origin(packet, correlation),
        "host_translated": packet.src in counterparts.translated,
    }


def _observe_header(reset: Reset) -> Observation:
    packet = reset.packet
    payload = None if packet.diagnostic is None else bytes.fromhex(packet.diagnostic)
    kind = payload_kind(packet.reset_cause, packet.payload_len, payload)
    said = None if payload is None else diagnosis(payload)
    return {
        "ip_version": packet.ip_version,
        "hop_limit": packet.hop_limit,
        "distance": distance_if_known(packet.hop_limit),
        "ip_id": packet.ip_id,
        "tos": packet.tos,
        "flow_label": packet.flow_label,
        "window": packet.window,
        "payload_len": packet.payload_len,
        "options_len": packet.options_len,
        "reserved_bits": reserved_bits(packet.flags),
        "df": packet.df,
        "has_ack": packet.flags & ACK != 0,
        "payload_kind": kind.value,
        "f5_trailer": packet.f5_cause is not None,
        "stated_cause": stated_cause(kind, packet.reset_cause, packet.f5_cause, said),
        "stated_reason": said.reason if said else None,
        "stated_enterprise": said.enterprise if said else None,
        "netscaler_code": netscaler_meaning(packet.window),
    }


def _observe_baseline(reset: Reset, host: HostProfile) -> Observation:
    hop_limit, side = reset.packet.hop_limit, reset.side
    counts, handshake_counts = own_hop_limits(side), side.handshake_hop_limits
    baseline = most_frequent(counts)
    source = "flow" if baseline is not None else "none"
    if baseline is None:
        baseline = host.baseline()
        source = "host" if baseline is not None else "none"
    after_handshake = [value for value, packets in counts.items() if packets > handshake_counts.get(value, 0)]
    of_peer = most_frequent(reset.peer.hop_limits)
    handshake_delta = _difference(hop_limit, side.first_syn.hop_limit) if side.first_syn else None
    return {
        "baseline_source": source,
        "hop_baseline": baseline,
        "hop_delta": _difference(hop_limit, baseline),
        "baseline_distance": None if baseline is None else distance(baseline),
        "peer_distance": None if of_peer is None else distance(of_peer),
        "flow_packets": side.packets,
        "flow_values": len(counts),
        "match_packets": 0 if hop_limit is None else side.hop_limits.get(hop_limit, 0),
        "stray_packets": stray_packets(side, hop_limit),
        "hop_gap": nearest(hop_limit, counts),
        "distance_gap": nearest(distance_if_known(hop_limit), [distance(value) for value in counts]),
        "handshake_gap": None if handshake_delta is None else abs(handshake_delta),
        "data_gap": nearest(hop_limit, after_handshake),
    }


def _difference(hop_limit: int | None, other: int | None) -> int | None:
    return None if hop_limit is None or other is None else hop_limit - other


def _observe_host(reset: Reset, host: HostProfile) -> Observation:
    """A distance that only stray packets show is none of the host's; others of them may stand in other flows."""
    here, distances = distance_if_known(reset.packet.hop_limit), host.distances()
    packets, stray = sum(distances.values()), stray_packets(reset.side, reset.packet.hop_limit)
    if here is not None and stray and distances.get(here, 0) <= stray + STRAY_ELSEWHERE:
        distances.pop(here, None)
    return {
        "host_packets": packets,
        "host_values": len(distances),
        "host_share": share(distances),
        "host_gap": nearest(here, distances),
        "syn_values": len({distance(value) for value in host.syns}),
    }


def _observe_round_trip(flow: RoundTrips, handshakes: RoundTrips) -> Observation:
    """The flow's own round trip, or the host's if that is shorter or the only one: a short one accuses nobody.

    It is confirmed if a second measurement of the same kind is at most half as long again.
    """
    rtt_us = min((least for least in (flow.least_us, handshakes.least_us) if least is not None), default=None)
    seconds = [second for second in (flow.second_us, handshakes.second_us) if second is not None]
    return {
        "rtt_source": "flow" if flow.handshake else "host" if handshakes.handshake else "none",
        "rtt_us": rtt_us,
        "rtt_confirmed": None if rtt_us is None else any(2 * second <= 3 * rtt_us for second in seconds),
    }


def _observe_context(reset: Reset) -> Observation:
    return dict(zip(CONTEXT_NAMES, _context_values(reset), strict=True))


def _observe_handshakes(reset: Reset) -> Observation:
    """Fingerprints of the two hosts in their SYNs or SYN-ACKs."""
    own, peer = reset.side.first_syn, reset.peer.first_syn
    return {
        "opening_df": own.df if own else None,
        "opening_linux": _handshake_linux(reset.side),
        "opening_label": own.flow_label if own else None,
        "opening_window": own.window if own else None,
        "peer_syn_tos": peer.tos if peer and not peer.flags & ACK else None,
    }


def _handshake_linux(side: Side) -> bool:
    """Whether the handshake shows that the sender runs Linux.

    Behind a SYN proxy, other packets have a hop limit that no packet of the handshake has.
    """
    if side.first_syn is None or not side.handshake_linux:
        return False
    return own_hop_limits(side).keys() <= side.handshake_hop_limits.keys()


def _refuses_accepted(reset: Reset) -> bool:
    """A host that accepts a SYN has a sequence number of its own, so only another host resets it with 0.

    A SYN that was sent again may have found the service up the second time.
    """
    packet, peer = reset.packet, reset.peer
    if not packet.flags & ACK or packet.seq != 0:
        return False
    return peer.handshake_answered and peer.handshake_transmissions == 1 and acknowledges_syn(packet, peer)


def _continued_after(of_flow: FlowObservation, rtt: Observation, thresholds: Thresholds) -> bool:
    """The sender went on after its own reset: too late for a reordered packet, or with later knowledge.

    Bytes need a round trip of the capture point to reach the sender before what is captured now leaves it.
    """
    continued_us, overtaken_us, rtt_us = of_flow.continued_us, of_flow.overtaken_us, rtt["rtt_us"]
    if continued_us is None:
        return False
    if not isinstance(rtt_us, int):
        return continued_us > thresholds.speech_wait_us
    if continued_us > max(rtt_us, thresholds.speech_wait_us):
        return True
    if overtaken_us is None or overtaken_us < 0 or not rtt["rtt_confirmed"]:
        return False
    return overtaken_us * 100 < rtt_us * ON_ITS_WAY_SHARE and rtt_us - overtaken_us >= ON_ITS_WAY_US


def _overtaken_us(reset: Reset) -> int | None:
    acked = reset.side.acked
    if reset.in_flight_end is None or acked is None or seq_diff(acked, reset.in_flight_end) < 0:
        return None
    return reset.in_flight_us


def _continued_us(reset: Reset) -> int | None:
    """How long after its own reset the sender's side of the conversation moved on past it, if it did.

    A reset far outside the sender's sequence space answers something old and ends nothing. A SYN begins a new flow.
    """
    side, flow, time_us = reset.side, reset.flow, reset.packet.time_us
    if side.advanced_us is None or side.advanced_us <= time_us:
        return None
    if flow.last_syn_us is not None and flow.last_syn_us > time_us:
        return None
    if reset.sender_had_sent and (reset.seq_foreign or seq_diff(side.advanced_seq, reset.packet.seq) < 0):
        return None
    return side.advanced_us - time_us


def _observe_burst(reset: Reset) -> Observation:
    burst, seq = reset.burst, reset.packet.seq
    alike = burst.seqs_by_hop_limit.get(reset.packet.hop_limit, set())
    # A copy joins no burst, so its own number is added.
    beyond = [seq_diff(other, seq) for other in {seq} | alike]
    return {
        "burst_size": burst.size,
        "burst_values": len(burst.hop_limits),
        "burst_foreign": len(burst.hop_limits - own_hop_limits(reset.side).keys()),
        "burst_seqs": len(burst.seqs),
        "burst_span": max(beyond) - min(beyond),
        "burst_ahead": len(burst.seqs_ahead),
        "burst_windows_count": burst.size >= MIN_COUNTING
        and max(burst.windows) - min(burst.windows) + 1 == len(burst.windows) == burst.size,
    }


def _observe_link(reset: Reset, host: HostProfile) -> Observation:
    mac = reset.packet.mac
    return {
        "mac_new": mac not in host.macs if mac is not None and host.macs else None,
        "mac_shared": host.mac_shared if host.macs else None,
    }


def _observe_shared_origin(packet: Packet, correlation: CrossFlowCorrelation) -> Observation:
    run, origin = correlation.ip_id_run(packet), correlation.shared_origin(packet)
    return {
        "run_senders": len(run.senders) if run else None,
        "run_networks": run.networks if run else None,
        "place_senders": origin.senders,
        "place_networks": origin.networks,
        "place_foreign": origin.foreign,
        "place_baselines": origin.baselines,
        "place_native": origin.native,
        "place_rival": origin.rival,
        "place_interrupts": correlation.interrupts(packet),
    }
