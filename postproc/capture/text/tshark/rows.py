"""The packet list as text (tshark, Wireshark's "Plain text" and "CSV") -> a row for each packet.

It shows no hop limit, and of a TCP segment only what its Info column says. Sequence numbers are relative to the first
of their direction, also without ACK: they fit one another. Windows are scaled; the handshake shows by how much. Of
packets of the protocols above TCP (HTTP, TLS) neither ports nor numbers are shown.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from heuristics.protocol.tshark_fields import ACK, SYN
from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.hexdump import HEADING, Dump, continued, line_of_dump
from postproc.capture.text.reading import BROKEN, NAMES, NO_BYTES, NotUnderstoodError, Reading, Row, Unread
from postproc.capture.text.tcpdump.clock import microseconds
from postproc.runtime.clock import seconds_to_us

_TIME = r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{1,9}|\d{1,10}\.\d{1,9}"
_LINE = re.compile(
    rf"(?P<number>\d{{1,10}})\s+(?P<time>{_TIME})\s+(?P<src>\S+)\s+(?:(?:→|->|\u2192)\s+)?(?P<dst>\S+)\s+"
    r"(?P<protocol>[A-Z]\S*)\s+(?P<length>\d{1,6})\s+(?P<info>.*)"
)
_COLUMN_NAMES = re.compile(r'"?No\."?[\s,]+"?Time"?[\s,]')
_ARROW = r"\s*(?:→|->|>)\s*"
_SEGMENT = re.compile(
    rf"(?:\[[^\]]*\] ?)*(?P<sport>\d{{1,5}}){_ARROW}(?P<dport>\d{{1,5}}) \[(?P<flags>[\w, <>]*)\]"
    r"(?: Seq=(?P<seq>\d{1,10}))?(?: Ack=(?P<ack>\d{1,10}))?(?: Win=(?P<window>\d{1,10}))?(?: Urg=\d+)?"
    r"(?: Len=(?P<length>\d{1,6}))?(?P<options>.*)"
)
_PORTS_BY_NAME = re.compile(rf"(?:\[[^\]]*\] ?)*[\w-]+{_ARROW}[\w-]+ \[[A-Z, ]+\] Seq=")
_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECN": 64, "ECE": 64, "CWR": 128}
_FLAGS |= {"NS": 256, "AE": 256}
# What Info shows of TCP options, in their order: kind, and length in bytes. Padding is not shown.
_OPTIONS = {"MSS": (2, 4), "SACK_PERM": (4, 2), "TSval": (8, 10), "WS": (3, 3)}
_OPTION = re.compile(r"\b(MSS|SACK_PERM|TSval|WS)(?:=(\d{1,10}))?")
# The order of these options is Linux's own, and tells where it pads them.
_PADDED = {(2, 4, 8, 3): "2,4,8,1,3", (2, 4, 3): "2,1,1,4,1,3"}
_TCP_HEADER, _MOST_TCP = 20, 60
# Relative numbers stand for others: any will do but 0, which a reset in answer to a SYN may have.
_BASE, _MASK = 1 << 30, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Line:
    """One packet of the list, as it is printed; `dump` has its bytes, where they are printed too (tshark -P -x)."""

    number: int
    time: str
    src: str
    dst: str
    protocol: str
    info: str
    text: str
    dump: bytes = b""


@dataclass(slots=True)
class _Windows:
    """By how much windows are scaled, by direction of a flow, as the handshakes show."""

    scales: dict[tuple[str, int, str, int], int] = field(default_factory=dict)

    def unscaled(self, ends: tuple[str, int, str, int], flags: int, window: int, scale: int | None) -> int:
        """The window as it stands in the header. `scale` is the factor that a SYN or SYN-ACK offers."""
        turned = (*ends[2:], *ends[:2])
        if flags & SYN:
            if scale is not None and (not flags & ACK or turned in self.scales):
                self.scales[ends] = scale
            else:
                self.scales.pop(ends, None)
                self.scales.pop(turned, None)
            return window
        factor = self.scales.get(ends, 1)
        return window // factor if window % factor == 0 else window


def packets_in(sample: Sequence[str]) -> int:
    """How many packets of a packet list these lines hold."""
    return sum(1 for _ in _lines(sample, Unread()))


def rows(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Row]:
    """The rows of the packets of a text."""
    windows, hidden = _Windows(), 0
    for line in _lines(lines, reading.unread):
        yield reading.packet(line.number, _time_us(line.time), line.text, partial(_row, line, windows))
        hidden += line.protocol not in _SHOWN_WHOLE and _SEGMENT.match(line.info) is None
    if hidden:
        reason = f"{hidden:,} packets of protocols above TCP and UDP, whose ports and numbers this list does not show"
        reading.notes.append((reason, HOP_LIMITS))


HOP_LIMITS = "run tshark with -V or -T json, or give the capture itself"
_SHOWN_WHOLE = frozenset(("TCP", "UDP", "ICMP", "ICMPv6", "ARP", "IPv4", "IPv6"))


def has_dumps(sample: Sequence[str]) -> bool:
    """Whether most packets in these lines have their bytes printed too."""
    dumped = [bool(line.dump) for line in _lines(sample, Unread())]
    return sum(dumped) * 2 > len(dumped)


def dumps(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Dump]:
    """The bytes of the packets of a text. A packet without is counted in `reading`."""
    for line in _lines(lines, reading.unread):
        number = reading.frame(line.number)
        if line.dump:
            yield number, _time_us(line.time), line.dump
        else:
            reading.failed(NO_BYTES, line.text)


def _lines(lines: Iterable[str], unread: Unread) -> Iterator[_Line]:
    waiting: _Line | None = None
    for each in lines:
        text, _ = cleaned(each)
        if not text or _COLUMN_NAMES.match(text) or HEADING.fullmatch(text):
            continue
        dumped = line_of_dump(text) if waiting is not None else None
        found = None if dumped else _LINE.fullmatch(_from_csv(text))
        if found is not None:
            if waiting is not None:
                yield waiting
            number, time, src, dst, protocol, _, info = found.groups()
            waiting = _Line(int(number), time, src, dst, protocol, info, text)
        elif dumped is not None and waiting is not None:
            waiting = replace(waiting, dump=continued(waiting.dump, dumped))
        else:
            unread.add(each)
    if waiting is not None:
        yield waiting


def _from_csv(text: str) -> str:
    """The cells of a line of CSV with blanks between them; any other line as it is."""
    return " ".join(next(csv.reader([text]))) if text.startswith('"') else text


def _time_us(text: str) -> int | None:
    """Seconds since the first packet or since 1970, a time of day, or a date and time (us)."""
    return microseconds(text) if ":" in text else seconds_to_us(text)


def _row(line: _Line, windows: _Windows) -> Row | None:
    """The row of one packet; None for one without IP addresses. Raises NotUnderstoodError."""
    try:
        src, dst = ipaddress.ip_address(line.src), ipaddress.ip_address(line.dst)
    except ValueError:
        return None
    layer = "ip" if src.version == 4 else "ipv6"
    row: Row = {f"{layer}.src": src.compressed, f"{layer}.dst": dst.compressed}
    segment = _SEGMENT.match(line.info)
    if segment is not None and segment["seq"] is not None and segment["window"] is not None:
        _add_segment(row, segment, windows, (src.compressed, dst.compressed))
    elif line.protocol == "TCP":
        raise NotUnderstoodError(NAMES if _PORTS_BY_NAME.match(line.info) else BROKEN)
    return row


def _add_segment(row: Row, segment: re.Match[str], windows: _Windows, addresses: tuple[str, str]) -> None:
    ports = int(segment["sport"]), int(segment["dport"])
    flags = sum(_FLAGS.get(name.strip(), 0) for name in segment["flags"].split(","))
    options = _OPTION.findall(segment["options"])
    kinds = tuple(_OPTIONS[name][0] for name, _ in options)
    values = dict(options)
    scale = int(values["WS"]) if values.get("WS") else None
    window = windows.unscaled((addresses[0], ports[0], addresses[1], ports[1]), flags, int(segment["window"]), scale)
    size = sum(_OPTIONS[name][1] for name, _ in options)
    row |= {
        "tcp.srcport": str(ports[0]),
        "tcp.dstport": str(ports[1]),
        "tcp.flags": f"0x{flags:04x}",
        "tcp.seq_raw": str((int(segment["seq"]) + _BASE) & _MASK),
        "tcp.ack_raw": None if segment["ack"] is None else str((int(segment["ack"]) + _BASE) & _MASK),
        "tcp.window_size_value": str(min(window, 0xFFFF)),
        "tcp.len": segment["length"] or "0",
        "tcp.hdr_len": str(min(_TCP_HEADER + -(-size // 4) * 4, _MOST_TCP)),
        "tcp.option_kind": _PADDED.get(kinds, ",".join(map(str, kinds))) or None,
        "tcp.options.timestamp.tsval": values.get("TSval") or None,
    }
