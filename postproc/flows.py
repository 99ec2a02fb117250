"""Follow TCP flows packet by packet and take down, at each reset, what only that moment can tell.

A flow is addresses, ports and incarnation. What a reset means is judged later, from everything the capture shows
(observe.py); here is only the state that has to be kept on the way. The plugin does the same in Lua
(generator/templates/flows.lua.j2), function by function under the same names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heuristics.fields import ACK, FIN, RST, SYN
from heuristics.rulebook import Thresholds
from postproc.packets import Packet

# How many unacknowledged segments of a sender are remembered for round trips, and how many resets for finding copies.
REMEMBERED_SEGMENTS = 8
REMEMBERED_RESETS = 16


def seq_diff(a: int, b: int) -> int:
    """How far sequence number `a` lies beyond `b`, signed, across the wrap (RFC 9293 section 3.4)."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@dataclass(slots=True)
class Sent:
    """A segment on its way: sequence numbers [start, end), when it was first seen, and whether it was seen only once."""

    start: int
    end: int
    time_us: int
    once: bool = True


@dataclass(slots=True)
class RoundTrips:
    """The two smallest round trips measured, in microseconds, and whether a handshake is among all that were.

    Data may be acknowledged late or with the application's answer, so without a handshake they say nothing.
    """

    least_us: int | None = None
    second_us: int | None = None
    handshake: bool = False

    def add(self, rtt_us: int, *, handshake: bool) -> None:
        """Take in one more round trip."""
        self.handshake = self.handshake or handshake
        if self.least_us is None or rtt_us < self.least_us:
            self.least_us, self.second_us = rtt_us, self.least_us
        elif self.second_us is None or rtt_us < self.second_us:
            self.second_us = rtt_us


@dataclass(slots=True)
class Burst:
    """Resets of one sender, each soon after the one before; copies of one packet counted once."""

    last_us: int
    size: int = 0
    hop_limits: set[int] = field(default_factory=set)
    seqs: set[int] = field(default_factory=set)
    ahead: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Reset:
    """One reset, with what was known of the flow when it passed (names as in the vocabulary)."""

    packet: Packet
    flow: Flow
    side: Side
    burst: Burst
    stage: str
    sender_is_initiator: bool | None
    syn_only: bool
    sender_had_sent: bool
    established: bool
    fin_before: bool
    resets_before: int
    peer_resets_before: int
    seq_ahead: int | None
    acked_us: int | None
    response_us: int | None
    id_mirrored: bool | None
    window_mirrored: bool | None
    reserved_mirrored: bool | None
    id_step: int | None
    ts_step: int | None


@dataclass(slots=True)
class Side:
    """What one end of a flow has shown by its authentic packets, and the resets sent in its name."""

    hop_limits: dict[int, int] = field(default_factory=dict)
    packets: int = 0
    handshake_hop: int | None = None
    handshake_packets: int = 0
    isn: int | None = None
    handshake_us: int = 0
    handshake_sent: int = 0
    handshake_answered: bool = False
    next_seq: int | None = None
    acked: int | None = None
    sent: list[Sent] = field(default_factory=list)
    data_packets: int = 0
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    last: Packet | None = None
    last_tsval: int | None = None
    front_us: int | None = None
    front_seq: int = 0
    fin: bool = False
    resets: int = 0
    reset_hops: dict[int, int] = field(default_factory=dict)
    recent_resets: list[Reset] = field(default_factory=list)
    burst: Burst | None = None


@dataclass(slots=True)
class Flow:
    """One incarnation of a connection.

    `initiator` is the endpoint that opened it, None where no handshake was seen; `reused` says that another incarnation
    of the same addresses and ports follows.
    """

    low: tuple[str, int]
    high: tuple[str, int]
    incarnation: int
    first_frame: int
    last_frame: int
    sides: dict[tuple[str, int], Side]
    initiator: tuple[str, int] | None = None
    last_syn_us: int | None = None
    reused: bool = False

    @property
    def ended(self) -> bool:
        """A FIN or a reset was seen: the next new SYN begins another incarnation."""
        return any(side.fin or side.resets for side in self.sides.values())


class Tracker:
    """Feed it every TCP packet of a flow in file order; `resets` and `handshakes` fill up."""

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self.flows: dict[tuple[tuple[str, int], tuple[str, int]], Flow] = {}
        self.resets: list[Reset] = []
        # From a SYN to its SYN-ACK, by the address that answered.
        self.handshakes: dict[str, RoundTrips] = {}

    def follow(self, packets: Iterable[Packet]) -> None:
        """Take in packets of kind TCP, in file order."""
        for packet in packets:
            flow = self._flow(packet)
            source = (packet.src, packet.sport)
            side, peer = flow.sides[source], flow.sides[(packet.dst, packet.dport)]
            flow.last_frame = packet.frame
            if packet.flags & RST:
                self._reset(packet, flow, side, peer)
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
            flow = Flow(low, high, incarnation, packet.frame, packet.frame, sides)
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
        if packet.flags & FIN:
            side.fin = True
        if packet.tsval is not None:
            side.last_tsval = packet.tsval
        side.last = packet

    def _handshake(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        if side.handshake_hop is None:
            side.handshake_hop = packet.hop_limit
        if packet.hop_limit == side.handshake_hop:
            side.handshake_packets += 1
        side.handshake_sent = side.handshake_sent + 1 if side.isn == packet.seq else 1
        if side.handshake_sent == 1:
            side.isn, side.handshake_us = packet.seq, packet.time_us
        source, target = (packet.src, packet.sport), (packet.dst, packet.dport)
        if packet.flags & ACK:
            flow.initiator = flow.initiator or target
            self._answered(packet, peer)
        else:
            flow.initiator = flow.initiator or source
            flow.last_syn_us = packet.time_us

    def _answered(self, packet: Packet, peer: Side) -> None:
        """A SYN-ACK gives the host's round trip where exactly one SYN can have asked for it."""
        if peer.handshake_answered or peer.isn is None or packet.ack != (peer.isn + 1) & 0xFFFFFFFF:
            return
        peer.handshake_answered = True
        if peer.handshake_sent == 1 and packet.time_us >= peer.handshake_us:
            round_trips = self.handshakes.setdefault(packet.src, RoundTrips())
            round_trips.add(packet.time_us - peer.handshake_us, handshake=True)

    def _reset(self, packet: Packet, flow: Flow, side: Side, peer: Side) -> None:
        original = _copied(packet, side, self.thresholds)
        seq_ahead = _seq_ahead(packet, side, peer)
        acked_us = _acked_us(packet, peer)
        if acked_us is None and peer.last is not None:
            response_us: int | None = packet.time_us - peer.last.time_us
        else:
            response_us = acked_us
        id_step = _id_step(packet, side)
        reset = Reset(
            packet=packet,
            flow=flow,
            side=side,
            burst=original.burst if original else self._burst(packet, side, seq_ahead),
            stage=_stage(flow),
            sender_is_initiator=None if flow.initiator is None else flow.initiator == (packet.src, packet.sport),
            syn_only=_syn_only(packet, flow, side),
            sender_had_sent=side.packets > 0,
            established=_established(side),
            fin_before=side.fin or peer.fin,
            resets_before=original.resets_before if original else side.resets,
            peer_resets_before=peer.resets,
            seq_ahead=seq_ahead,
            acked_us=acked_us,
            response_us=response_us,
            id_mirrored=_id_mirrored(packet, peer, id_step),
            window_mirrored=_window_mirrored(packet, side, peer),
            reserved_mirrored=_reserved_mirrored(packet, peer),
            id_step=id_step,
            ts_step=_ts_step(packet, side),
        )
        self.resets.append(reset)
        if original is None:
            side.resets += 1
            side.reset_hops[packet.hop_limit] = side.reset_hops.get(packet.hop_limit, 0) + 1
            side.recent_resets = [*side.recent_resets[1 - REMEMBERED_RESETS :], reset]

    def _burst(self, packet: Packet, side: Side, seq_ahead: int | None) -> Burst:
        burst = side.burst
        if burst is None or abs(packet.time_us - burst.last_us) > self.thresholds.burst_gap_us:
            burst = side.burst = Burst(packet.time_us)
        burst.last_us = packet.time_us
        burst.size += 1
        burst.hop_limits.add(packet.hop_limit)
        burst.seqs.add(packet.seq)
        if seq_ahead is not None and 0 < seq_ahead <= self.thresholds.seq_reach:
            burst.ahead.add(packet.seq)
        return burst


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


def _consumed(packet: Packet) -> int:
    """Sequence space the segment takes: its bytes, and one each for SYN and FIN."""
    return packet.payload_len + (packet.flags & SYN != 0) + (packet.flags & FIN != 0)


def _send(packet: Packet, side: Side, peer: Side) -> None:
    """Note what the packet adds to the sender's sequence space, and whether it moves the conversation on."""
    consumed = _consumed(packet)
    end = (packet.seq + consumed) & 0xFFFFFFFF
    advance = 1 if side.next_seq is None else seq_diff(end, side.next_seq)
    fresh = side.next_seq is None or seq_diff(packet.seq, side.next_seq) >= 0
    acknowledges = packet.flags & ACK != 0 and (side.acked is None or seq_diff(packet.ack, side.acked) > 0)
    if fresh and packet.flags & ACK and (consumed > 0 or acknowledges):
        side.front_us, side.front_seq = packet.time_us, packet.seq
    if consumed > 0:
        _remember(packet, side, peer, end, fresh=fresh)
    if fresh and packet.payload_len > 0:
        side.data_packets += 1
    if advance > 0:
        side.next_seq = end
    if acknowledges:
        side.acked = packet.ack


def _remember(packet: Packet, side: Side, peer: Side, end: int, *, fresh: bool) -> None:
    """Keep the segment until it is acknowledged. One that overlaps a remembered one was sent, or captured, twice.

    A segment that fills a hole was overtaken by the next; one from before the oldest remembered may be a repetition.
    """
    overlapping = [sent for sent in side.sent if seq_diff(sent.end, packet.seq) > 0 and seq_diff(end, sent.start) > 0]
    for sent in overlapping:
        sent.once = False
    fills_hole = (
        not overlapping
        and len(side.sent) > 0
        and seq_diff(packet.seq, side.sent[0].start) >= 0
        and (peer.acked is None or seq_diff(packet.seq, peer.acked) >= 0)
    )
    if fresh or fills_hole:
        side.sent = [*side.sent[1 - REMEMBERED_SEGMENTS :], Sent(packet.seq, end, packet.time_us)]


def _take_round_trips(packet: Packet, side: Side, peer: Side) -> None:
    """An acknowledgement ends the round trip of the segment it ends at, if that was sent only once (Karn's rule)."""
    waiting = []
    for sent in peer.sent:
        if seq_diff(packet.ack, sent.end) < 0:
            waiting.append(sent)
        elif packet.ack == sent.end and sent.once and packet.time_us >= sent.time_us:
            side.round_trips.add(packet.time_us - sent.time_us, handshake=sent.start == peer.isn)
    peer.sent = waiting


def _acked_us(packet: Packet, peer: Side) -> int | None:
    if not packet.flags & ACK:
        return None
    for sent in peer.sent:
        if seq_diff(sent.end, packet.ack) >= 0 and seq_diff(packet.ack, sent.start) > 0:
            return packet.time_us - sent.time_us
    return None


def _seq_ahead(packet: Packet, side: Side, peer: Side) -> int | None:
    """Against the most that the sender sent or the peer acknowledged: a capture may have missed the sender's side."""
    known = [seq_diff(packet.seq, end) for end in (side.next_seq, peer.acked) if end is not None]
    return min(known, default=None)


def _stage(flow: Flow) -> str:
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
        return "post-ack" if _established(initiator) else "post-syn"
    return "post-psh" if initiator.data_packets == 1 else "later"


def _established(side: Side) -> bool:
    return side.packets > side.handshake_packets


def _syn_only(packet: Packet, flow: Flow, side: Side) -> bool:
    return side.packets > 0 and flow.initiator == (packet.src, packet.sport) and not _established(side)


def _id_step(packet: Packet, side: Side) -> int | None:
    if packet.ip_id is None or side.last is None or side.last.ip_id is None:
        return None
    return (packet.ip_id - side.last.ip_id) & 0xFFFF


def _ts_step(packet: Packet, side: Side) -> int | None:
    if packet.tsval is None or side.last_tsval is None:
        return None
    return seq_diff(packet.tsval, side.last_tsval)


# An IP ID that is the sender's own next, or close after it, may equal the peer's by chance.
OWN_RUN = 16


def _id_mirrored(packet: Packet, peer: Side, id_step: int | None) -> bool | None:
    if packet.ip_id is None or peer.last is None or peer.last.ip_id is None:
        return None
    own = id_step is not None and id_step <= OWN_RUN
    return packet.ip_id != 0 and packet.ip_id == peer.last.ip_id and not own


def _window_mirrored(packet: Packet, side: Side, peer: Side) -> bool | None:
    if peer.last is None:
        return None
    own = side.last is not None and side.last.window == packet.window
    return packet.window != 0 and packet.window == peer.last.window and not own


def _reserved_mirrored(packet: Packet, peer: Side) -> bool | None:
    if peer.last is None:
        return None
    reserved = packet.flags >> 8
    return reserved != 0 and reserved == peer.last.flags >> 8


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
