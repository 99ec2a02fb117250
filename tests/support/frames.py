"""Packets as bytes, header by header, and capture files around them. Fast, and free to build what nobody should send.

Checksums are 0: Wireshark verifies none of these by default. Every function returns the header and its payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

ICMP, IPV4_IN_IP, TCP, UDP, IPV6_IN_IP, ROUTING, FRAGMENT, GRE, AH, ICMPV6 = 1, 4, 6, 17, 41, 43, 44, 47, 51, 58
HOP_BY_HOP, DESTINATION_OPTIONS = 0, 60
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
VLAN, SERVICE_VLAN, MPLS, PPPOE, BRIDGED = 0x8100, 0x88A8, 0x8847, 0x8864, 0x6558
VXLAN_PORT, TEREDO_PORT = 4789, 3544

MAC = b"\x02\0\0\0\0\x01"

# Link types (https://www.tcpdump.org/linktypes.html)
NULL, ETHERNET, RAW, LINUX_COOKED = 0, 1, 101, 113


@dataclass(frozen=True)
class Datagram:
    """An IP packet and what fragmenting or wrapping it needs: `header` and `payload` by themselves."""

    version: int
    header: bytes
    payload: bytes

    def __bytes__(self) -> bytes:
        """The whole packet."""
        return self.header + self.payload


def ipv4(
    source: bytes,
    target: bytes,
    protocol: int,
    payload: bytes,
    *,
    ttl: int,
    identification: int = 0,
    df: bool = False,
    tos: int = 0,
    options: bytes = b"",
    no_length: bool = False,
) -> Datagram:
    """An IPv4 packet. `no_length`: a total length of 0, as in captures taken before the network card cut a segment."""
    length = 20 + len(options)
    total = 0 if no_length else min(length + len(payload), 0xFFFF)
    first = 0x40 + length // 4
    fields = (first, tos, total, identification, df << 14, ttl, protocol, 0, source, target)
    return Datagram(4, struct.pack("!BBHHHBBH4s4s", *fields) + options, payload)


def ipv6(
    source: bytes,
    target: bytes,
    next_header: int,
    payload: bytes,
    *,
    hop_limit: int,
    traffic_class: int = 0,
    flow_label: int = 0,
) -> Datagram:
    """An IPv6 packet; `payload` begins with the first extension header, if any."""
    word = 6 << 28 | traffic_class << 20 | flow_label
    fields = (word, min(len(payload), 0xFFFF), next_header, hop_limit, source, target)
    return Datagram(6, struct.pack("!IHBB16s16s", *fields), payload)


def extension(kind: int, next_header: int, payload: bytes, address: bytes = bytes(16)) -> bytes:
    """An IPv6 extension header of `kind`; `address` is where a routing header (type 2) leads."""
    if kind == ROUTING:
        return struct.pack("!BBBBI16s", next_header, 2, 2, 1, 0, address) + payload
    if kind == FRAGMENT:
        return struct.pack("!BBHI", next_header, 0, 0, 7) + payload  # an atomic fragment: offset 0, no more
    return struct.pack("!BBBB4x", next_header, 0, 1, 4) + payload  # four bytes of padding


def authentication(next_header: int, payload: bytes) -> bytes:
    """An authentication header (RFC 4302)."""
    return struct.pack("!BBHII12x", next_header, 4, 0, 1, 1) + payload


def tcp(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    options: bytes = b"",
    payload: bytes = b"",
    words: int | None = None,
) -> bytes:
    """A TCP segment; `flags` has twelve bits; `words` is a header length of our own choosing, in 32-bit words."""
    options += b"\x01" * (-len(options) % 4)
    words = 5 + len(options) // 4 if words is None else words
    fields = (sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 12 | flags, window, 0, 0)
    return struct.pack("!HHIIHHHH", *fields) + options + payload


def timestamps(value: int, echo: int) -> bytes:
    """The TCP timestamps option (RFC 7323)."""
    return struct.pack("!BBBBII", 1, 1, 8, 10, value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


def udp(sport: int, dport: int, payload: bytes) -> bytes:
    """A UDP datagram."""
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(type_: int, code: int, payload: bytes) -> bytes:
    """An ICMP or ICMPv6 message. The `payload` of an error is the quoted packet."""
    return struct.pack("!BBHI", type_, code, 0, 0) + payload


def gre(ethertype: int, payload: bytes) -> bytes:
    """A GRE header (RFC 2784)."""
    return struct.pack("!HH", 0, ethertype) + payload


def vxlan(frame: bytes) -> bytes:
    """A VXLAN header (RFC 7348)."""
    return struct.pack("!II", 0x08000000, 5 << 8) + frame


def fragments(packet: Datagram, size: int) -> list[Datagram]:
    """`packet` in fragments of `size` bytes (a multiple of 8); of IPv6 only without extension headers."""
    pieces = range(0, len(packet.payload), size)
    return [_fragment(packet, start, packet.payload[start : start + size], start != pieces[-1]) for start in pieces]


def _fragment(packet: Datagram, start: int, piece: bytes, more: bool) -> Datagram:
    if packet.version == 4:
        head = bytearray(packet.header)
        struct.pack_into("!H", head, 2, len(head) + len(piece))
        struct.pack_into("!H", head, 6, more << 13 | start // 8)
        return Datagram(4, bytes(head), piece)
    head = bytearray(packet.header)
    payload = struct.pack("!BBHI", head[6], 0, start | more, 99) + piece
    head[6] = FRAGMENT
    struct.pack_into("!H", head, 4, len(payload))
    return Datagram(6, bytes(head), payload)


def ethernet(ethertype: int, payload: bytes, tags: Iterable[int] = (), source: bytes = MAC) -> bytes:
    """An Ethernet frame from `source`, with `tags`, outermost first: VLAN, SERVICE_VLAN, MPLS or PPPOE."""
    for tag in reversed(list(tags)):
        if tag == MPLS:
            payload = struct.pack("!I", 16 << 12 | 1 << 8 | 64) + payload
        elif tag == PPPOE:
            protocol = 0x0057 if ethertype == ETHERTYPE[6] else 0x0021
            payload = struct.pack("!BBHHH", 0x11, 0, 1, len(payload) + 2, protocol) + payload
        else:
            payload = struct.pack("!HH", 5, ethertype) + payload
        ethertype = tag
    return b"\x02\0\0\0\0\x02" + source + struct.pack("!H", ethertype) + payload


def link_frame(link: int, packet: Datagram, tags: Iterable[int] = (), source: bytes = MAC) -> bytes:
    """`packet` in a frame of link type `link`; only Ethernet has `tags` and a `source`."""
    if link == ETHERNET:
        return ethernet(ETHERTYPE[packet.version], bytes(packet), tags, source)
    if link == LINUX_COOKED:
        return struct.pack("!HHH8sH", 0, 1, 6, b"\x02\0\0\0\0\x01", ETHERTYPE[packet.version]) + bytes(packet)
    if link == NULL:
        return struct.pack("<I", 2 if packet.version == 4 else 24) + bytes(packet)
    return bytes(packet)


@dataclass(frozen=True)
class Record:
    """One packet of a capture file: when (nanoseconds), what, and how long it was before a snap length cut it."""

    time_ns: int
    data: bytes
    length: int


def pcap(records: Iterable[Record], link: int, *, nanoseconds: bool = False, big_endian: bool = False) -> bytes:
    """A pcap file."""
    order, unit = ">" if big_endian else "<", 1 if nanoseconds else 1000
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    pieces = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for record in records:
        seconds, rest = divmod(record.time_ns, 1_000_000_000)
        pieces += [struct.pack(f"{order}IIII", seconds, rest // unit, len(record.data), record.length), record.data]
    return b"".join(pieces)


def pcapng(packets: Iterable[tuple[int | None, bytes]]) -> bytes:
    """A pcapng of Ethernet frames, each with its time in nanoseconds; None: a block without a time."""
    blocks = [
        pcapng_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        pcapng_block(1, struct.pack("<HHI", 1, 0, 0)),
    ]
    for time_ns, frame in packets:
        if time_ns is None:
            blocks.append(pcapng_block(3, struct.pack("<I", len(frame)) + frame))
        else:
            high, low = divmod(time_ns // 1000, 2**32)
            blocks.append(pcapng_block(6, struct.pack("<IIIII", 0, high, low, len(frame), len(frame)) + frame))
    return b"".join(blocks)


def pcapng_block(type_: int, body: bytes) -> bytes:
    """One block of a pcapng file."""
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", type_) + length + body + length
