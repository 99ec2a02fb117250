"""Follow TCP flows packet by packet; at each reset, have it taken down (moment.py).

A flow is addresses, ports and incarnation. What a reset means is judged later, from everything the capture shows
(observe.py). The plugin does the same in Lua (generator/templates/flows.lua.j2), function by function.
"""

from __future__ import annotations

from collections.abc import Iterable

from heuristics.fields import ACK, FIN, RST, SYN
from heuristics.rulebook import Thresholds
from postproc.moment import take_reset
from postproc.packets import Packet
from postproc.state import Answers, Flow, Reset, RoundTrips, Sent, Side, elapsed_us, seq_diff

# How many unacknowledged segments of a sender are remembered for round trips.
REMEMBERED_SEGMENTS = 8


class Tracker:
    """Feed it every TCP packet of a flow in file order; `resets` and `answers` fill up."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self.flows: dict[tuple[tuple[str, int], tuple[str, int]], Flow] = {}
        self.resets: list[Reset] = []
        self.answers: dict[str, Answers] = {}  # by the address that answered

    def follow(self, packets: Iterable[Packet]) -> None:
        """Take in packets of kind TCP, in file order."""
        for packet in packets:
            flow = self._flow(packet)
            source = (packet.src, packet.sport)
            side, peer = flow.sides[source], flow.sides[(packet.dst, packet.dport)]
            flow.last_frame = packet.frame
            if packet.flags & RST:
                self.resets.append(take_reset(packet, flow, self.thresholds))
            else:
                self._authentic(packet, flow, side, peer)

    def _flow(self, packet: Packet) -> Flow:
        source, target = (packet.src, packet.sport), (packet.dst, packet.dport)
        low, high = (source, target) if source <= target else (target, source)
        flow = self.flows.get((low, high))
        if flow is None or (packet.flags & (SYN | RST) == SYN and _begins_again(packet, flow)):
            incarnation = 0
            if flow is not None:
                incarnation = flow.incarnation + 1
                flow.reused = True
            sides = {low: Side(), high: Side()}
            likely_initiator = source if packet.sport >= packet.dport else target
            flow = Flow(low, high, incarnation, packet.frame, packet.frame, sides, likely_initiator)
            self.flows[(low, high)] = flow
        return flow

    def _authentic(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        side.packets += 1
        side.hop_limits[packet.hop_limit] = side.hop_limits.get(packet.hop_limit, 0) + 1
        if packet.flags & SYN:
            self._handshake(packet, flow, side, peer)
        if packet.flags & ACK:
            _take_round_trips(packet, side, peer)
        _send(packet, side, peer)
        self._talk(packet, side)
        if packet.flags & FIN:
            side.fin = True
        if packet.tsval is not None:
            side.last_tsval = packet.tsval
        side.before_last_id = side.last.ip_id if side.last else None
        side.last = packet

    def _talk(self, packet: Packet, side: Side) -> None:
        """Note where a run of packets begins that follow one another closely, and the silence before it."""
        silent_us = None if side.last is None else elapsed_us(packet.time_us, side.last.time_us)
        if silent_us is None or silent_us >= self.thresholds.talk_gap_us:
            side.run_us, side.pause_us = packet.time_us, silent_us

    def _handshake(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        side.opening = side.opening or packet
        side.handshake_packets += 1
        side.handshake_hops[packet.hop_limit] = side.handshake_hops.get(packet.hop_limit, 0) + 1
        side.handshake_sent = side.handshake_sent + 1 if side.isn == packet.seq else 1
        if side.handshake_sent == 1:
            side.isn, side.handshake_us = packet.seq, packet.time_us
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


def _beyond(a: int, b: int) -> bool:
    """Whether seq_diff(a, b) > 0, in half the time: this is asked several times of every packet."""
    return 0 < (a - b) & 0xFFFFFFFF < 0x80000000


def _reaches(a: int, b: int) -> bool:
    """Whether seq_diff(a, b) >= 0."""
    return (a - b) & 0xFFFFFFFF < 0x80000000


def _consumed(packet: Packet) -> int:
    """Sequence space the segment takes: its bytes, and one each for SYN and FIN."""
    return packet.payload_len + (packet.flags & SYN != 0) + (packet.flags & FIN != 0)


def _send(packet: Packet, side: Side, peer: Side) -> None:
    """Note what the packet adds to the sender's sequence space, and whether it moves the conversation on."""
    consumed = _consumed(packet)
    end = (packet.seq + consumed) & 0xFFFFFFFF
    advances = side.next_seq is None or _beyond(end, side.next_seq)
    fresh = side.next_seq is None or _reaches(packet.seq, side.next_seq)
    acknowledges = packet.flags & ACK != 0 and (side.acked is None or _beyond(packet.ack, side.acked))
    if fresh and packet.flags & ACK and (consumed > 0 or acknowledges):
        side.front_us, side.front_seq = packet.time_us, packet.seq
    if consumed > 0:
        _remember(packet, side, peer, end, fresh=fresh)
    if fresh and packet.payload_len > 0:
        side.data_packets += 1
    if advances:
        side.next_seq = end
    if acknowledges:
        side.acked = packet.ack


def _remember(packet: Packet, side: Side, peer: Side, end: int, *, fresh: bool) -> None:
    """Keep the segment until it is acknowledged. One that overlaps a remembered one was sent, or captured, twice.

    A segment that fills a hole was overtaken by the next; one from before the oldest remembered may be a repetition.
    """
    overlaps = False
    for sent in side.sent:
        if _beyond(sent.end, packet.seq) and _beyond(end, sent.start):
            sent.once, overlaps = False, True
    fills_hole = (
        not overlaps
        and not fresh
        and len(side.sent) > 0
        and seq_diff(packet.seq, side.sent[0].start) >= 0
        and (peer.acked is None or seq_diff(packet.seq, peer.acked) >= 0)
    )
    if fresh or fills_hole:
        side.sent.append(Sent(packet.seq, end, packet.time_us))
        if len(side.sent) > REMEMBERED_SEGMENTS:
            del side.sent[0]


def _take_round_trips(packet: Packet, side: Side, peer: Side) -> None:
    """An acknowledgement ends the round trip of the segment it ends at, if that was sent only once (Karn's rule)."""
    if not peer.sent:
        return
    waiting = []
    for sent in peer.sent:
        if not _reaches(packet.ack, sent.end):
            waiting.append(sent)
        elif packet.ack == sent.end and sent.once and packet.time_us >= sent.time_us:
            side.round_trips.add(elapsed_us(packet.time_us, sent.time_us), handshake=sent.start == peer.isn)
    peer.sent = waiting
