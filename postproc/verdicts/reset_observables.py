"""A reset, its flow and its host -> the observables that rules weigh.

Names and meaning: heuristics/observables/vocabulary.py.

The plugin does the same in Lua (generator/templates/judge/reset_observables.lua.j2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heuristics.engine_limits import ON_ITS_WAY_SHARE, ON_ITS_WAY_US
from heuristics.observables.vocabulary import Value
from heuristics.protocol.netscaler_codes import netscaler_meaning
from heuristics.protocol.reset_payload import payload_kind
from heuristics.protocol.tshark_fields import ACK, distance, reserved_bits
from heuristics.rulebook.model import Thresholds
from postproc.flows.host_profile import HostProfile, most_frequent, nearest, share
from postproc.flows.state import Answers, Flow, Reset, RoundTrips, Side, seq_diff
from postproc.verdicts.shared_origin import Company

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars

Observation = dict[str, Value]


class InFlow(NamedTuple):
    """What the flow of a reset and its host's profile say of it, and what waits for the rest of the capture.

    `round_trips` are the flow's own. Where the sender's side of the conversation moved on past the reset, `spoke_us` is
    how long after it, and `answered_us` how long before it the last bytes had passed that were under way to the sender,
    if it acknowledges them after all.
    """

    observation: Observation
    round_trips: RoundTrips
    spoke_us: int | None
    answered_us: int | None


def observe_flow(reset: Reset, host: HostProfile, thresholds: Thresholds) -> InFlow:
    """What can be said of a reset as soon as its flow has ended; `host` is the claimed sender's profile."""
    observation = {
        **_form(reset),
        **_baseline(reset, host),
        **_host(reset, host),
        **_moment(reset),
        "seq_foreign": _seq_foreign(reset, thresholds),
        "refuses_accepted": _refuses_accepted(reset),
        "end_reason": _end_reason(reset.flow),
        "own_resets": _own_resets(reset),
        **_burst(reset),
        **_link(reset, host),
    }
    flow = reset.side.round_trips
    spoke_us = _spoke_us(reset, thresholds)
    answered_us = None if spoke_us is None else _answered_us(reset)
    return InFlow(observation, flow if flow.handshake else RoundTrips(), spoke_us, answered_us)


def observe_capture(
    packet: Packet, in_flow: InFlow, answers: Answers, company: Company, thresholds: Thresholds
) -> Observation:
    """Everything the capture says about one reset, `packet`.

    `answers` is how the claimed sender answered SYNs, `company` all resets of the capture.
    """
    rtt = _round_trip(in_flow.round_trips, answers.round_trips)
    return {
        **in_flow.observation,
        **rtt,
        "spoke_after": _spoke_after(in_flow, rtt, thresholds),
        "port_accepts": packet.sport in answers.ports,
        **_company(packet, company),
    }


def _form(reset: Reset) -> Observation:
    packet = reset.packet
    return {
        "ip_version": packet.ip_version,
        "hop_limit": packet.hop_limit,
        "distance": distance(packet.hop_limit),
        "ip_id": packet.ip_id,
        "tos": packet.tos,
        "flow_label": packet.flow_label,
        "window": packet.window,
        "payload_len": packet.payload_len,
        "options_len": packet.options_len,
        "reserved_bits": reserved_bits(packet.flags),
        "df": packet.df,
        "has_ack": packet.flags & ACK != 0,
        "payload_kind": payload_kind(packet.reset_cause, packet.payload_len).value,
        "netscaler_code": netscaler_meaning(packet.window),
    }


def _baseline(reset: Reset, host: HostProfile) -> Observation:
    hop_limit, side = reset.packet.hop_limit, reset.side
    baseline = most_frequent(side.hop_limits)
    source = "flow" if baseline is not None else "none"
    if baseline is None:
        baseline = host.baseline()
        source = "host" if baseline is not None else "none"
    shown = side.hop_limits
    after_handshake = [value for value, packets in shown.items() if packets > side.handshake_hops.get(value, 0)]
    return {
        "baseline_source": source,
        "hop_baseline": baseline,
        "hop_delta": None if baseline is None else hop_limit - baseline,
        "baseline_distance": None if baseline is None else distance(baseline),
        "flow_packets": side.packets,
        "flow_values": len(shown),
        "hop_gap": nearest(hop_limit, shown),
        "distance_gap": nearest(distance(hop_limit), [distance(value) for value in shown]),
        "handshake_gap": None if side.handshake_hop is None else abs(hop_limit - side.handshake_hop),
        "data_gap": nearest(hop_limit, after_handshake),
    }


def _host(reset: Reset, host: HostProfile) -> Observation:
    distances = host.distances()
    packets = sum(distances.values())
    return {
        "host_packets": packets,
        "host_values": len(distances),
        "host_share": share(distances),
        "host_gap": nearest(distance(reset.packet.hop_limit), distances),
    }


def _round_trip(flow: RoundTrips, handshakes: RoundTrips) -> Observation:
    """The flow's own round trip, or the host's where that is smaller or the only one: too small accuses nobody.

    It is confirmed where a second measurement of the same kind is at most half as long again.
    """
    rtt_us = min((least for least in (flow.least_us, handshakes.least_us) if least is not None), default=None)
    seconds = [second for second in (flow.second_us, handshakes.second_us) if second is not None]
    return {
        "rtt_source": "flow" if flow.handshake else "host" if handshakes.handshake else "none",
        "rtt_us": rtt_us,
        "rtt_confirmed": None if rtt_us is None else any(2 * second <= 3 * rtt_us for second in seconds),
    }


def _moment(reset: Reset) -> Observation:
    """What the tracker took down when the reset passed."""
    return {
        "stage": reset.stage,
        "sender_is_initiator": reset.sender_is_initiator,
        "syn_only": reset.syn_only,
        "established": reset.established,
        "fin_before": reset.fin_before,
        "resets_before": reset.resets_before,
        "peer_resets_before": reset.peer_resets_before,
        "seq_ahead": reset.seq_ahead,
        "seq_step": reset.seq_step,
        "acked_us": reset.acked_us,
        "idle_us": reset.idle_us,
        "response_us": reset.response_us,
        "peer_run_us": reset.peer_run_us,
        "peer_pause_us": reset.peer_pause_us,
        "id_mirrored": reset.id_mirrored,
        "window_mirrored": reset.window_mirrored,
        "reserved_mirrored": reset.reserved_mirrored,
        "id_step": reset.id_step,
        "own_id_step": reset.own_id_step,
        "own_window": reset.own_window,
        "ts_step": reset.ts_step,
        "ts_missing": reset.packet.tsval is None and reset.ts_expected,
        "ack_ahead": reset.ack_ahead,
        "ack_step": reset.ack_step,
        "acked_bytes": reset.acked_bytes,
        "ack_unflagged": reset.ack_unflagged,
        "answers_earlier": reset.answers_earlier,
        "peer_reset_gap_us": reset.peer_reset_gap_us,
        **_openings(reset),
    }


def _openings(reset: Reset) -> Observation:
    """What the two SYNs (or SYN-ACKs) show of their senders' habits."""
    own, peer = reset.side.opening, reset.peer.opening
    return {
        "opening_df": own.df if own else None,
        "opening_linux": _opening_linux(reset.side),
        "opening_label": own.flow_label if own else None,
        "opening_window": own.window if own else None,
        "peer_syn_tos": peer.tos if peer and not peer.flags & ACK else None,
    }


def _opening_linux(side: Side) -> bool:
    """Whether the sender is known for a Linux host by its handshake.

    Behind a SYN proxy, packets show a hop limit that the handshake does not.
    """
    return side.opening is not None and side.handshake_linux and side.hop_limits.keys() <= side.handshake_hops.keys()


def _refuses_accepted(reset: Reset) -> bool:
    """A host that accepts a SYN has a sequence number of its own, so only a stranger resets it with 0."""
    packet, peer = reset.packet, reset.peer
    if not packet.flags & ACK or packet.seq != 0 or peer.isn is None:
        return False
    return peer.handshake_answered and packet.ack == (peer.isn + 1) & 0xFFFFFFFF


def _spoke_after(in_flow: InFlow, rtt: Observation, thresholds: Thresholds) -> bool:
    """The sender went on too late for a packet that was overtaken, or knows of what came after its own reset had left.

    Bytes need a round trip of the capture point to reach the sender before what is captured now leaves it.
    """
    spoke_us, answered_us, rtt_us = in_flow.spoke_us, in_flow.answered_us, rtt["rtt_us"]
    if spoke_us is None:
        return False
    if not isinstance(rtt_us, int):
        return spoke_us > thresholds.speech_wait_us
    if spoke_us > max(rtt_us, thresholds.speech_wait_us):
        return True
    if answered_us is None or answered_us < 0 or not rtt["rtt_confirmed"]:
        return False
    return answered_us * 100 < rtt_us * ON_ITS_WAY_SHARE and rtt_us - answered_us >= ON_ITS_WAY_US


def _answered_us(reset: Reset) -> int | None:
    if reset.under_way is None or reset.side.acked is None or seq_diff(reset.side.acked, reset.under_way) < 0:
        return None
    return reset.under_way_us


def _spoke_us(reset: Reset, thresholds: Thresholds) -> int | None:
    """How long after its own reset the sender's side of the conversation moved on past it, if it did.

    A reset far outside the sender's sequence space answers something old and ends nothing; a SYN begins anew.
    """
    side, flow, time_us = reset.side, reset.flow, reset.packet.time_us
    if side.front_us is None or side.front_us <= time_us:
        return None
    if flow.last_syn_us is not None and flow.last_syn_us > time_us:
        return None
    if reset.sender_had_sent and (_seq_foreign(reset, thresholds) or seq_diff(side.front_seq, reset.packet.seq) < 0):
        return None
    return side.front_us - time_us


def _seq_foreign(reset: Reset, thresholds: Thresholds) -> bool:
    """The reset belongs to another conversation, such as the one before a SYN proxy or before the ports were reused."""
    return reset.sender_had_sent and reset.seq_ahead is not None and abs(reset.seq_ahead) > thresholds.seq_reach


def _end_reason(flow: Flow) -> str:
    """Why the session ended, as a Palo Alto firewall would log it (PAN-OS, traffic log fields, session end reason).

    A reset outranks a FIN, and the client's the server's.
    """
    client = flow.sides[flow.initiator or flow.likely_initiator]
    return "tcp-rst-from-client" if client.resets else "tcp-rst-from-server"


def _own_resets(reset: Reset) -> int:
    """Resets in the sender's name that carry a hop limit of its authentic packets, this one included."""
    side = reset.side
    return sum(count for hop_limit, count in side.reset_hops.items() if hop_limit in side.hop_limits)


def _burst(reset: Reset) -> Observation:
    burst = reset.burst
    return {
        "burst_size": burst.size,
        "burst_values": len(burst.hop_limits),
        "burst_foreign": len(burst.hop_limits - reset.side.hop_limits.keys()),
        "burst_seqs": len(burst.seqs),
        "burst_ahead": len(burst.ahead),
    }


def _link(reset: Reset, host: HostProfile) -> Observation:
    mac = reset.packet.mac
    return {
        "mac_new": mac not in host.macs if mac is not None and host.macs else None,
        "mac_shared": host.mac_shared if host.macs else None,
        "mac_addressed": reset.mac_addressed,
    }


def _company(packet: Packet, company: Company) -> Observation:
    run, place = company.run(packet), company.place(packet)
    return {
        "run_senders": len(run.senders) if run else None,
        "run_networks": run.networks if run else None,
        "place_senders": place.senders,
        "place_networks": place.networks,
        "place_foreign": place.foreign,
        "place_baselines": place.baselines,
        "place_native": place.native,
        "place_rival": place.rival,
    }
