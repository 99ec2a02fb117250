"""Follow TCP flows packet by packet; at each reset, have it taken down (moment.py).

A flow is addresses, ports and incarnation. What a reset means is judged later, from everything the capture shows
(observe.py). The plugin does the same in Lua (generator/templates/state/tracker.lua.j2), function by function.
"""

from __future__ import annotations

from collections.abc import Iterable

from heuristics.engine_limits import REMEMBERED_SEGMENTS
from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from heuristics.rulebook.model import Thresholds
from postproc.capture.packet_table import Packet
from postproc.flows.reset_context import take_reset
from postproc.flows.state import Answers, Flow, Reset, RoundTrips, Sent, Side, elapsed_us, seq_diff


class Tracker:
    """Feed it every TCP packet of a flow in file order; `resets` and `answers` fill up.

    `answers` may be those of other flows already.
    """

    def __init__(self, thresholds: Thresholds, answers: dict[str, Answers] | None = None) -> None:
        self.thresholds = thresholds
        self.flows: dict[tuple[tuple[str, int], tuple[str, int]], Flow] = {}
        self.resets: list[Reset] = []
        self.answers = {} if answers is None else answers  # by the address that answered
        # The flow, the sender's side and the other one, by the addresses and ports of a packet.
        self._ways: dict[tuple[str, int, str, int], tuple[Flow, Side, Side]] = {}

    def follow(self, packets: Iterable[Packet]) -> None:
        """Take in packets of kind TCP, in file order."""
        ways = self._ways
        for packet in packets:
            ends, flags = (packet.src, packet.sport, packet.dst, packet.dport), packet.flags
            way = ways.get(ends)
            if way is None or (flags & (SYN | RST) == SYN and _begins_again(packet, way[0])):
                way = self._begin(packet, ends)
            flow, side, peer = way
            flow.last_frame = packet.frame
            if flags & RST:
                self.resets.append(take_reset(packet, flow, self.thresholds))
            else:
                self._authentic(packet, flow, side, peer)

    def _begin(self, packet: Packet, ends: tuple[str, int, str, int]) -> tuple[Flow, Side, Side]:
        """A new flow, or the next incarnation of one."""
        source, target = ends[:2], ends[2:]
        low, high = (source, target) if source <= target else (target, source)
        before, incarnation = self.flows.get((low, high)), 0
        if before is not None:
            incarnation = before.incarnation + 1
            before.reused = True
        sides = {low: Side(), high: Side()}
        likely_initiator = source if packet.sport >= packet.dport else target
        flow = Flow(low, high, incarnation, packet.frame, packet.frame, sides, likely_initiator)
        self.flows[(low, high)] = flow
        way = self._ways[ends] = flow, sides[source], sides[target]
        self._ways[target + source] = flow, sides[target], sides[source]
        return way

    def _authentic(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        flags, last = packet.flags, side.last
        side.packets += 1
        side.hop_limits[packet.hop_limit] = side.hop_limits.get(packet.hop_limit, 0) + 1
        if flags & SYN:
            self._handshake(packet, flow, side, peer)
        if flags & ACK and peer.sent:
            _take_round_trips(packet, side, peer)
        _send(packet, side, peer)
        # Where a run of packets begins that follow one another closely, and the silence before it.
        if last is None:
            side.run_us, side.pause_us = packet.time_us, None
        else:
            side.before_last_id = last.ip_id
            if packet.time_us - last.time_us >= self.thresholds.talk_gap_us:
                side.run_us, side.pause_us = packet.time_us, elapsed_us(packet.time_us, last.time_us)
        if flags & FIN:
            side.fin = True
        if packet.tsval is not None:
            side.last_tsval = packet.tsval
        side.last = packet

    def _handshake(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        side.opening = side.opening or packet
        side.handshake_packets += 1
        side.handshake_linux = side.handshake_linux and packet.linux_options
        side.handshake_hops[packet.hop_limit] = side.handshake_hops.get(packet.hop_limit, 0) + 1
        side.handshake_sent = side.handshake_sent + 1 if side.isn == packet.seq else 1
        if side.handshake_sent == 1:
            side.isn, side.handshake_us, side.handshake_answered = packet.seq, packet.time_us, False
        source, target = (packet.src, packet.sport), (packet.dst, packet.dport)
        if packet.flags & ACK:
            flow.initiator = flow.initiator or target
            answers = self.answers.setdefault(packet.src, Answers())
            answers.ports.add(packet.sport)
            _time_answer(packet, peer, answers.round_trips)
        else:
            flow.initiator = flow.initiator or source
            flow.last_syn_us = packet.time_us


def _time_answer(packet: Packet, peer: Side, round_trips: RoundTrips) -> None:
    """A SYN-ACK gives the host's round trip where exactly one SYN can have asked for it."""
    if peer.handshake_answered or peer.isn is None or packet.ack != (peer.isn + 1) & 0xFFFFFFFF:
        return
    peer.handshake_answered = True
    if peer.handshake_sent == 1 and packet.time_us >= peer.handshake_us:
        round_trips.add(elapsed_us(packet.time_us, peer.handshake_us), handshake=True)


def _begins_again(packet: Packet, flow: Flow) -> bool:
    """A SYN on a flow that has ended: the next incarnation, unless it is the old SYN or SYN-ACK once more.

    A SYN-ACK begins one only where its SYN was not captured: where the peer's SYN is known, it must be answered.
    """
    if not flow.ended:
        return False
    side, peer = flow.sides[(packet.src, packet.sport)], flow.sides[(packet.dst, packet.dport)]
    if packet.flags & ACK and peer.isn is not None and packet.ack == (peer.isn + 1) & 0xFFFFFFFF:
        return False
    return packet.seq != side.isn


# What follows is asked of every packet. A number lies beyond another where `seq_diff` is positive; of the difference
# modulo 2^32, which is quicker to come by, that is: it is between 0 and _HALF.
_MASK, _HALF = 0xFFFFFFFF, 0x80000000


def _send(packet: Packet, side: Side, peer: Side) -> None:
    """Note what the packet adds to the sender's sequence space, and whether it moves the conversation on."""
    flags, seq, payload_len, next_seq = packet.flags, packet.seq, packet.payload_len, side.next_seq
    consumed = payload_len + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)  # of the sequence space
    end = (seq + consumed) & _MASK
    fresh = next_seq is None or (seq - next_seq) & _MASK < _HALF
    acknowledges = False
    if flags & ACK:
        acknowledges = side.acked is None or 0 < (packet.ack - side.acked) & _MASK < _HALF
        if fresh and (consumed or acknowledges):
            side.front_us, side.front_seq = packet.time_us, seq
    if consumed:
        _remember(packet, side, peer, end, fresh=fresh)
    if fresh and payload_len and not flags & SYN:  # TCP Fast Open (RFC 7413) sends data with the SYN
        side.data_packets += 1
    if next_seq is None or 0 < (end - next_seq) & _MASK < _HALF:
        side.next_seq = end
    if acknowledges:
        side.acked = packet.ack


def _remember(packet: Packet, side: Side, peer: Side, end: int, *, fresh: bool) -> None:
    """Keep the segment until it is acknowledged. One that overlaps a remembered one was sent, or captured, twice.

    A segment that fills a hole was overtaken by the next; one from before the oldest remembered may be a repetition.
    """
    seq, remembered, overlaps = packet.seq, side.sent, False
    for sent in remembered:
        if 0 < (sent.end - seq) & _MASK < _HALF and 0 < (end - sent.start) & _MASK < _HALF:
            sent.once, overlaps = False, True
    fills_hole = (
        not fresh
        and not overlaps
        and len(remembered) > 0
        and seq_diff(seq, remembered[0].start) >= 0
        and (peer.acked is None or seq_diff(seq, peer.acked) >= 0)
    )
    if fresh or fills_hole:
        remembered.append(Sent(seq, end, packet.time_us))
        if len(remembered) > REMEMBERED_SEGMENTS:
            del remembered[0]


def _take_round_trips(packet: Packet, side: Side, peer: Side) -> None:
    """An acknowledgement ends the round trip of the segment it ends at, if that was sent only once (Karn's rule)."""
    ack, waiting = packet.ack, []
    for sent in peer.sent:
        if (ack - sent.end) & _MASK >= _HALF:
            waiting.append(sent)
        elif ack == sent.end and sent.once and packet.time_us >= sent.time_us:
            side.round_trips.add(elapsed_us(packet.time_us, sent.time_us), handshake=sent.start == peer.isn)
    peer.sent = waiting
