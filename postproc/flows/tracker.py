"""Follow TCP flows packet by packet, and take the context of each reset (reset_context.py).

A flow is addresses, ports and incarnation. Verdicts come later, from the whole capture (verdicts/reset_observables.py).
The plugin does the same in Lua (generator/templates/state/tracker.lua.j2), function by function.
"""

from __future__ import annotations

from collections.abc import Iterable

from heuristics.engine_limits import REMEMBERED_SEGMENTS
from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from heuristics.rulebook.model import Thresholds
from postproc.capture.packet_table import Packet
from postproc.flows.handshake_rtt import acknowledges_syn, time_syn_ack
from postproc.flows.injected_packets import count_hop_limit, is_sender_hop_limit
from postproc.flows.reset_context import take_reset
from postproc.flows.state import Flow, HostHandshakes, InFlight, Reset, Side
from postproc.flows.tcp_arithmetic import SEQ_HALF, SEQ_MASK, elapsed_us, seq_diff


class Tracker:
    """Takes every TCP packet of a flow in file order, and fills `resets` and `handshakes`.

    `handshakes` has an entry for each address that sent SYN-ACKs. It may hold those of other flows already.
    """

    def __init__(self, thresholds: Thresholds, handshakes: dict[str, HostHandshakes] | None = None) -> None:
        self.thresholds = thresholds
        self.flows: dict[tuple[tuple[str, int], tuple[str, int]], Flow] = {}
        self.resets: list[Reset] = []
        self.handshakes = {} if handshakes is None else handshakes
        # The flow, the sender's side and the other one, by the addresses and ports of a packet.
        self._directions: dict[tuple[str, int, str, int], tuple[Flow, Side, Side]] = {}

    def follow(self, packets: Iterable[Packet]) -> None:
        """Follow packets of kind TCP, in file order."""
        directions = self._directions
        for packet in packets:
            ends, flags = (packet.src, packet.sport, packet.dst, packet.dport), packet.flags
            direction = directions.get(ends)
            if direction is None or (flags & (SYN | RST) == SYN and _begins_again(packet, direction[0])):
                direction = self._new_flow(packet, ends)
            flow, side, peer = direction
            flow.last_frame = packet.frame
            if flags & RST:
                self.resets.append(take_reset(packet, flow, self.thresholds))
            else:
                self._take_authentic(packet, flow, side, peer)

    def _new_flow(self, packet: Packet, ends: tuple[str, int, str, int]) -> tuple[Flow, Side, Side]:
        """A new flow, or the next incarnation of one."""
        source, target = ends[:2], ends[2:]
        low, high = (source, target) if source <= target else (target, source)
        previous, incarnation = self.flows.get((low, high)), 0
        if previous is not None:
            incarnation = previous.incarnation + 1
            previous.reused = True
        sides = {low: Side(), high: Side()}
        flow = Flow(
            low=low,
            high=high,
            incarnation=incarnation,
            first_frame=packet.frame,
            last_frame=packet.frame,
            sides=sides,
            likely_initiator=source if packet.sport >= packet.dport else target,
        )
        self.flows[(low, high)] = flow
        direction = self._directions[ends] = flow, sides[source], sides[target]
        self._directions[target + source] = flow, sides[target], sides[source]
        return direction

    def _take_authentic(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        """Take a segment that its sender is assumed to have sent itself: every segment but resets."""
        flags, last = packet.flags, side.last
        count_hop_limit(side, packet.hop_limit)
        if flags & SYN:
            self._take_handshake(packet, flow, side, peer)
        if flags & ACK and peer.in_flight:
            _take_round_trips(packet, side, peer)
        _advance(packet, side, peer)
        if last is None:
            side.packet_burst_us, side.preceding_gap_us = packet.time_us, None
        else:
            side.before_last_id = last.ip_id
            if packet.time_us - last.time_us >= self.thresholds.talk_gap_us:
                side.packet_burst_us, side.preceding_gap_us = packet.time_us, elapsed_us(packet.time_us, last.time_us)
        if flags & FIN:
            side.fin = True
        if packet.tsval is not None:
            side.last_tsval = packet.tsval
        side.last = packet

    def _take_handshake(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        """Take a SYN or SYN-ACK."""
        side.first_syn = side.first_syn or packet
        side.handshake_packets += 1
        side.handshake_linux = side.handshake_linux and packet.linux_options
        side.handshake_hop_limits[packet.hop_limit] = side.handshake_hop_limits.get(packet.hop_limit, 0) + 1
        side.handshake_transmissions = side.handshake_transmissions + 1 if side.isn == packet.seq else 1
        if side.handshake_transmissions == 1:
            side.isn, side.handshake_us, side.handshake_answered = packet.seq, packet.time_us, False
        source, target = (packet.src, packet.sport), (packet.dst, packet.dport)
        if packet.flags & ACK:
            flow.initiator = flow.initiator or target
            handshakes = self.handshakes.setdefault(packet.src, HostHandshakes())
            handshakes.accepting_ports.add(packet.sport)
            time_syn_ack(packet, peer, handshakes.round_trips)
        else:
            flow.initiator = flow.initiator or source
            flow.last_syn_us = packet.time_us


def _begins_again(packet: Packet, flow: Flow) -> bool:
    """Whether a SYN on a flow begins the next incarnation: the flow has ended, and it is not the old SYN once more.

    A SYN-ACK begins an incarnation only if the capture lacks the SYN: if it holds the peer's SYN, that one is answered.
    """
    if not flow.ended:
        return False
    side, peer = flow.sides[(packet.src, packet.sport)], flow.sides[(packet.dst, packet.dport)]
    if packet.flags & ACK and acknowledges_syn(packet, peer):
        return False
    return packet.seq != side.isn


# The functions below run for every packet. They compare sequence numbers by SEQ_MASK and SEQ_HALF, which is faster than
# seq_diff.


def _advance(packet: Packet, side: Side, peer: Side) -> None:
    """Note what the packet adds to the sender's sequence space, and whether it moves the conversation on."""
    flags, seq, payload_len, next_seq = packet.flags, packet.seq, packet.payload_len, side.next_seq
    length = payload_len + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)  # in the sequence space
    end = (seq + length) & SEQ_MASK
    fresh = next_seq is None or (seq - next_seq) & SEQ_MASK < SEQ_HALF
    acknowledges_more = False
    if flags & ACK:
        acknowledges_more = side.acked is None or 0 < (packet.ack - side.acked) & SEQ_MASK < SEQ_HALF
        if fresh and (length or acknowledges_more) and is_sender_hop_limit(side, packet.hop_limit):
            side.advanced_us, side.advanced_seq = packet.time_us, seq
    if length:
        _remember_in_flight(packet, side, peer, end, fresh=fresh)
    if fresh and payload_len and not flags & SYN:  # TCP Fast Open (RFC 7413) sends data with the SYN
        side.data_packets += 1
    if next_seq is None or 0 < (end - next_seq) & SEQ_MASK < SEQ_HALF:
        side.next_seq = end
    if acknowledges_more:
        side.acked = packet.ack


def _remember_in_flight(packet: Packet, side: Side, peer: Side, end: int, *, fresh: bool) -> None:
    """Remember the segment until it is acknowledged. A segment that overlaps another was sent, or captured, twice.

    A segment that fills a hole was overtaken by the next one. A segment from before the oldest that is in flight may be
    a retransmission.
    """
    seq, in_flight, overlaps = packet.seq, side.in_flight, False
    for other in () if fresh else in_flight:
        if 0 < (other.end - seq) & SEQ_MASK < SEQ_HALF and 0 < (end - other.start) & SEQ_MASK < SEQ_HALF:
            other.retransmitted, overlaps = True, True
    fills_hole = (
        not fresh
        and not overlaps
        and len(in_flight) > 0
        and seq_diff(seq, in_flight[0].start) >= 0
        and (peer.acked is None or seq_diff(seq, peer.acked) >= 0)
    )
    if fresh or fills_hole:
        in_flight.append(InFlight(seq, end, packet.time_us))
        if len(in_flight) > REMEMBERED_SEGMENTS:
            del in_flight[0]


def _take_round_trips(packet: Packet, side: Side, peer: Side) -> None:
    """An acknowledgement ends the round trip of the segment that ends there, unless retransmitted (Karn's rule)."""
    ack, waiting = packet.ack, []
    for segment in peer.in_flight:
        if (ack - segment.end) & SEQ_MASK >= SEQ_HALF:
            waiting.append(segment)
        elif ack == segment.end and not segment.retransmitted and packet.time_us >= segment.time_us:
            side.round_trips.add(elapsed_us(packet.time_us, segment.time_us), handshake=segment.start == peer.isn)
    peer.in_flight = waiting
