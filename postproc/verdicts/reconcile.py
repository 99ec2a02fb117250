"""Two captures of the same traffic: did a reset that arrived at one end ever leave the other end's interface?

The witness is a capture taken at the claimed sender's own interface. A reset that it holds was sent by the sender
(`left_sender`); one that it lacks, although it holds everything else that the sender sent then, was not (`never_left`).
Whatever leaves a doubt (a witness that lost packets, was not running, or sits elsewhere; rewritten addresses or
sequence numbers) leads to no finding at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.capture_point_stats import local_hosts
from postproc.capture.packet_table import TCP, Packet, is_reset, packets_of
from postproc.flows.state import seq_diff
from postproc.verdicts.reconcile_result import LEFT_SENDER, NEVER_LEFT, Finding, Reconciled

_MATTERING = FIN | SYN | RST | ACK  # PSH moves when a network card cuts segments, ECN bits change on the way
_ENOUGH = 2  # packets of the sender that both captures hold, so that chance does not match them
_SLACK_US = 1_000_000  # how much longer than usual a packet may have been on its way
_REROUTE = 1  # hops by which a route may have changed

End = tuple[str, int]
Way = tuple[str, int, str, int]  # source, source port, target, target port


def reconcile(packets: pl.DataFrame, witness: pl.DataFrame, complete: Iterable[str] = ()) -> Reconciled:
    """What `witness` says of the resets in `packets`; both are whole packets tables.

    `complete` are addresses of which the witness is known to hold every packet: the user says so. Without that, a
    flow of which the witness holds nothing may have been filtered out, and nothing is said.
    """
    ours, theirs = _by_way(packets, packets), _by_way(witness, packets)
    local = local_hosts(witness) - local_hosts(packets)
    flows = {way: _Matched(ours[way], theirs.get(way, [])) for way in ours}
    findings: list[Finding] = []
    for way, flow in flows.items():
        if flow.resets and way[0] in local:
            others = _others(way, flows)
            usual = _Usual.of([flow]) or _Usual.of(others)
            if usual is not None:
                filtered = way[0] not in complete or flow.authentic or not all(other.whole for other in others)
                span = None if filtered and not flow.certain else _span(witness)
                findings += _judged(flow, usual, span)
    return Reconciled(tuple(sorted(findings, key=lambda finding: finding.frame)), _offset_us(flows))


def _by_way(packets: pl.DataFrame, resets: pl.DataFrame) -> dict[Way, list[Packet]]:
    """TCP packets between any two hosts of which `resets` has a reset, by direction of their flow, in file order."""
    tcp = packets.filter(pl.col("kind") == TCP)
    pairs = resets.filter(is_reset()).select("src", "dst")
    pairs = pl.concat([pairs, pairs.select(src="dst", dst="src")]).unique()
    ways: dict[Way, list[Packet]] = {}
    for packet in packets_of(tcp.join(pairs, on=["src", "dst"], how="semi").sort("frame")):
        ways.setdefault((packet.src, packet.sport, packet.dst, packet.dport), []).append(packet)
    return ways


class _Matched:
    """One direction of a flow, in the capture and in the witness, and which packets are the same in both."""

    def __init__(self, ours: Sequence[Packet], theirs: Sequence[Packet]) -> None:
        self.authentic, self.resets = _parted(ours)
        self.sent, self.reset_sent = _parted(theirs)
        self.pairs = list(_same(self.authentic, self.sent))

    @property
    def certain(self) -> bool:
        """The witness holds all of it, and it came here from there."""
        return len(self.pairs) >= _ENOUGH and self.whole

    @property
    def whole(self) -> bool:
        """Everything authentic that arrived is in the witness: nothing was lost there, nothing rewritten on the way."""
        exact = {(packet.seq, packet.ack, packet.flags & _MATTERING) for packet in self.sent}
        return all(
            _covered(packet, self.sent)
            if packet.payload_len
            else (packet.seq, packet.ack, packet.flags & _MATTERING) in exact
            for packet in self.authentic
        )


@dataclass(frozen=True, slots=True)
class _Usual:
    """What packets that both captures hold show of the way between them.

    `delay_us` is how much later by its own clock the capture has them, `hops` how much of the hop limit is used up
    (several values where the route changed), `ids_kept` whether IP IDs arrive as they were sent.
    """

    delay_us: float
    hops: frozenset[int]
    ids_kept: bool

    @classmethod
    def of(cls, flows: Iterable[_Matched]) -> _Usual | None:
        """None where too few packets are the same for certain."""
        pairs = [pair for flow in flows for pair in flow.pairs]
        if len(pairs) < _ENOUGH:
            return None
        return cls(
            delay_us=median(mine.time_us - theirs.time_us for mine, theirs in pairs),
            hops=frozenset(theirs.hop_limit - mine.hop_limit for mine, theirs in pairs),
            ids_kept=all(mine.ip_id == theirs.ip_id for mine, theirs in pairs),
        )


def _parted(packets: Iterable[Packet]) -> tuple[list[Packet], list[Packet]]:
    """Authentic packets, and resets."""
    parts: tuple[list[Packet], list[Packet]] = ([], [])
    for packet in packets:
        parts[packet.flags & RST != 0].append(packet)
    return parts


def _same(ours: Iterable[Packet], theirs: Iterable[Packet]) -> Iterator[tuple[Packet, Packet]]:
    """Packets that were not cut or joined on the way, paired where it is certain which is which."""
    by_key: dict[tuple[int, ...], list[Packet]] = {}
    for packet in theirs:
        by_key.setdefault(_key(packet), []).append(packet)
    counts = Counter(_key(packet) for packet in ours)
    for packet in ours:
        key = _key(packet)
        if counts[key] == 1 and len(by_key.get(key, ())) == 1:
            yield packet, by_key[key][0]


def _key(packet: Packet) -> tuple[int, ...]:
    return packet.seq, packet.ack, packet.flags & _MATTERING, packet.payload_len


def _covered(packet: Packet, sent: Iterable[Packet]) -> bool:
    """Whether the bytes are among those that were sent; a network card may have cut or joined the segments."""
    start, end = 0, packet.payload_len  # relative to the packet
    pieces = sorted((offset, offset + each.payload_len) for each in sent if (offset := _at(each, packet)) is not None)
    for left, right in pieces:
        if left > start:
            break
        start = max(start, right)
    return start >= end


def _at(each: Packet, packet: Packet) -> int | None:
    """Where the bytes of `each` begin within `packet`; None where they do not touch it."""
    offset = seq_diff(each.seq + (each.flags & SYN != 0), packet.seq + (packet.flags & SYN != 0))
    return offset if offset < packet.payload_len and offset + each.payload_len > 0 else None


def _others(way: Way, flows: Mapping[Way, _Matched]) -> list[_Matched]:
    """Flows from the same host to the same other host, of which the witness holds something."""
    return [flow for each, flow in flows.items() if (each[0], each[2]) == (way[0], way[2]) and flow.sent]


def _span(packets: pl.DataFrame) -> tuple[int, int]:
    """Times of the earliest and the latest packet (us)."""
    return packets.select(pl.col("time_us").min(), pl.col("time_us").max().alias("latest")).row(0)


def _judged(flow: _Matched, usual: _Usual, span: tuple[int, int] | None) -> Iterator[Finding]:
    """Findings about the resets of one direction; alike ones are told apart only by counting them.

    `span` is when the witness holds all of it; None where it may not, so that what it lacks says nothing.
    """
    if min(usual.hops) < 1:  # both captures were taken at one place: neither is a witness for the other
        return
    alike: dict[tuple[int | None, ...], list[Packet]] = {}
    for reset in flow.resets:
        alike.setdefault((*_key(reset), reset.ip_id if usual.ids_kept else None), []).append(reset)
    candidates = {key: _candidates(resets, flow.reset_sent, usual) for key, resets in alike.items()}
    taken = {packet.frame for key, found in candidates.items() if len(found) >= len(alike[key]) for packet in found}
    for key, resets in alike.items():
        found = candidates[key]
        if found and len(found) >= len(resets):
            yield from (
                Finding(mine.frame, LEFT_SENDER, theirs.frame) for mine, theirs in zip(resets, found, strict=False)
            )
        elif not found and span is not None:
            yield from (
                Finding(reset.frame, NEVER_LEFT, None)
                for reset in resets
                if _running(reset, usual, span) and not _perhaps_changed(reset, flow.reset_sent, taken)
            )


def _candidates(resets: Sequence[Packet], sent: Iterable[Packet], usual: _Usual) -> list[Packet]:
    """Resets that left the sender and may be these, which are alike."""
    first, last = resets[0].time_us - usual.delay_us, resets[-1].time_us - usual.delay_us
    return [
        packet
        for packet in sent
        if _key(packet) == _key(resets[0])
        and (not usual.ids_kept or packet.ip_id == resets[0].ip_id)
        and first - _SLACK_US <= packet.time_us <= last + _SLACK_US
        and any(abs(packet.hop_limit - resets[0].hop_limit - hops) <= _REROUTE for hops in usual.hops)
    ]


def _running(reset: Packet, usual: _Usual, span: tuple[int, int]) -> bool:
    """Whether the witness was being taken when the reset would have left."""
    left_us = reset.time_us - usual.delay_us
    return span[0] <= left_us - _SLACK_US / 10 and left_us + _SLACK_US / 10 <= span[1]


def _perhaps_changed(reset: Packet, sent: Iterable[Packet], taken: set[int]) -> bool:
    """Whether a reset left the sender of which no trace arrived, and which may have become this one on the way."""
    return any(
        packet.frame not in taken and (packet.seq == reset.seq or (reset.flags & ACK and packet.ack == reset.ack))
        for packet in sent
    )


def _offset_us(flows: Mapping[Way, _Matched]) -> int | None:
    """The clocks' difference: the time on the way has opposite signs in the two directions, and cancels out."""
    by_hosts: dict[tuple[str, str], list[int]] = {}
    for (source, _, target, _), flow in flows.items():
        delays = [mine.time_us - theirs.time_us for mine, theirs in flow.pairs]
        by_hosts.setdefault((source, target), []).extend(delays)
    offsets = [
        (median(delays) + median(by_hosts[target, source])) / 2
        for (source, target), delays in by_hosts.items()
        if delays and by_hosts.get((target, source))
    ]
    return round(median(offsets)) if offsets else None
