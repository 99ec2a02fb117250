"""The reset context: the state of the flow when a reset passed.

`take_reset` measures every observable whose source is the context (heuristics/observables/vocabulary.py). The plugin
does the same in Lua (generator/templates/state/reset_context.lua.j2), function by function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heuristics.engine_limits import OWN_RUN, REMEMBERED_RESETS
from heuristics.protocol.tshark_fields import ACK, reserved_bits
from heuristics.rulebook.model import Thresholds
from postproc.flows.connection_end import after_end, crossed_fin, note_end
from postproc.flows.host_profile import nearest
from postproc.flows.injected_packets import own_resets
from postproc.flows.silence import silence_us
from postproc.flows.state import Flow, Reset, ResetBurst, Side
from postproc.flows.tcp_arithmetic import elapsed_us, seq_diff

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


def take_reset(packet: Packet, flow: Flow, thresholds: Thresholds) -> Reset:
    """The reset with its context. Also counts it on its side of the flow."""
    side, peer = flow.sides[(packet.src, packet.sport)], flow.sides[(packet.dst, packet.dport)]
    original = _duplicate_of(packet, side, thresholds)
    seq_ahead, id_step = _seq_ahead(packet, side, peer), _id_step(packet, side)
    idle_us = _idle_us(packet, side, peer)
    in_flight = peer.in_flight[-1] if peer.in_flight else None
    reset = Reset(
        packet=packet,
        flow=flow,
        side=side,
        peer=peer,
        burst=original.burst if original else _join_burst(packet, side, seq_ahead, thresholds),
        is_copy=original is not None,
        sender_had_sent=side.packets > 0,
        off_flow=(nearest(packet.hop_limit, side.hop_limits) or 0) >= 2,
        in_flight_end=in_flight.end if in_flight else None,
        in_flight_us=elapsed_us(packet.time_us, in_flight.time_us) if in_flight else None,
        # The observables of the context
        stage=stage_of(flow),
        sender_is_initiator=None if flow.initiator is None else flow.initiator == (packet.src, packet.sport),
        syn_only=_syn_only(packet, flow, side),
        established=side.established,
        fin_before=side.fin or peer.fin,
        after_end=original.after_end if original else after_end(packet, side, peer),
        crossed_fin=crossed_fin(side, peer),
        resets_before=original.resets_before if original else side.resets,
        own_resets_before=original.own_resets_before if original else own_resets(side, side.reset_hop_limits),
        peer_resets_before=peer.resets,
        peer_reset_gap_us=_peer_reset_gap_us(packet, peer),
        seq_ahead=seq_ahead,
        seq_step=None if side.next_seq is None else seq_diff(packet.seq, side.next_seq),
        seq_foreign=_seq_foreign(side, seq_ahead, thresholds),
        ack_ahead=_ack_ahead(packet, peer),
        ack_step=_ack_step(packet, side),
        acked_bytes=_acked_bytes(packet, peer),
        ack_unflagged=_ack_unflagged(packet, peer, thresholds),
        answers_earlier=_answers_earlier(packet, peer, thresholds),
        acked_us=_acked_us(packet, peer),
        idle_us=idle_us,
        silence_us=silence_us(idle_us, peer.preceding_gap_us),
        response_us=_response_us(packet, peer),
        peer_run_us=None if peer.packet_burst_us is None else elapsed_us(packet.time_us, peer.packet_burst_us),
        peer_pause_us=peer.preceding_gap_us,
        id_mirrored=_id_mirrored(packet, peer, id_step),
        window_mirrored=_window_mirrored(packet, side, peer),
        reserved_mirrored=_reserved_mirrored(packet, peer),
        id_step=id_step,
        own_id_step=_own_id_step(side),
        own_window=side.last.window if side.last else None,
        ts_step=_ts_step(packet, side),
        ts_missing=_ts_missing(packet, side),
        mac_addressed=_mac_addressed(packet, peer),
    )
    side.last_reset = reset
    if original is None:
        note_end(reset)
        side.resets += 1
        side.reset_hop_limits[packet.hop_limit] = side.reset_hop_limits.get(packet.hop_limit, 0) + 1
        if not packet.flags & ACK:
            bare = side.bare_reset_hop_limits
            bare[packet.hop_limit] = bare.get(packet.hop_limit, 0) + 1
    side.recent_resets = [*side.recent_resets[1 - REMEMBERED_RESETS :], reset]
    return reset


def _duplicate_of(packet: Packet, side: Side, thresholds: Thresholds) -> Reset | None:
    """The earlier reset of which this is a second capture (mirror port, both sides of a router), if any.

    Two resets with the same IP ID other than 0 are one packet. Without an IP ID, a duplicate is accepted only if it is
    at most one router away from the original or from another duplicate, since forgers send the same reset again with
    another hop limit. Where hop limits are not known, it is none.
    """
    for reset in reversed(side.recent_resets):
        other = reset.packet
        if packet.time_us - other.time_us > thresholds.copy_gap_us:
            break
        same = (
            packet.seq == other.seq
            and packet.ack == other.ack
            and packet.flags == other.flags
            and packet.window == other.window
            and packet.ip_id == other.ip_id
            and packet.payload_len == other.payload_len
            and packet.tsval == other.tsval
        )
        if same and (packet.ip_id or _one_router_apart(packet, other)):
            return reset
    return None


def _one_router_apart(packet: Packet, other: Packet) -> bool:
    if packet.hop_limit is None or other.hop_limit is None:
        return False
    return abs(packet.hop_limit - other.hop_limit) <= 1


def _join_burst(packet: Packet, side: Side, seq_ahead: int | None, thresholds: Thresholds) -> ResetBurst:
    """The burst that the reset continues or begins."""
    burst = side.reset_burst
    if burst is None or abs(packet.time_us - burst.last_us) > thresholds.burst_gap_us:
        burst = side.reset_burst = ResetBurst(packet.time_us)
    burst.last_us = packet.time_us
    burst.size += 1
    if packet.hop_limit is not None:
        burst.hop_limits.add(packet.hop_limit)
    burst.seqs.add(packet.seq)
    burst.seqs_by_hop_limit.setdefault(packet.hop_limit, set()).add(packet.seq)
    burst.windows.add(packet.window)
    if seq_ahead is not None and 0 < seq_ahead <= thresholds.seq_reach:
        burst.seqs_ahead.add(packet.seq)
    return burst


def stage_of(flow: Flow) -> str:
    """The stage of the connection, in the words of the connection-tampering literature (SIGCOMM 2023).

    As there, only the initiator's data count. Without a handshake, data show that the stage was later than the first.
    """
    sides = flow.sides
    if any(side.fin for side in sides.values()):
        return "after-fin"
    if flow.initiator is None:
        return "later" if any(side.data_packets for side in sides.values()) else "unknown"
    initiator = sides[flow.initiator]
    if initiator.data_packets == 0:
        return "post-ack" if initiator.established else "post-syn"
    return "post-psh" if initiator.data_packets == 1 else "later"


def _syn_only(packet: Packet, flow: Flow, side: Side) -> bool:
    return side.packets > 0 and flow.initiator == (packet.src, packet.sport) and not side.established


def _peer_reset_gap_us(packet: Packet, peer: Side) -> int | None:
    """Time to the peer's nearest reset. If this reset is the nearest to the peer's last one, notes it there too."""
    other = peer.last_reset
    if other is None:
        return None
    gap_us = abs(elapsed_us(packet.time_us, other.packet.time_us))
    if other.peer_reset_gap_us is None or gap_us < other.peer_reset_gap_us:
        other.peer_reset_gap_us = gap_us
    return gap_us


def _seq_ahead(packet: Packet, side: Side, peer: Side) -> int | None:
    """Compares with the most that the sender sent or the peer acknowledged: a capture may lack the sender's side."""
    known = [seq_diff(packet.seq, end) for end in (side.next_seq, peer.acked) if end is not None]
    return min(known, default=None)


def _seq_foreign(side: Side, seq_ahead: int | None, thresholds: Thresholds) -> bool:
    """The reset belongs to another conversation: one before a SYN proxy, or one before the ports were reused."""
    return side.packets > 0 and seq_ahead is not None and abs(seq_ahead) > thresholds.seq_reach


def _ack_ahead(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK or peer.next_seq is None:
        return None
    return seq_diff(packet.ack, peer.next_seq)


def _ack_step(packet: Packet, side: Side) -> int | None:
    if not packet.flags & ACK or side.last is None or not side.last.flags & ACK:
        return None
    return seq_diff(packet.ack, side.last.ack)


def _acked_bytes(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK or peer.isn is None:
        return None
    return seq_diff(packet.ack, peer.isn) - 1


def _ack_unflagged(packet: Packet, peer: Side, thresholds: Thresholds) -> bool:
    """The limit is needed: without ACK the field is 0, and a firewall that shifts numbers makes any number of it."""
    if packet.flags & ACK or packet.ack == 0 or peer.next_seq is None:
        return False
    return abs(seq_diff(packet.ack, peer.next_seq)) <= thresholds.seq_reach


def _answers_earlier(packet: Packet, peer: Side, thresholds: Thresholds) -> bool:
    """A reset without ACK takes its number from the acknowledgement of what it answers (RFC 9293 section 3.10.7.1)."""
    if packet.flags & ACK or peer.acked is None:
        return False
    return -thresholds.seq_reach <= seq_diff(packet.seq, peer.acked) < 0


def _acked_us(packet: Packet, peer: Side) -> int | None:
    """Time since the last byte that the packet acknowledges was first captured."""
    if not packet.flags & ACK:
        return None
    for segment in peer.in_flight:
        if seq_diff(segment.end, packet.ack) >= 0 and seq_diff(packet.ack, segment.start) > 0:
            return elapsed_us(packet.time_us, segment.time_us)
    return None


def _idle_us(packet: Packet, side: Side, peer: Side) -> int | None:
    """Time since the last packet of the flow, in either direction."""
    return min((elapsed_us(packet.time_us, last.time_us) for last in (side.last, peer.last) if last), default=None)


def _response_us(packet: Packet, peer: Side) -> int | None:
    acked_us = _acked_us(packet, peer)
    if acked_us is None and peer.last is not None:
        return elapsed_us(packet.time_us, peer.last.time_us)
    return acked_us


def _id_mirrored(packet: Packet, peer: Side, id_step: int | None) -> bool | None:
    """Whether the IP ID is copied from the peer's last packet."""
    if packet.ip_id is None or peer.last is None or peer.last.ip_id is None:
        return None
    own_next = id_step is not None and id_step <= OWN_RUN
    return packet.ip_id != 0 and packet.ip_id == peer.last.ip_id and not own_next


def _window_mirrored(packet: Packet, side: Side, peer: Side) -> bool | None:
    """Whether the window is copied from the peer's last packet."""
    if peer.last is None:
        return None
    own = side.last is not None and side.last.window == packet.window
    return packet.window != 0 and packet.window == peer.last.window and not own


def _reserved_mirrored(packet: Packet, peer: Side) -> bool | None:
    """Whether the reserved bits are copied from the peer's last packet."""
    if peer.last is None:
        return None
    reserved = reserved_bits(packet.flags)
    return reserved != 0 and reserved == reserved_bits(peer.last.flags)


def _id_step(packet: Packet, side: Side) -> int | None:
    if packet.ip_id is None or side.last is None or side.last.ip_id is None:
        return None
    return (packet.ip_id - side.last.ip_id) & 0xFFFF


def _own_id_step(side: Side) -> int | None:
    if side.before_last_id is None or side.last is None or side.last.ip_id is None:
        return None
    return (side.last.ip_id - side.before_last_id) & 0xFFFF


def _ts_step(packet: Packet, side: Side) -> int | None:
    if packet.tsval is None or side.last_tsval is None:
        return None
    return seq_diff(packet.tsval, side.last_tsval)


def _ts_missing(packet: Packet, side: Side) -> bool:
    return packet.tsval is None and side.established and side.last is not None and side.last.tsval is not None


def _mac_addressed(packet: Packet, peer: Side) -> bool | None:
    """Whether the peer's last packet went to the MAC address that the reset comes from."""
    if packet.mac is None or peer.last is None:
        return False
    return None if peer.last.mac_to is None else packet.mac == peer.last.mac_to
