"""What follows a header: link layers and tunnels, each a function that says what begins where."""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    """What begins at a place in a packet. `OPAQUE` is anything that we do not follow."""

    ETHERNET = auto()
    IP = auto()
    ARP = auto()
    PPP = auto()
    OPAQUE = auto()


Inside = tuple[Kind, int]

_BY_ETHERTYPE = {0x0800: Kind.IP, 0x86DD: Kind.IP, 0x0806: Kind.ARP, 0x6558: Kind.ETHERNET, 0x880B: Kind.PPP}
_VLANS = (0x8100, 0x88A8, 0x9100, 0x9200)
_MPLS, _PPPOE_SESSION = (0x8847, 0x8848), 0x8864
_LONGEST_LENGTH = 1500  # an Ethernet type of at most 1500 is a length (IEEE 802.3)
_LLC, _SNAP, _SNAP_BEGINS = 3, 8, b"\xaa\xaa\x03"
_BY_PPP = {0x0021: Kind.IP, 0x0057: Kind.IP}
_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE, _GRE_ACK = 0x8000, 0x2000, 0x1000, 0x0080
_ERSPAN_2, _ERSPAN_3 = 0x88BE, 0x22EB
# UDP ports of tunnels: VXLAN (two), Geneve, GTP-U, Teredo.
_VXLAN, _GENEVE, _GTP, _TEREDO = (4789, 8472), 6081, 2152, 3544
_UDP_HEADER, _GTP_DATA = 8, 255


def number(data: bytearray, at: int) -> int:
    """The 16-bit number at `at`; past the end of the packet, what is there of it."""
    return int.from_bytes(data[at : at + 2], "big")


def after_type(data: bytearray, kind: int, at: int, end: int) -> Inside:
    """What an Ethernet type announces at `at`."""
    while kind in _VLANS:
        kind, at = number(data, at + 2), at + 4
    if kind in _MPLS:
        return _after_labels(data, at, end)
    if kind == _PPPOE_SESSION:
        return Kind.PPP, at + 6
    if kind <= _LONGEST_LENGTH:
        return Kind.OPAQUE, at + (_SNAP if data[at : at + 3] == _SNAP_BEGINS else _LLC)
    return _BY_ETHERTYPE.get(kind, Kind.OPAQUE), at


def _after_labels(data: bytearray, at: int, end: int) -> Inside:
    while at + 4 <= end and not data[at + 2] & 1:
        at += 4
    at += 4
    if at < end and data[at] >> 4 == 0:  # the control word of a pseudowire (RFC 4385)
        return Kind.ETHERNET, at + 4
    return Kind.IP, at


def after_ppp(data: bytearray, at: int, end: int) -> Inside:
    """PPP, with or without address and control, with a protocol of one or two bytes (RFC 1661, RFC 1662)."""
    if data[at : at + 2] == b"\xff\x03":
        at += 2
    if at < end and data[at] & 1:
        return _BY_PPP.get(data[at], Kind.OPAQUE), at + 1
    return _BY_PPP.get(number(data, at), Kind.OPAQUE), at + 2


def after_gre(data: bytearray, at: int, end: int) -> Inside:
    """GRE (RFC 2784, 2890, 2637), also with the headers of ERSPAN."""
    flags, kind = number(data, at), number(data, at + 2)
    optional = (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE, _GRE_ACK if flags & 7 == 1 else 0)
    begins = at + 4 + 4 * sum(bool(flags & flag) for flag in optional)
    if kind == _ERSPAN_2:
        return Kind.ETHERNET, begins + (8 if flags & _GRE_SEQUENCE else 0)
    if kind == _ERSPAN_3:
        return Kind.ETHERNET, begins + (20 if begins + 11 < end and data[begins + 11] & 1 else 12)
    return after_type(data, kind, begins, end)


def after_udp(data: bytearray, at: int, end: int) -> Inside:
    """UDP: a tunnel, or a payload."""
    ports, payload = (number(data, at), number(data, at + 2)), at + _UDP_HEADER
    if any(port in ports for port in _VXLAN):
        return Kind.ETHERNET, payload + 8
    if _GENEVE in ports and payload + 8 <= end:
        return after_type(data, number(data, payload + 2), payload + 8 + (data[payload] & 0x3F) * 4, end)
    if _GTP in ports and payload + 8 <= end and data[payload + 1] == _GTP_DATA:
        return Kind.IP, _after_gtp(data, payload, end)
    if _TEREDO in ports and payload < end and data[payload] >> 4 == 6:
        return Kind.IP, payload
    return Kind.OPAQUE, payload


def _after_gtp(data: bytearray, at: int, end: int) -> int:
    """Where the packet inside GTP-U begins, after its optional fields and extension headers (3GPP TS 29.281)."""
    flags, begins = data[at], at + 8
    if not flags & 7:
        return begins
    begins += 4
    following = data[begins - 1] if flags & 4 and begins <= end else 0
    while following and begins < end and data[begins]:
        begins += data[begins] * 4
        following = data[begins - 1] if begins <= end else 0
    return begins
