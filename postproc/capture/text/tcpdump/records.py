"""Cuts a text into packets: each with its number, its time and what tcpdump says of it, on one line.

A text may have come by mail or from a web page: with quote marks, indented, with lines wrapped, with colours, and with
prose before, between and after the packets. What a packet carries is printed deeper than the packets themselves, so a
line that only looks like a packet is none where it is deeper than they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.hexdump import continued, line_of_dump
from postproc.capture.text.reading import Unread

_PAYLOAD_COLUMNS = 8  # a tab
_LONGEST = 16_384  # characters of one packet; lines that are longer, or that would make it so, are no part of it

_NUMBER = r"(?:(?P<number>\d{1,10})[:.)]?[ \t]+)?"
_TIME = r"(?:(?P<time>(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{1,9}|\d{1,10}\.\d{6}(?:\d{3})?)[ \t]+)"  # of day, or -tt
# After the interface and direction of `-i any`: the protocols that tcpdump names at the beginning of a packet.
_INTERFACE = r"(?:[\w.@:-]{1,16}[ \t]+(?:In|Out|B|M|P)[ \t]+)?"
_MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"
_PROTOCOL = (
    rf"(?:IP6?\b|{_MAC}|(?:In|Out|B|M|P)\b|ethertype|ifindex|vlan|ARP|RARP|Reverse|Request|Reply|STP|LLDP|CDP|MPLS|PPP|"
    r"LLC|EAP|IS-IS|Loopback|LACP|Slow|MACsec|PTP|802\.|IPX|AppleTalk|SNAP|[Uu]nknown|Unnumbered|Supervisory|VTP|DTP)"
)
_TIMED = re.compile(rf"{_NUMBER}{_TIME}(?P<body>{_INTERFACE}{_PROTOCOL}.*)")
# Without times, only a line that is a packet for certain begins one.
_ADDRESSES = r"[0-9a-zA-Z_.:%-]+ > "
_UNTIMED = re.compile(
    rf"{_NUMBER}(?P<body>{_INTERFACE}(?:IP6? (?:\((?:tos|class|flowlabel|hlim) |{_ADDRESSES})|ARP, |{_MAC} > {_MAC}).*)"
)
_DETAILED = re.compile(r"\bICMP .{0,200}(?:unreachable|exceeded|redirect|problem|quench)|proto (?:IPIP|GRE|IPv6) \(")
_HAS_ENDS = re.compile(r" > [^\s,]+:(?:\s|$)")
_WHOLE_TCP = re.compile(r"Flags \[.*, length \d+")
_IS_IP = re.compile(r"\bIP6?\b|ethertype IPv[46]")
# What tcpdump prints of itself.
_OWN_WORDS = re.compile(
    r"reading from file .*|tcpdump: (?:verbose output suppressed|listening on|data link type).*|listening on .*|"
    r"dropped privs to .*|\d+ packets? (?:captured|received by filter)|0 packets? dropped by .*|\^C.*|"
    r"\s*use -v.* for full protocol decode"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One packet of the text. `number` and `time` are as they are printed, None and "" where they are not.

    `dump` has its bytes, where they are printed too (-x, -X), as far as they follow one another.
    """

    number: int | None
    time: str
    body: str
    dump: bytes = b""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text is laid out: whether packets have times, and how deep (in columns) their first lines are indented.

    `number_end` is the column where their numbers end, 0 without numbers: tcpdump aligns them to the right (-#).
    """

    timed: bool
    indent: int
    number_end: int = 0

    def begins(self, found: re.Match[str], indent: int) -> bool:
        """Whether a line that looks like a packet begins one: it is no deeper than the packets are."""
        # tcpdump puts a blank before differences of times.
        return indent <= self.indent + 1 or 0 < _number_end(found, indent) <= self.number_end


def layout_of(lines: Iterable[str]) -> Layout | None:
    """The layout of a text that begins with these lines, None where they show no packet."""
    texts = [cleaned(line) for line in lines]
    for timed, start in ((True, _TIMED), (False, _UNTIMED)):
        begun = [(found, indent) for text, indent in texts if (found := start.fullmatch(text)) is not None]
        if begun:
            number_end = min((end for each in begun if (end := _number_end(*each))), default=0)
            return Layout(timed, _indent([indent for _, indent in begun]), number_end)
    return None


def _indent(indents: Sequence[int]) -> int:
    """How deep packets are indented: as the least of these, but the first may have lost its indentation when copied.

    tcpdump prints payload eight columns deeper, so such lines never set the depth beside others.
    """
    least, second = indents[0], min(indents[1:], default=indents[0])
    return second if least < second < least + _PAYLOAD_COLUMNS else min(least, second)


def records(lines: Iterable[str], layout: Layout, unread: Unread) -> Iterator[Record]:
    """The packets of a text, in its order. Lines that belong to none are added to `unread`."""
    start = _TIMED if layout.timed else _UNTIMED
    packet: _Packet | None = None
    for line in lines:
        if len(line) > _LONGEST:
            unread.add(line)
            continue
        text, indent = cleaned(line)
        if not text or _OWN_WORDS.fullmatch(text):
            continue
        found = start.fullmatch(text)
        quoted = packet is not None and packet.quotes and not layout.timed
        if found is not None and layout.begins(found, indent) and not quoted:
            if packet is not None:
                yield packet.record()
            packet = _Packet(found)
        elif text.startswith("0x") and (dumped := line_of_dump(text)) is not None:
            if packet is not None:
                packet.dump = continued(packet.dump, dumped)
        elif packet is not None and (quoted or packet.unfinished or (packet.has_details and indent > layout.indent)):
            packet.add(text)
        elif packet is None or found is not None or indent <= layout.indent:
            unread.add(line)
    if packet is not None:
        yield packet.record()


class _Packet:
    """A packet while its lines are read.

    `unfinished`: its addresses, or the end of its TCP header, are still to come. `has_details`: it has another packet
    in it, of which tcpdump prints the headers. `quotes`: the next line may be the packet that an ICMP error quotes, in
    a text that lost its indentation.
    """

    __slots__ = ("_begun", "_lines", "_text", "dump", "has_details", "quotes", "unfinished")

    def __init__(self, begun: re.Match[str]) -> None:
        self._begun = begun
        self._text = begun["body"]
        self._lines = 1
        self.dump = b""
        self._look()

    def add(self, text: str) -> None:
        """Add a line."""
        self._text = f"{self._text} {text}"
        self._lines += 1
        self._look()

    def _look(self) -> None:
        text = self._text
        short = len(text) < _LONGEST
        no_end = _HAS_ENDS.search(text) is None or ("Flags [" in text and _WHOLE_TCP.search(text) is None)
        self.unfinished = short and no_end and _IS_IP.search(text) is not None
        self.has_details = short and _DETAILED.search(text) is not None
        self.quotes = self.has_details and self._lines <= 2

    def record(self) -> Record:
        """The packet with all its lines."""
        named = self._begun.groupdict()
        number = named["number"]
        return Record(None if number is None else int(number), named.get("time") or "", self._text, self.dump)


def _number_end(found: re.Match[str], indent: int) -> int:
    return indent + len(found["number"]) if found["number"] else 0
