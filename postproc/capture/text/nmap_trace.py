"""What `nmap --packet-trace` prints -> a row for each packet.

`SENT (0.1290s) TCP 192.0.2.1:58149 > 192.0.2.2:80 S ttl=59 id=17868 iplen=44  seq=1840043359 win=1024 <mss 1460>`; with
-d, TCP and IP each in brackets, `TCP [... seq=7 ack=8 ...] IP [ttl=59 id=17868 proto=6 iplen=44 ]`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.numbers import number_up_to
from postproc.capture.text.packet_logs.segments import LETTERS, LoggedSegment, Segments
from postproc.capture.text.reading import BROKEN, NotUnderstoodError, Reading, Row
from postproc.runtime.clock import seconds_to_us

_LINE = re.compile(r"(?:SENT|RCVD) \((\d{1,9}\.\d{1,6})s\) (?P<packet>(?:TCP|UDP|SCTP|ICMP|ICMPv6|IP|ARP)\b.*)")
_ENDS = re.compile(
    r"TCP \[?(?P<src>[0-9a-fA-F.:]+):(?P<sport>\d{1,5}) > (?P<dst>[0-9a-fA-F.:]+):(?P<dport>\d{1,5}) (?P<flags>[A-Z]*) "
)
_ICMP_ENDS = re.compile(r"(?:ICMP|ICMPv6|UDP|SCTP)\b.*?\[?(?P<src>[0-9a-fA-F.:]+) > (?P<dst>[0-9a-fA-F.:]+) ")
_VALUE = re.compile(r"\b(ttl|id|iplen|hopl|flow|payloadlen|seq|ack|win|type|code)=([0-9a-f]+)")
_TYPE = re.compile(r"\(type=(\d{1,3})/code=(\d{1,3})\)")
_OPTIONS = re.compile(r"<([^<>]*)>")
_OPTION_KINDS = {"eol": (0, 1), "nop": (1, 1), "mss": (2, 4), "wscale": (3, 3), "sackOK": (4, 2), "timestamp": (8, 10)}
_TCP_HEADER, _V4_HEADER = 20, 20
# What nmap prints besides packets.
_OWN_WORDS = re.compile(r"(?:CONN|NSOCK|NSE|Starting|Nmap|Host|PORT|Not shown|MAC Address|Some closed|\d+/)\b.*")


def packets_in(sample: Sequence[str]) -> int:
    """How many packets of nmap these lines hold."""
    return sum(_LINE.fullmatch(cleaned(line)[0]) is not None for line in sample)


def rows(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Row]:
    """The rows of the packets of a trace. Other lines are counted in `reading`."""
    segments = Segments()
    for line in lines:
        text, _ = cleaned(line)
        found = _LINE.fullmatch(text)
        if found is not None:
            yield reading.packet(None, seconds_to_us(found[1]), text, partial(_row, found["packet"], segments))
        elif text and not _OWN_WORDS.fullmatch(text):
            reading.unread.add(line)


def _row(packet: str, segments: Segments) -> Row | None:
    """The row of one packet; None for one without IP addresses. Raises NotUnderstoodError."""
    ends = _ENDS.match(packet)
    named = ends or _ICMP_ENDS.match(packet)
    if named is None:
        return None
    values = dict(reversed(_VALUE.findall(packet)))  # of several, the first
    try:
        row = _ip_header(named["src"], named["dst"], values)
        if ends is not None:
            row |= segments.row(_segment(ends, values, packet))
        elif (error := _TYPE.search(packet)) is not None and packet.startswith("ICMP"):
            layer = "icmpv6" if "ipv6.src" in row else "icmp"
            row |= {f"{layer}.type": error[1], f"{layer}.code": error[2]}
    except (KeyError, ValueError):
        raise NotUnderstoodError(BROKEN) from None
    return row


def _ip_header(src: str, dst: str, values: dict[str, str]) -> Row:
    """The IP columns. Raises KeyError and ValueError."""
    source, target = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if source.version == 6:
        return {
            "ipv6.src": source.compressed,
            "ipv6.dst": target.compressed,
            "ipv6.hlim": str(number_up_to(values["hopl"], 0xFF)),
            "ipv6.flow": f"0x{int(values['flow'], 16):05x}",
        }
    return {
        "ip.src": source.compressed,
        "ip.dst": target.compressed,
        "ip.ttl": str(number_up_to(values["ttl"], 0xFF)),
        "ip.id": f"0x{number_up_to(values['id'], 0xFFFF):04x}",
    }


def _segment(ends: re.Match[str], values: dict[str, str], packet: str) -> LoggedSegment:
    """The TCP header. Raises KeyError and ValueError."""
    options = _OPTIONS.search(packet)
    known = [_OPTION_KINDS.get(word.split()[0]) for word in options[1].split(",") if word.split()] if options else []
    kinds = [each for each in known if each is not None]
    header = _TCP_HEADER + -(-sum(length for _, length in kinds) // 4) * 4
    v6 = ":" in ends["src"]
    length = int(values["payloadlen"]) if v6 else int(values["iplen"]) - _V4_HEADER
    src, dst = (ipaddress.ip_address(ends[name]).compressed for name in ("src", "dst"))
    return LoggedSegment(
        ends=(src, number_up_to(ends["sport"], 0xFFFF), dst, number_up_to(ends["dport"], 0xFFFF)),
        flags=sum(LETTERS.get(letter, 0) for letter in ends["flags"]),
        window=number_up_to(values["win"], 0xFFFF),
        length=max(length, header),
        seq=number_up_to(values["seq"], 0xFFFFFFFF),
        ack=number_up_to(values["ack"], 0xFFFFFFFF) if "ack" in values else None,
        header=header,
        kinds=tuple(kind for kind, _ in kinds) if len(kinds) == len(known) else (),
    )
