"""What only the moment can tell of a reset: how the flow stood when it passed.

The plugin does the same in Lua (generator/templates/state/reset_context.lua.j2), function by function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heuristics.engine_limits import OWN_RUN, REMEMBERED_RESETS
from heuristics.protocol.tshark_fields import ACK, reserved_bits
from heuristics.rulebook.model import Thresholds
from postproc.flows.state import Burst, Flow, Reset, Side, elapsed_us, seq_diff

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


def take_reset(packet: Packet, flow: Flow, thresholds: Thresholds) -> Reset:
    """Take down a reset as it passes, and note on its side of the flow that there was one."""
    side, peer = flow.sides[(packet.src, packet.sport)], flow.sides[(packet.dst, packet.dport)]
    original = _copied(packet, side, thresholds)
    seq_ahead = _seq_ahead(packet, side, peer)
    acked_us = _acked_us(packet, peer)
    if acked_us is None and peer.last is not None:
        response_us: int | None = elapsed_us(packet.time_us, peer.last.time_us)
    else:
        response_us = acked_us
    id_step = _id_step(packet, side)
    under_way = peer.sent[-1] if peer.sent else None
    reset = Reset(
        packet=packet,
        flow=flow,
        side=side,
        peer=peer,
        burst=original.burst if original else _join_burst(packet, side, seq_ahead, thresholds),
        stage=stage_of(flow),
        sender_is_initiator=None if flow.initiator is None else flow.initiator == (packet.src, packet.sport),
        syn_only=_syn_only(packet, flow, side),
        sender_had_sent=side.packets > 0,
        established=side.established,
        fin_before=side.fin or peer.fin,
        resets_before=original.resets_before if original else side.resets,
        peer_resets_before=peer.resets,
        seq_ahead=seq_ahead,
        seq_step=None if side.next_seq is None else seq_diff(packet.seq, side.next_seq),
        acked_us=acked_us,
        idle_us=_idle_us(packet, side, peer),
        response_us=response_us,
        peer_run_us=None if peer.run_us is None else elapsed_us(packet.time_us, peer.run_us),
        peer_pause_us=peer.pause_us,
        id_mirrored=_id_mirrored(packet, peer, id_step),
        window_mirrored=_window_mirrored(packet, side, peer),
        reserved_mirrored=_reserved_mirrored(packet, peer),
        id_step=id_step,
        own_id_step=_own_id_step(side),
        own_window=side.last.window if side.last else None,
        ts_step=_ts_step(packet, side),
        ts_expected=side.established and side.last is not None and side.last.tsval is not None,
        ack_ahead=_ack_ahead(packet, peer),
        ack_step=_ack_step(packet, side),
        ack_unflagged=_ack_unflagged(packet, peer, thresholds),
        answers_earlier=_answers_earlier(packet, peer, thresholds),
        under_way=under_way.end if under_way else None,
        under_way_us=elapsed_us(packet.time_us, under_way.time_us) if under_way else None,
        acked_bytes=_acked_bytes(packet, peer),
        mac_addressed=_mac_addressed(packet, peer),
        peer_reset_gap_us=_note_crossing(packet, peer),
    )
    side.last_reset = reset
    if original is None:
        side.resets += 1
        side.reset_hops[packet.hop_limit] = side.reset_hops.get(packet.hop_limit, 0) + 1
        side.recent_resets = [*side.recent_resets[1 - REMEMBERED_RESETS :], reset]
    return reset


def _join_burst(packet: Packet, side: Side, seq_ahead: int | None, thresholds: Thresholds) -> Burst:
    burst = side.burst
    if burst is None or abs(packet.time_us - burst.last_us) > thresholds.burst_gap_us:
        burst = side.burst = Burst(packet.time_us)
    burst.last_us = packet.time_us
    burst.size += 1
    burst.hop_limits.add(packet.hop_limit)
    burst.seqs.add(packet.seq)
    if seq_ahead is not None and 0 < seq_ahead <= thresholds.seq_reach:
        burst.ahead.add(packet.seq)
    return burst


def _acked_us(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK:
        return None
    for sent in peer.sent:
        if seq_diff(sent.end, packet.ack) >= 0 and seq_diff(packet.ack, sent.start) > 0:
            return elapsed_us(packet.time_us, sent.time_us)
    return None


def _idle_us(packet: Packet, side: Side, peer: Side) -> int | None:
    return min((elapsed_us(packet.time_us, last.time_us) for last in (side.last, peer.last) if last), default=None)


def _seq_ahead(packet: Packet, side: Side, peer: Side) -> int | None:
    """Against the most that the sender sent or the peer acknowledged: a capture may have missed the sender's side."""
    known = [seq_diff(packet.seq, end) for end in (side.next_seq, peer.acked) if end is not None]
    return min(known, default=None)


def stage_of(flow: Flow) -> str:
    """Where the connection stood, in the words of the connection-tampering literature (SIGCOMM 2023).

    Only the initiator's data count, as there. Without the handshake, data tell that it was later than the first.
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


def _id_step(packet: Packet, side: Side) -> int | None:
    if packet.ip_id is None or side.last is None or side.last.ip_id is None:
        return None
    return (packet.ip_id - side.last.ip_id) & 0xFFFF


def _own_id_step(side: Side) -> int | None:
    if side.before_last_id is None or side.last is None or side.last.ip_id is None:
        return None
    return (side.last.ip_id - side.before_last_id) & 0xFFFF


def _ack_ahead(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK or peer.next_seq is None:
        return None
    return seq_diff(packet.ack, peer.next_seq)


def _ack_step(packet: Packet, side: Side) -> int | None:
    if not packet.flags & ACK or side.last is None or not side.last.flags & ACK:
        return None
    return seq_diff(packet.ack, side.last.ack)


def _ack_unflagged(packet: Packet, peer: Side, thresholds: Thresholds) -> bool:
    """A firewall that shifts sequence numbers makes any number of the 0 that no ACK goes with."""
    if packet.flags & ACK or packet.ack == 0 or peer.next_seq is None:
        return False
    return abs(seq_diff(packet.ack, peer.next_seq)) <= thresholds.seq_reach


def _answers_earlier(packet: Packet, peer: Side, thresholds: Thresholds) -> bool:
    """A reset without ACK takes its number from the acknowledgement of what it answers (RFC 9293 section 3.10.7.1)."""
    if packet.flags & ACK or peer.acked is None:
        return False
    return -thresholds.seq_reach <= seq_diff(packet.seq, peer.acked) < 0


def _acked_bytes(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK or peer.isn is None:
        return None
    return seq_diff(packet.ack, peer.isn) - 1


def _note_crossing(packet: Packet, peer: Side) -> int | None:
    """Time to the peer's nearest reset; for the peer's last one this reset may be the nearest."""
    other = peer.last_reset
    if other is None:
        return None
    gap_us = abs(elapsed_us(packet.time_us, other.packet.time_us))
    if other.peer_reset_gap_us is None or gap_us < other.peer_reset_gap_us:
        other.peer_reset_gap_us = gap_us
    return gap_us


def _ts_step(packet: Packet, side: Side) -> int | None:
    if packet.tsval is None or side.last_tsval is None:
        return None
    return seq_diff(packet.tsval, side.last_tsval)


def _id_mirrored(packet: Packet, peer: Side, id_step: int | None) -> bool | None:
    if packet.ip_id is None or peer.last is None or peer.last.ip_id is None:
        return None
    own = id_step is not None and id_step <= OWN_RUN
    return packet.ip_id != 0 and packet.ip_id == peer.last.ip_id and not own


def _mac_addressed(packet: Packet, peer: Side) -> bool | None:
    if packet.mac is None or peer.last is None:
        return False
    return None if peer.last.mac_to is None else packet.mac == peer.last.mac_to


def _window_mirrored(packet: Packet, side: Side, peer: Side) -> bool | None:
    if peer.last is None:
        return None
    own = side.last is not None and side.last.window == packet.window
    return packet.window != 0 and packet.window == peer.last.window and not own


def _reserved_mirrored(packet: Packet, peer: Side) -> bool | None:
    if peer.last is None:
        return None
    reserved = reserved_bits(packet.flags)
    return reserved != 0 and reserved == reserved_bits(peer.last.flags)


def _copied(packet: Packet, side: Side, thresholds: Thresholds) -> Reset | None:
    """The earlier reset that this is a second capture of (mirror port, both sides of a router), if any.

    An IP ID other than 0 makes two resets one packet. Without it a copy is believed only when it is at most one router
    away from the original, since forgers send the same reset again with another hop limit.
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
        if same and (packet.ip_id or abs(packet.hop_limit - other.hop_limit) <= 1):
            return reset
    return None
