"""Reading and building the few kinds of packets the laboratory needs: TCP, UDP, ICMP over IPv4 and IPv6 on Ethernet."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field

IPV4, IPV6 = 0x0800, 0x86DD
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_FLAG_LETTERS = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "A"))
ICMP_ERRORS = frozenset({3, 11, 12})  # RFC 792: unreachable, time exceeded, parameter problem
ICMPV6_ERRORS = frozenset({1, 2, 3, 4})  # RFC 4443 section 2.1


@dataclass(frozen=True)
class Packet:
    """One IP packet. Numbers are the header's own; `rest` is everything of layer 4 that no middle changes."""

    version: int
    source: str
    target: str
    hop_limit: int
    protocol: int
    ip_id: int | None
    df: bool | None
    tos: int
    flow_label: int
    source_port: int = 0
    target_port: int = 0
    sequence: int = 0
    acknowledgment: int = 0
    flags: int = 0
    reserved: int = 0
    window: int = 0
    options: bytes = b""
    payload: bytes = b""
    icmp: tuple[int, int] | None = None
    quoted: Packet | None = field(default=None, repr=False)

    @property
    def is_reset(self) -> bool:
        """Whether this is a TCP segment with RST."""
        return self.protocol == TCP and bool(self.flags & RST)

    @property
    def is_error(self) -> bool:
        """Whether this is an ICMP or ICMPv6 error."""
        errors = ICMP_ERRORS if self.protocol == ICMP else ICMPV6_ERRORS
        return self.icmp is not None and self.icmp[0] in errors

    @property
    def letters(self) -> str:
        """TCP flags as letters: "RA"."""
        return "".join(letter for bit, letter in _FLAG_LETTERS if self.flags & bit)


def read_frame(frame: bytes) -> Packet | None:
    """Read an Ethernet frame's IP packet; None where there is none."""
    ethertype = int.from_bytes(frame[12:14], "big")
    return read_packet(frame[14:]) if ethertype in (IPV4, IPV6) else None


def read_packet(data: bytes) -> Packet | None:
    """Read an IP packet, perhaps cut short (an ICMP error quotes only the beginning); None where it is too short."""
    try:
        if data[0] >> 4 == 4:
            return _read_ipv4(data)
        return _read_ipv6(data) if data[0] >> 4 == 6 else None
    except (IndexError, struct.error):
        return None


def _read_ipv4(data: bytes) -> Packet:
    tos, length, ip_id, fragment, ttl, protocol = struct.unpack_from("!xBHHHBB", data)
    source, target = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
    common = (4, source, target, ttl, protocol, ip_id, bool(fragment & 0x4000), tos, 0)
    return _read_transport(common, data[(data[0] & 15) * 4 : length])


def _read_ipv6(data: bytes) -> Packet:
    first, length, protocol, hop_limit = struct.unpack_from("!IHBB", data)
    source, target = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (8, 24))
    common = (6, source, target, hop_limit, protocol, None, None, first >> 20 & 255, first & 0xFFFFF)
    return _read_transport(common, data[40 : 40 + length])


def _read_transport(common: tuple[object, ...], data: bytes) -> Packet:
    protocol = common[4]
    if protocol == TCP:
        ports = struct.unpack_from("!HH", data)
        if len(data) < 20:  # quoted in an ICMP error, 8 bytes only
            return Packet(*common, *ports)  # type: ignore[arg-type]
        sequence, acknowledgment, bits, window = struct.unpack_from("!IIHH", data, 4)
        end = (bits >> 12) * 4
        fields = (sequence, acknowledgment, bits & 255, bits >> 8 & 15, window, data[20:end], data[end:])
        return Packet(*common, *ports, *fields)  # type: ignore[arg-type]
    if protocol == UDP:
        ports = struct.unpack_from("!HH", data)
        return Packet(*common, *ports, payload=data[8:])  # type: ignore[arg-type]
    if protocol in (ICMP, ICMPV6):
        packet = Packet(*common, icmp=(data[0], data[1]), payload=data[4:])  # type: ignore[arg-type]
        if not packet.is_error:
            return packet
        quoted = read_packet(data[8:])
        return Packet(*common, icmp=packet.icmp, payload=data[4:], quoted=quoted)  # type: ignore[arg-type]
    return Packet(*common, payload=data)  # type: ignore[arg-type]


def build(packet: Packet) -> bytes:
    """Build the IP packet with its TCP segment, both checksums right."""
    if packet.protocol != TCP:
        raise ValueError(f"can build TCP only, not protocol {packet.protocol}")
    options = packet.options + bytes(-len(packet.options) % 4)
    bits = (5 + len(options) // 4) << 12 | packet.reserved << 8 | packet.flags
    ports = (packet.source_port, packet.target_port)
    numbers = (packet.sequence & 0xFFFFFFFF, packet.acknowledgment & 0xFFFFFFFF)
    head = struct.pack("!HHIIHHHH", *ports, *numbers, bits, packet.window, 0, 0)
    segment = head + options + packet.payload
    source, target = (ipaddress.ip_address(address).packed for address in (packet.source, packet.target))
    total = checksum(source + target + struct.pack("!II", len(segment), TCP) + segment)
    segment = segment[:16] + struct.pack("!H", total) + segment[18:]
    if packet.version == 6:
        first = 6 << 28 | packet.tos << 20 | packet.flow_label
        return struct.pack("!IHBB", first, len(segment), TCP, packet.hop_limit) + source + target + segment
    return ipv4_header(packet, TCP, len(segment)) + segment


def ipv4_header(packet: Packet, protocol: int, length: int) -> bytes:
    """An IPv4 header with the packet's addresses and fields before `length` bytes of payload."""
    addresses = b"".join(ipaddress.IPv4Address(address).packed for address in (packet.source, packet.target))
    fragment = 0x4000 if packet.df else 0
    fields = (0x45, packet.tos, 20 + length, packet.ip_id or 0, fragment, packet.hop_limit, protocol)
    head = struct.pack("!BBHHHBBH", *fields, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
