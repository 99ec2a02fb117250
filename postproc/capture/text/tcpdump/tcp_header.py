"""The TCP header as tcpdump prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from heuristics.protocol.tshark_fields import PROTOCOL_TCP
from postproc.capture.text.reading import BROKEN, NotUnderstoodError
from postproc.capture.text.tcpdump.ip_header import Header, split_port

_TCP = re.compile(
    r" ?(?:(?:[A-Z]\S* (?:\([^)]*\) )*)+(?P<sport>\d{1,5}) > (?P<dport>\d{1,5}): )?Flags \[(?P<flags>[^\]]{0,20})\]"
    r"(?:, cksum 0x[0-9a-f]{1,4} \((?:correct|incorrect[^()]*)\))?(?:, seq (?P<seq>\d{1,10})(?::\d{1,10})?)?"
    r"(?:, ack (?P<ack>\d{1,10}))?(?:, win (?P<window>\d{1,5}))?(?:, urg \d+)?(?:, options \[(?P<options>.*?)\])?"
    r", length (?P<length>\d{1,5})(?!\d)(?: \[RST\+? (?P<cause>.*)\]$)?"
)
_HIGH, _CONTROL = re.compile(r"M-(?:\^.|.)"), re.compile(r"(?<!M-)\^([@-_?])")
# The letters for TCP flags; AE (RFC 9768) is `e` from tcpdump 4.99.2 on.
_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128, "e": 256}
# TCP options by the word that tcpdump prints: kind, and length in bytes.
_OPTIONS = {"eol": (0, 1), "nop": (1, 1), "mss": (2, 4), "wscale": (3, 3), "sackOK": (4, 2), "TS": (8, 10)}
_LARGEST_16, _LARGEST_32 = 0xFFFF, 0xFFFFFFFF
_V4_HEADER, _TCP_HEADER, _MOST_TCP = 20, 20, 60


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP header as it is printed. Numbers that are not printed are None."""

    src: str
    sport: int
    dst: str
    dport: int
    flags: int
    seq: int | None
    ack: int | None
    window: int
    length: int
    header_len: int
    option_kinds: str | None
    tsval: str | None
    cause: str | None


def read_segment(body: str, header: Header) -> Segment | None:
    """The TCP header after an IP header. Behind IPv6 extension headers there may be another protocol, too."""
    found = _TCP.match(body, header.end)
    if found is None:
        if header.proto == PROTOCOL_TCP and "[|tcp]" not in body[header.end :]:
            raise NotUnderstoodError(BROKEN)
        return None
    (src, sport), (dst, dport) = split_port(header.src, header.version), split_port(header.dst, header.version)
    if found["sport"]:
        src, sport, dst, dport = header.src, int(found["sport"]), header.dst, int(found["dport"])
    if sport is None or dport is None or found["window"] is None:
        raise NotUnderstoodError(BROKEN)
    if max(sport, dport, int(found["window"]), int(found["length"])) > _LARGEST_16:
        raise NotUnderstoodError(BROKEN)
    if max(int(found["seq"] or 0), int(found["ack"] or 0)) > _LARGEST_32:
        raise NotUnderstoodError(BROKEN)
    kinds, options_len, tsval = _options(found["options"] or "")
    payload = int(found["length"])
    return Segment(
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
        flags=0 if found["flags"] == "none" else sum(_FLAGS.get(letter, 0) for letter in found["flags"]),
        seq=None if found["seq"] is None else int(found["seq"]),
        ack=None if found["ack"] is None else int(found["ack"]),
        window=int(found["window"]),
        length=payload,
        header_len=_header_len(header, payload, options_len),
        option_kinds=kinds,
        tsval=tsval,
        cause=_cause(found["cause"]),
    )


def _header_len(header: Header, payload: int, options_len: int) -> int:
    """Bytes of the TCP header: what the IP packet has beside the payload, or else what its options take."""
    length = int(header.fields.get("length") or 0) - payload - (_V4_HEADER if header.version == 4 else 0)
    plain = not header.fields.get("options") and header.proto == PROTOCOL_TCP
    if plain and _TCP_HEADER <= length <= _MOST_TCP and length % 4 == 0:
        return length
    return min(_TCP_HEADER + -(-options_len // 4) * 4, _MOST_TCP)


def _options(text: str) -> tuple[str | None, int, str | None]:
    """Of TCP options: their kinds as tshark lists them (None if one is unknown), bytes, and the time stamp."""
    kinds: list[str] | None = []
    length, tsval = 0, None
    for option in text.split(",") if text else ():
        words = option.split()
        known = _OPTIONS.get(words[0]) if words else None
        if known is None:
            kinds = None
            continue
        if kinds is not None:
            kinds.append(str(known[0]))
        length += known[1]
        if words[0] == "TS" and len(words) > 2 and words[2].isdecimal():
            tsval = words[2]
    return ",".join(kinds) if kinds else None, length, tsval


def _cause(text: str | None) -> str | None:
    """The payload of a reset up to its first NUL, as Wireshark has it. tcpdump prints NUL as `^@`, 0xff as `M-^?`."""
    if not text:
        return None
    return _HIGH.sub("\ufffd", _CONTROL.sub(lambda found: chr(ord(found[1]) ^ 0x40), text)).partition("\0")[0] or None
