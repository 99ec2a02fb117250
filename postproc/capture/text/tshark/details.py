"""Packet details as text (`tshark -V`, Wireshark's "Plain text" with details) -> a row for each packet.

A packet begins with "Frame 1: ..."; a header, with a line that names it ("Internet Protocol Version 4, Src: ...");
below it stand its fields, deeper, as "Label: value". Labels change with the version: each field has all that it had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.reading import Reading, Row

_FRAME = re.compile(r"Frame (\d{1,10}): \d+ bytes on wire")
_HEADERS = {
    "Ethernet II": "eth",
    "IEEE 802.3 Ethernet": "eth",
    "Internet Protocol Version 4": "ip",
    "Internet Protocol Version 6": "ipv6",
    "Internet Protocol": "ip",
    "Transmission Control Protocol": "tcp",
    "User Datagram Protocol": "udp",
    "Internet Control Message Protocol": "icmp",
    "Internet Control Message Protocol v6": "icmpv6",
    "F5 Ethernet Trailer Protocol": "f5",
}
_NAMED = re.compile(rf"({'|'.join(sorted(_HEADERS, key=len, reverse=True))})(?=,|$)")

_NUMBER, _HEXADECIMAL, _CODE = r"(\d{1,10})\b", r"(0x[0-9a-f]{1,8})\b", r".*\((\d{1,3})\)"
_TYPE = r"(?:\D.*\()?(\d{1,3})\b"  # 3 (Destination unreachable), or Destination Unreachable (1)
_PORT = r"(?:.*\()?(\d{1,5})\)?$"
_MAC = r"(?:.*\()?((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\)?"
_V4 = r"(?:.*\()?(\d{1,3}(?:\.\d{1,3}){3})\)?$"
_V6 = r"(?:.*\()?([0-9a-f:]*:[0-9a-f:]*(?:\d{1,3}(?:\.\d{1,3}){3})?)\)?$"
_BITS = r"(?:[01.]{2,4}(?: [01.]{2,4})* = )?"
# Of each header: the field, a pattern of its label, and one of its value. The first line that fits counts.
_FIELDS = {
    header: tuple((name, re.compile(_BITS + label + ": " + value, re.IGNORECASE)) for name, label, value in fields)
    for header, fields in {
        "frame": (("frame.time_epoch", r"Epoch (?:Arrival )?Time", r"(-?\d+\.\d+) seconds"),),
        "eth": (("eth.dst", "Destination", _MAC), ("eth.src", "Source", _MAC)),
        "ip": (
            ("ip.dsfield", "Differentiated Services Field", _HEXADECIMAL),
            ("ip.id", "Identification", _HEXADECIMAL),
            ("ip.flags.df", "Don't fragment", r"((?:Not )?set)"),
            ("ip.ttl", "Time to Live", _NUMBER),
            ("ip.proto", "Protocol", _CODE),
            ("ip.src", r"(?:Source|Source Address)", _V4),
            ("ip.dst", r"(?:Destination|Destination Address)", _V4),
        ),
        "ipv6": (
            ("ipv6.tclass", "Traffic Class", _HEXADECIMAL),
            ("ipv6.flow", "Flow Label", _HEXADECIMAL),
            ("ipv6.nxt", "Next Header", _CODE),
            ("ipv6.hlim", "Hop Limit", _NUMBER),
            ("ipv6.src", r"(?:Source|Source Address)", _V6),
            ("ipv6.dst", r"(?:Destination|Destination Address)", _V6),
        ),
        "tcp": (
            ("tcp.srcport", "Source Port", _PORT),
            ("tcp.dstport", "Destination Port", _PORT),
            ("tcp.seq_raw", r"Sequence Number \(raw\)", _NUMBER),
            ("tcp.ack_raw", r"Acknowledgment Number \(raw\)", _NUMBER),
            ("tcp.hdr_len", "Header Length", _NUMBER),
            ("tcp.flags", "Flags", _HEXADECIMAL),
            ("tcp.window_size_value", r"(?:Window|Window size value)", _NUMBER),
            ("tcp.len", r"\[TCP Segment Len", _NUMBER),
            ("tcp.options.timestamp.tsval", "Timestamp value", _NUMBER),
            ("tcp.reset_cause", "Reset cause", "(.*)"),
        ),
        "udp": (
            ("udp.srcport", "Source Port", _PORT),
            ("udp.dstport", "Destination Port", _PORT),
        ),
        "f5": (("f5ethtrailer.rstcausetxt", "Cause", "(.*)"),),
        "icmp": (("icmp.type", "Type", _TYPE), ("icmp.code", "Code", _TYPE)),
        "icmpv6": (("icmpv6.type", "Type", _TYPE), ("icmpv6.code", "Code", _TYPE)),
    }.items()
}
_TEXTS = ("tcp.reset_cause", "f5ethtrailer.rstcausetxt")
_EXTENSION = re.compile(r"IPv6 [\w-]+(?: [\w-]+){0,4} (?:Option|Header)\b.*|Fragment Header.*", re.IGNORECASE)
_NEXT_HEADER = _FIELDS["ipv6"][2]
_OPTION_KIND = re.compile(r"Kind: .*\((\d{1,3})\)$")
_SET = {"set": "1", "not set": "0"}


def packets_in(sample: Sequence[str]) -> int:
    """How many packets with details these lines hold."""
    return sum(_FRAME.match(cleaned(line)[0]) is not None for line in sample)


def rows(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Row]:
    """The rows of the packets of a text. Lines before the first packet are counted in `reading`."""
    packet: _Packet | None = None
    for line in lines:
        text, indent = cleaned(line)
        if (begun := _FRAME.match(text)) is not None:
            if packet is not None:
                yield reading.exported(packet.row())
            packet = _Packet(begun[1], indent)
        elif packet is not None:
            packet.take(text, indent)
        elif text:
            reading.unread.add(line)
    if packet is not None:
        yield reading.exported(packet.row())


class _Packet:
    """A packet while its lines are read: the values of its fields, of each header one."""

    def __init__(self, number: str, indent: int) -> None:
        self._values: dict[str, list[str]] = {"frame.number": [number]}
        self._header, self._indent = "frame", indent
        self._left: list[tuple[str, re.Pattern[str]]] = list(_FIELDS["frame"])

    def take(self, text: str, indent: int) -> None:
        """Take one line."""
        if (named := _NAMED.match(text)) is not None:
            self._begin(_HEADERS[named[1]], indent)
        elif _EXTENSION.fullmatch(text):  # an extension header names the next one, as the IPv6 header does
            self._begin("extension", indent)
            self._left = [_NEXT_HEADER]
        elif indent <= self._indent and text and ": " not in text:
            self._begin("", indent)
        elif self._header == "tcp" and (kind := _OPTION_KIND.match(text)) is not None:
            self._values.setdefault("tcp.option_kind", []).append(kind[1])
        else:
            self._take_field(text)

    def _begin(self, header: str, indent: int) -> None:
        self._header, self._indent = header, indent
        self._left = list(_FIELDS.get(header, ()))

    def _take_field(self, text: str) -> None:
        for place, (name, pattern) in enumerate(self._left):
            if (found := pattern.match(text)) is not None:
                value = found[1] if name in _TEXTS else found[1].lower()
                self._values.setdefault(name, []).append(_SET.get(value, value))
                del self._left[place]
                return

    def row(self) -> Row:
        """The raw columns of the packet."""
        return {name: ",".join(values) for name, values in self._values.items()}
