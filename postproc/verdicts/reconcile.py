"""Two captures of the same traffic: did a reset that arrived at one end ever leave the other end's interface?

The peer capture is taken at the claimed sender's own interface. A reset that it holds, from the sender's MAC address,
was sent by the sender (`left_sender`). One that it lacks, although it holds everything else that the sender sent then,
was not, nor was one that merely passed there, from a MAC address that the sender never uses (`never_left`). Any doubt
(a peer that lost packets, was not running, or was taken elsewhere; rewritten sequence numbers) means no
evidence at all. A NAT between the captures is seen through (peer_translation.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.capture_point_stats import local_addresses
from postproc.capture.packet_table import TCP, Packet, authentic, is_reset, packets_of
from postproc.flows.tcp_arithmetic import seq_diff
from postproc.verdicts.peer_translation import undo_translation
from postproc.verdicts.reconcile_result import (
    LEFT_SENDER,
    NEVER_LEFT,
    PeerEvidence,
    ReconcileResult,
    Translation,
    Undecided,
    UndecidedCount,
)

# Not PSH, which moves when a network card cuts segments, nor the ECN bits, which routers change.
_COMPARED_FLAGS = FIN | SYN | RST | ACK
_ENOUGH = 2  # matched packets of the sender: one could match by chance
_SLACK_US = 1_000_000  # how much the delay of a packet may differ from the usual delay
_MARGIN_US = 100_000  # how much earlier or later than usual a packet may have left the sender
_REROUTE = 1  # hops by which a route may change

Direction = tuple[str, int, str, int]  # source, source port, target, target port


def reconcile(
    packets: pl.DataFrame, peer: pl.DataFrame, complete: Iterable[str] = (), hosts: Iterable[str] = ()
) -> ReconcileResult:
    """The evidence of `peer` about the resets in `packets`. Both are whole packets tables.

    `complete` are addresses of which the peer holds every packet, as the user says. Otherwise a flow that is missing
    in the peer may have been filtered out, and gives no evidence. `hosts` are addresses at whose interface the peer
    was taken, as the user says, besides those that its packets show. Where a NAT between the captures translates, the
    peer's packets count under the addresses and ports of the capture.
    """
    translated = undo_translation(packets, peer)
    named = _under_names_here(hosts, translated.translations)
    others_names = _translated_addresses(translated.translations)
    ours, peers = _by_direction(packets, packets), _by_direction(translated.peer, packets)
    there = _Peer(
        local=(local_addresses(translated.peer) | named) - local_addresses(packets),
        macs=_macs_by_address(translated.peer),
        complete=frozenset(complete) & frozenset(peer["src"].unique()) - others_names,
        front_ends=_front_ends(translated.translations),
        translated=others_names,
        span=_span(peer),
    )
    flows = {direction: _MatchedDirection(ours[direction], peers.get(direction, [])) for direction in ours}
    evidence: list[PeerEvidence] = []
    undecided: Counter[Undecided] = Counter()
    for direction, flow in flows.items():
        if flow.resets:
            found, why = _of_direction(direction, flow, flows, there)
            evidence += found
            undecided[why] += len(flow.resets) - len(found)
    return ReconcileResult(
        evidence=tuple(sorted(evidence, key=lambda each: each.frame)),
        offset_us=_offset_us(flows),
        translations=translated.translations,
        undecided=tuple(UndecidedCount(why.value, count) for why in Undecided if (count := undecided[why])),
    )


@dataclass(frozen=True, slots=True)
class _Peer:
    """What the peer capture is good for. `front_ends` are ends in whose name a translating device may speak.

    `local` are the addresses at whose interface it was taken, `complete` those of which it holds every packet, by what
    the user says and the peer shows; `macs` are by address, `span` the times of its first and its last packet (us).
    `translated` are addresses that are others in the peer: a device owns them and may speak for them in flows of which
    the peer holds nothing, as a router does that forwards some ports only.
    """

    local: set[str]
    macs: Mapping[str, frozenset[str]]
    complete: frozenset[str]
    front_ends: frozenset[tuple[str, int]]
    translated: frozenset[str]
    span: tuple[int, int]


def _under_names_here(addresses: Iterable[str], translations: Iterable[Translation]) -> frozenset[str]:
    """Addresses of the peer, and those that stand for them in the capture."""
    there = frozenset(addresses)
    ends = [end for each in translations for end in (each.source, each.destination)]
    return there | {end.address for end in ends if end.peer_address in there}


def _translated_addresses(translations: Iterable[Translation]) -> frozenset[str]:
    """The addresses of the capture that are others in the peer."""
    ends = [end for each in translations for end in (each.source, each.destination)]
    return frozenset(end.address for end in ends if end.address != end.peer_address)


def _front_ends(translations: Iterable[Translation]) -> frozenset[tuple[str, int]]:
    """The ends that accept flows, and are others in the peer: a load balancer owns them, and may reset in their name.

    Also those of which it is not sure that they did not accept the flow.
    """
    ends = [each.destination for each in translations]
    ends += [each.source for each in translations if not each.known]
    return frozenset(end.here for end in ends if end.is_translated)


def _of_direction(
    direction: Direction, flow: _MatchedDirection, flows: Mapping[Direction, _MatchedDirection], there: _Peer
) -> tuple[list[PeerEvidence], Undecided]:
    """The evidence about the resets of one direction, and why those without evidence have none."""
    sender = direction[0]
    if sender not in there.local:
        return [], Undecided.NOT_AT_SENDER
    others = _parallel_flows(direction, flows)
    between = _PathBetween.of([flow]) or _PathBetween.of(others)
    if between is None:
        return [], Undecided.NO_COMMON_PACKETS
    if min(between.hops) < 1:  # no hop lies between the capture points, so neither capture is a peer of the other
        return [], Undecided.SAME_PLACE
    filtered = sender not in there.complete or flow.authentic or not all(other.is_complete for other in others)
    span = None if filtered and not flow.is_certain else there.span
    back = _parallel_flows((*direction[2:], *direction[:2]), flows)
    here_us = max((mine.time_us for other in back for mine, _ in other.pairs), default=None)
    running = None if span is None else _Running(span, here_us)
    found = list(_evidence(flow, between, running, there.macs.get(sender, frozenset())))
    if direction[:2] in there.front_ends or (sender in there.translated and not flow.peer_authentic):
        return [each for each in found if each.rule_id != NEVER_LEFT], Undecided.FRONT_END
    return found, Undecided.INCOMPLETE if span is None else Undecided.AMBIGUOUS


def _macs_by_address(packets: pl.DataFrame) -> dict[str, frozenset[str]]:
    """The source MAC addresses of each host's authentic packets."""
    known = packets.lazy().filter(authentic() & pl.col("mac").is_not_null()).group_by("src").agg(pl.col("mac").unique())
    return {address: frozenset(macs) for address, macs in known.collect().iter_rows()}


def _by_direction(packets: pl.DataFrame, resets: pl.DataFrame) -> dict[Direction, list[Packet]]:
    """TCP packets between two hosts of which `resets` has a reset, by direction of the flow, in file order."""
    tcp = packets.filter(pl.col("kind") == TCP)
    pairs = resets.filter(is_reset()).select("src", "dst")
    pairs = pl.concat([pairs, pairs.select(src="dst", dst="src")]).unique()
    directions: dict[Direction, list[Packet]] = {}
    for packet in packets_of(tcp.join(pairs, on=["src", "dst"], how="semi").sort("frame")):
        directions.setdefault((packet.src, packet.sport, packet.dst, packet.dport), []).append(packet)
    return directions


class _MatchedDirection:
    """One direction of a flow in the capture and in the peer, and the packets that are the same in both."""

    def __init__(self, ours: Sequence[Packet], peers: Sequence[Packet]) -> None:
        self.authentic, self.resets = _authentic_and_resets(ours)
        self.peer_authentic, self.peer_resets = _authentic_and_resets(peers)
        self.pairs = list(_matched(self.authentic, self.peer_authentic))

    @property
    def is_certain(self) -> bool:
        """The peer holds all of it, and the packets came to the capture from there."""
        return len(self.pairs) >= _ENOUGH and self.is_complete

    @property
    def is_complete(self) -> bool:
        """The peer holds everything authentic that arrived: nothing was lost there or rewritten on the way."""
        exact = {(packet.seq, packet.ack, packet.flags & _COMPARED_FLAGS) for packet in self.peer_authentic}
        return all(
            _is_covered(packet, self.peer_authentic)
            if packet.payload_len
            else (packet.seq, packet.ack, packet.flags & _COMPARED_FLAGS) in exact
            for packet in self.authentic
        )


@dataclass(frozen=True, slots=True)
class _PathBetween:
    """What packets that are in both captures show of the path between the two capture points.

    `delay_us` is how much later the capture has them, by its own clock. `hops` is by how much the hop limit falls
    (several values where the route changed). `ids_kept`: IP IDs arrive as they were sent. `hop_limits` are those with
    which the packets left.
    """

    delay_us: float
    hops: frozenset[int]
    ids_kept: bool
    hop_limits: frozenset[int]

    @classmethod
    def of(cls, flows: Iterable[_MatchedDirection]) -> _PathBetween | None:
        """The path; None where too few packets are certainly the same, or none has a hop limit."""
        pairs = [pair for flow in flows for pair in flow.pairs]
        hops = frozenset(fell for mine, peer in pairs if (fell := _hops(mine, peer)) is not None)
        if len(pairs) < _ENOUGH or not hops:
            return None
        return cls(
            delay_us=median(mine.time_us - peer.time_us for mine, peer in pairs),
            hops=hops,
            ids_kept=all(mine.ip_id == peer.ip_id for mine, peer in pairs),
            hop_limits=frozenset(peer.hop_limit for _, peer in pairs if peer.hop_limit is not None),
        )


def _hops(mine: Packet, peer: Packet) -> int | None:
    """By how much the hop limit of a packet fell from the peer's capture to ours."""
    return None if mine.hop_limit is None or peer.hop_limit is None else peer.hop_limit - mine.hop_limit


def _authentic_and_resets(packets: Iterable[Packet]) -> tuple[list[Packet], list[Packet]]:
    """Authentic packets, and resets."""
    parts: tuple[list[Packet], list[Packet]] = ([], [])
    for packet in packets:
        parts[packet.flags & RST != 0].append(packet)
    return parts


def _matched(ours: Iterable[Packet], peers: Iterable[Packet]) -> Iterator[tuple[Packet, Packet]]:
    """Pairs of equal packets that nothing cut or joined on the way, where only one pairing is possible."""
    by_key: dict[tuple[int, ...], list[Packet]] = {}
    for packet in peers:
        by_key.setdefault(_compared(packet), []).append(packet)
    counts = Counter(_compared(packet) for packet in ours)
    for packet in ours:
        key = _compared(packet)
        if counts[key] == 1 and len(by_key.get(key, ())) == 1:
            yield packet, by_key[key][0]


def _compared(packet: Packet) -> tuple[int, ...]:
    return packet.seq, packet.ack, packet.flags & _COMPARED_FLAGS, packet.payload_len


def _is_covered(packet: Packet, peer_packets: Iterable[Packet]) -> bool:
    """Whether the peer's packets hold all its bytes; a network card may have cut or joined the segments."""
    start, end = 0, packet.payload_len  # relative to the packet
    pieces = sorted(
        (offset, offset + each.payload_len) for each in peer_packets if (offset := _offset_in(each, packet)) is not None
    )
    for left, right in pieces:
        if left > start:
            break
        start = max(start, right)
    return start >= end


def _offset_in(each: Packet, packet: Packet) -> int | None:
    """Where the bytes of `each` begin within `packet`; None where they do not touch it."""
    offset = seq_diff(each.seq + (each.flags & SYN != 0), packet.seq + (packet.flags & SYN != 0))
    return offset if offset < packet.payload_len and offset + each.payload_len > 0 else None


def _parallel_flows(direction: Direction, flows: Mapping[Direction, _MatchedDirection]) -> list[_MatchedDirection]:
    """The flows between the same two hosts, in this direction, of which the peer holds something."""
    return [
        flow
        for each, flow in flows.items()
        if (each[0], each[2]) == (direction[0], direction[2]) and flow.peer_authentic
    ]


def _span(packets: pl.DataFrame) -> tuple[int, int]:
    """The times of the first and the last packet (us)."""
    return packets.select(pl.col("time_us").min(), pl.col("time_us").max().alias("latest")).row(0)


@dataclass(frozen=True, slots=True)
class _Running:
    """When the peer is known to be captured: its first and last packet (`span`, us, by its own clock).

    `answered_us`: when the last packet towards the sender that the peer holds, too, passed here (us, our clock). What
    passes here after a reset reaches the sender after the reset has left, whatever the clocks and the delays are.
    """

    span: tuple[int, int]
    answered_us: int | None

    def at(self, reset: Packet, flow: _MatchedDirection, between: _PathBetween) -> bool:
        """Whether the peer was being captured when the reset would have left the sender."""
        matched = [mine.time_us for mine, _ in flow.pairs]
        left_us = reset.time_us - between.delay_us
        before = min(matched, default=reset.time_us) < reset.time_us or self.span[0] <= left_us - _MARGIN_US
        after = (
            max(matched, default=0) >= reset.time_us
            or (self.answered_us is not None and self.answered_us > reset.time_us)
            or left_us + _MARGIN_US <= self.span[1]
        )
        return before and after


def _evidence(
    flow: _MatchedDirection, between: _PathBetween, running: _Running | None, macs: frozenset[str]
) -> Iterator[PeerEvidence]:
    """The evidence about the resets of one direction. Resets with equal fields are only counted.

    `running` is the time in which the peer holds all packets. None where packets may be missing: then a reset that the
    peer lacks gives no evidence. `macs` are the MAC addresses that the sender uses in the peer.
    """
    alike: dict[tuple[int | None, ...], list[Packet]] = {}
    for reset in flow.resets:
        alike.setdefault((*_compared(reset), reset.ip_id if between.ids_kept else None), []).append(reset)
    candidates = {key: _candidates(resets, flow.peer_resets, between) for key, resets in alike.items()}
    taken = {packet.frame for key, found in candidates.items() if len(found) >= len(alike[key]) for packet in found}
    for key, resets in alike.items():
        found = candidates[key]
        if found and len(found) >= len(resets):
            if rule_id := _left_or_passed(found, between, macs):
                yield from (
                    PeerEvidence(mine.frame, rule_id, peer.frame) for mine, peer in zip(resets, found, strict=False)
                )
        elif not found and running is not None:
            yield from (
                PeerEvidence(reset.frame, NEVER_LEFT, None)
                for reset in resets
                if running.at(reset, flow, between) and not _may_be_rewritten(reset, flow.peer_resets, taken)
            )


def _left_or_passed(found: Sequence[Packet], between: _PathBetween, macs: frozenset[str]) -> str | None:
    """Whether the peer's resets `found` left the sender, or merely passed, sent by a neighbour; None where it may be
    either. Where nothing tells MAC addresses, they left only with a hop limit of the sender's other packets."""
    if all(packet.mac in macs for packet in found):
        return LEFT_SENDER
    if macs and all(packet.mac is not None and packet.mac not in macs for packet in found):
        return NEVER_LEFT
    if not macs and all(packet.hop_limit in between.hop_limits for packet in found):
        return LEFT_SENDER
    return None


def _candidates(resets: Sequence[Packet], peer_packets: Iterable[Packet], between: _PathBetween) -> list[Packet]:
    """The peer's resets that may be these resets, which have equal fields."""
    first, last = resets[0].time_us - between.delay_us, resets[-1].time_us - between.delay_us
    return [
        packet
        for packet in peer_packets
        if _compared(packet) == _compared(resets[0])
        and (not between.ids_kept or packet.ip_id == resets[0].ip_id)
        and first - _SLACK_US <= packet.time_us <= last + _SLACK_US
        and (fell := _hops(resets[0], packet)) is not None
        and any(abs(fell - hops) <= _REROUTE for hops in between.hops)
    ]


def _may_be_rewritten(reset: Packet, peer_packets: Iterable[Packet], taken: set[int]) -> bool:
    """Whether this may be a rewritten copy of a reset that left the sender and did not arrive as it was."""
    return any(
        packet.frame not in taken and (packet.seq == reset.seq or (reset.flags & ACK and packet.ack == reset.ack))
        for packet in peer_packets
    )


def _offset_us(flows: Mapping[Direction, _MatchedDirection]) -> int | None:
    """The difference of the clocks. The delays of the two directions contain it with opposite signs."""
    by_hosts: dict[tuple[str, str], list[int]] = {}
    for (source, _, target, _), flow in flows.items():
        delays = [mine.time_us - peer.time_us for mine, peer in flow.pairs]
        by_hosts.setdefault((source, target), []).extend(delays)
    offsets = [
        (median(delays) + median(by_hosts[target, source])) / 2
        for (source, target), delays in by_hosts.items()
        if delays and by_hosts.get((target, source))
    ]
    return round(median(offsets)) if offsets else None
