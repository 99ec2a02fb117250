"""Replaces what identifies somebody in the headers of one packet, in place, and all that no header explains.

Ports, lengths, hop limits, IDs, flags, sequence numbers, windows and timestamps stay: verdicts depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator

from heuristics.protocol.reset_payload import (
    BIGIP_CAUSE,
    DIAGNOSTIC_COOKIE,
    DIAGNOSTIC_LENGTH,
    DIAGNOSTIC_MAGIC,
    HENAN_PAYLOAD,
)
from heuristics.protocol.tshark_fields import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, RST
from postproc.copies.checksums import is_left_to_card, mend, words
from postproc.copies.inside import Inside, Kind, after_gre, after_ppp, after_type, after_udp, number
from postproc.copies.pseudonyms import Pseudonyms

ETHERNET, RAW, LINUX_COOKED, LINUX_COOKED_2 = 1, (12, 14, 101, 228, 229), 113, 276  # tcpdump.org/linktypes.html
NULL, PPP = (0, 108), (9, 50)
LINK_TYPES = frozenset((ETHERNET, *RAW, LINUX_COOKED, LINUX_COOKED_2, *NULL, *PPP))

_DEEPEST = 12  # packets inside packets; more are an attack on whoever reads them
_IPV4_HEADER, _IPV6_HEADER, _TCP_HEADER, _UDP_HEADER = 20, 40, 20, 8
_IPV4_ROUTES = frozenset((7, 68, 131, 137))  # options that list addresses: record route, timestamps, source routes
_TCP_KEPT = frozenset((2, 3, 4, 5, 8))  # segment size, window scale, SACK, timestamps; others may hold addresses, keys
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60  # IPv6 extension headers
_IPV4_IN_IP, _IPV6_IN_IP, _GRE = 4, 41, 47
_ICMP_ERRORS, _ICMP_REDIRECT, _ICMP_TIMESTAMPS = (3, 4, 5, 11, 12), 5, (13, 14)
_ICMPV6_ERRORS = (1, 2, 3, 4)
_ICMP_HEADER = 8
# Where the addresses and the options of neighbour discovery begin (RFC 4861), by the type of the message.
_NEIGHBOURS: dict[int, tuple[tuple[int, ...], int]] = {133: ((), 8), 134: ((), 16), 135: ((8,), 24), 136: ((8,), 24)}
_NEIGHBOURS[137] = ((8, 24), 40)
_LINK_ADDRESSES, _PREFIX, _MTU = (1, 2), 3, 5  # options of neighbour discovery
_KNOWN_TEXTS = tuple(text.encode("latin-1") for text in (BIGIP_CAUSE, DIAGNOSTIC_COOKIE))
_TEXT = frozenset((*range(7, 14), *range(32, 127)))  # the bytes of a payload that is a text (reset_payload.py)


class HeaderRewriter:
    """Rewrites packets by one set of pseudonyms. Functions get the packet, and where to begin and end."""

    def __init__(self, names: Pseudonyms) -> None:
        self._names = names
        self._depth = 0

    def rewrite(self, data: bytearray, link_type: int) -> None:
        """Rewrite a whole packet of one of LINK_TYPES."""
        end = len(data)
        if link_type == ETHERNET:
            inside: Inside = (Kind.ETHERNET, 0)
        elif link_type == LINUX_COOKED:
            self._cooked_address(data, 6, number(data, 4))
            inside = after_type(data, number(data, 14), 16, end)
        elif link_type == LINUX_COOKED_2:
            self._cooked_address(data, 12, data[11] if end > 11 else 0)
            inside = after_type(data, number(data, 0), 20, end)
        elif link_type in PPP:
            inside = (Kind.PPP, 0)
        else:
            inside = (Kind.IP, 4 if link_type in NULL else 0)
        self._inside(data, inside, end)

    def _cooked_address(self, data: bytearray, at: int, size: int) -> None:
        if size == 6:
            self._mac(data, at)
        else:
            self._blank(data, at, min(at + min(size, 8), len(data)))

    def _inside(self, data: bytearray, inside: Inside, end: int) -> None:
        kind, at = inside
        if self._depth >= _DEEPEST or kind is Kind.OPAQUE:
            self._blank(data, at, end)
            return
        self._depth += 1
        try:
            if kind is Kind.ETHERNET and end - at >= 14:
                self._mac(data, at)
                self._mac(data, at + 6)
                self._inside(data, after_type(data, number(data, at + 12), at + 14, end), end)
            elif kind is Kind.PPP:
                self._inside(data, after_ppp(data, at, end), end)
            elif kind is Kind.ARP:
                self._arp(data, at, end)
            elif kind is Kind.IP and at < end:
                self._ip(data, at, end)
            else:
                self._blank(data, at, end)
        finally:
            self._depth -= 1

    def _blank(self, data: bytearray, at: int, end: int) -> None:
        """Replace bytes that we do not read. Zeros stay, as in padding."""
        if any(data[at:end]):
            data[at:end] = self._names.text(bytes(data[at:end]))

    def _address(self, data: bytearray, at: int, size: int) -> None:
        if at + size <= len(data):
            data[at : at + size] = self._names.address(bytes(data[at : at + size]))

    def _mac(self, data: bytearray, at: int) -> None:
        data[at : at + 6] = self._names.mac(bytes(data[at : at + 6]))

    def _arp(self, data: bytearray, at: int, end: int) -> None:
        """ARP for Ethernet and IPv4 (RFC 826)."""
        if end - at < 28 or data[at + 4 : at + 6] != b"\x06\x04":
            self._blank(data, at + 8, end)
            return
        for place in (8, 18):
            self._mac(data, at + place)
            self._address(data, at + place + 6, 4)
        self._blank(data, at + 28, end)

    def _ip(self, data: bytearray, at: int, end: int) -> None:
        version = data[at] >> 4
        if version == 4 and _IPV4_HEADER <= (data[at] & 15) * 4 <= end - at:
            self._ipv4(data, at, end)
        elif version == 6 and end - at >= _IPV6_HEADER:
            self._ipv6(data, at, end)
        else:
            self._blank(data, at, end)

    def _ipv4(self, data: bytearray, at: int, end: int) -> None:
        payload, total = at + (data[at] & 15) * 4, number(data, at + 2)
        last = min(at + total, end) if at + total >= payload else end  # 0: a network card cuts the packet up later
        before, pseudo = words(data[at:payload]), words(data[at + 12 : at + 20])
        self._address(data, at + 12, 4)
        self._address(data, at + 16, 4)
        for code, begins, ends in _options(data, at + _IPV4_HEADER, payload):
            if code in _IPV4_ROUTES:
                self._blank(data, begins, ends)
        mend(data, at + 10, end, before, words(data[at:payload]))
        self._blank(data, last, end)
        first_part = number(data, at + 6) & 0x1FFF == 0
        sums = pseudo, words(data[at + 12 : at + 20])
        self._transport(data, data[at + 9] if first_part else -1, payload, last, sums)

    def _ipv6(self, data: bytearray, at: int, end: int) -> None:
        size, pseudo = number(data, at + 4), words(data[at + 8 : at + 40])
        last = min(at + _IPV6_HEADER + size, end) if size else end
        self._address(data, at + 8, 16)
        self._address(data, at + 24, 16)
        self._blank(data, last, end)
        protocol, payload = data[at + 6], at + _IPV6_HEADER
        while protocol in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION) and payload + 8 <= last:
            header, after = protocol, payload + (8 if protocol == _FRAGMENT else (data[payload + 1] + 1) * 8)
            if header == _ROUTING:  # lists addresses
                self._blank(data, payload + 8, min(after, last))
            later_part = header == _FRAGMENT and number(data, payload + 2) >> 3 > 0
            protocol, payload = -1 if later_part else data[payload], after
        self._transport(data, protocol, payload, last, (pseudo, words(data[at + 8 : at + 40])))

    def _transport(self, data: bytearray, protocol: int, at: int, end: int, pseudo: tuple[int, int]) -> None:
        """What is inside IP. `pseudo` is the sum of both addresses, before and after."""
        if at >= end:
            return
        if protocol == PROTOCOL_TCP:
            self._tcp(data, at, end, pseudo)
        elif protocol == PROTOCOL_UDP:
            self._udp(data, at, end, pseudo)
        elif protocol in (PROTOCOL_ICMP, PROTOCOL_ICMPV6):
            v6 = protocol == PROTOCOL_ICMPV6
            before = words(data[at:end])
            (self._icmpv6 if v6 else self._icmp)(data, at, end)
            change = pseudo if v6 else (0, 0)
            mend(data, at + 2, end, before + change[0], words(data[at:end]) + change[1])
        elif protocol in (_IPV4_IN_IP, _IPV6_IN_IP):
            self._inside(data, (Kind.IP, at), end)
        elif protocol == _GRE:
            before = words(data[at:end])
            self._inside(data, after_gre(data, at, end), end)
            if data[at] & 0x80:
                mend(data, at + 4, end, before, words(data[at:end]))
        else:
            self._blank(data, at, end)

    def _tcp(self, data: bytearray, at: int, end: int, pseudo: tuple[int, int]) -> None:
        size = max(data[at + 12] >> 4, 5) * 4 if end - at > 13 else _TCP_HEADER
        payload, before = min(at + size, end), words(data[at:end]) + pseudo[0]
        for code, begins, ends in _options(data, at + _TCP_HEADER, payload):
            if code not in _TCP_KEPT:
                data[begins:ends] = bytes(ends - begins)
        if data[at + 13 : at + 14] and data[at + 13] & RST:
            self._reset_text(data, payload, end)
        else:
            self._blank(data, payload, end)
        self._mend(data, at + 16, at, end, PROTOCOL_TCP, (before, words(data[at:end]) + pseudo[1]), pseudo)

    def _reset_text(self, data: bytearray, at: int, end: int) -> None:
        """The payload of a reset stays of its kind, by which devices are known (reset_payload.py)."""
        text = bytes(data[at:end])
        if text.startswith(HENAN_PAYLOAD.encode("latin-1")):
            return
        if len(text) == DIAGNOSTIC_LENGTH and text.startswith(DIAGNOSTIC_MAGIC):  # numbers alone: they name nobody
            return
        kept = next((known for known in _KNOWN_TEXTS if text.startswith(known)), b"")
        rest = text[len(kept) :]
        is_text = bool(kept) or (text[:1] != b"\0" and _TEXT.issuperset(text.partition(b"\0")[0]))
        data[at:end] = kept + (self._names.text(rest) if is_text else self._names.binary(rest))

    def _udp(self, data: bytearray, at: int, end: int, pseudo: tuple[int, int]) -> None:
        before, had_checksum = words(data[at:end]) + pseudo[0], any(data[at + 6 : at + 8])
        if end - at > _UDP_HEADER:
            self._inside(data, after_udp(data, at, end), end)
        if not had_checksum:
            return
        self._mend(data, at + 6, at, end, PROTOCOL_UDP, (before, words(data[at:end]) + pseudo[1]), pseudo)
        if at + 8 <= end and not any(data[at + 6 : at + 8]):
            data[at + 6 : at + 8] = b"\xff\xff"  # zero would mean no checksum (RFC 768)

    def _mend(
        self,
        data: bytearray,
        at: int,
        begins: int,
        end: int,
        protocol: int,
        covered: tuple[int, int],
        pseudo: tuple[int, int],
    ) -> None:
        """Mend the checksum at `at` of TCP or UDP, also one that a network card was to complete."""
        if at + 2 <= end and is_left_to_card(number(data, at), pseudo[0], protocol, end - begins):
            covered = (pseudo[1], pseudo[0])  # it moves with the addresses, and the other way
        mend(data, at, end, *covered)

    def _icmp(self, data: bytearray, at: int, end: int) -> None:
        kind = data[at]
        if kind not in _ICMP_ERRORS:
            known = 20 if kind in _ICMP_TIMESTAMPS else _ICMP_HEADER if kind in (0, 8) else 4
            self._blank(data, at + known, end)
            return
        if kind == _ICMP_REDIRECT:
            self._address(data, at + 4, 4)
        self._inside(data, (Kind.IP, at + _ICMP_HEADER), end)

    def _icmpv6(self, data: bytearray, at: int, end: int) -> None:
        kind = data[at]
        if kind in _ICMPV6_ERRORS:
            self._inside(data, (Kind.IP, at + _ICMP_HEADER), end)
            return
        if kind not in _NEIGHBOURS:
            self._blank(data, at + (_ICMP_HEADER if kind in (128, 129) else 4), end)
            return
        addresses, options = _NEIGHBOURS[kind]
        for place in addresses:
            if at + place + 16 <= end:
                self._address(data, at + place, 16)
        place = at + options
        while place + 8 <= end and data[place + 1]:
            after = place + data[place + 1] * 8
            if data[place] in _LINK_ADDRESSES and after == place + 8:
                self._mac(data, place + 2)
            elif data[place] == _PREFIX and after == place + 32 <= end:
                self._address(data, place + 16, 16)
            elif data[place] != _MTU:
                self._blank(data, place + 2, min(after, end))
            place = after
        self._blank(data, place, end)


def _options(data: bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Code, begin and end of the values of the options of IPv4 or TCP."""
    while at + 1 < end and (code := data[at]) != 0:
        if code == 1:  # no operation
            at += 1
            continue
        after = at + max(data[at + 1], 2)
        yield code, at + 2, min(after, end)
        at = after
