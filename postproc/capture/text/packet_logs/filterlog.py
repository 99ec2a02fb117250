"""What pfSense and OPNsense log of packets (filterlog) -> a row for each line.

After `filterlog` and the rule, a line has comma-separated fields: those of the IP header by version, those of TCP
(docs.netgate.com, "Raw Filter Log Format"; OPNsense prints the same order).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from heuristics.protocol.tshark_fields import PROTOCOL_TCP
from postproc.capture.text.numbers import number_up_to
from postproc.capture.text.packet_logs.packet_log import PacketLog
from postproc.capture.text.packet_logs.segments import LETTERS, LoggedSegment, Segments
from postproc.capture.text.reading import BROKEN, NotUnderstoodError, Row

_TIMES = "log in the syslog format (RFC 5424), which has fractions of a second"
_LINE = re.compile(
    r"(?P<prefix>.*?)\bfilterlog\b[^,]*?(?P<packet>\d*,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,[46],.*)"
)
_VERSION, _OF_IP = 8, 9  # places of the IP version, and of the first field of the IP header
_V4_FIELDS, _V6_FIELDS = 11, 8
_OPTIONS = {"mss": (2, 4), "nop": (1, 1), "eol": (0, 1), "wscale": (3, 3), "sackOK": (4, 2), "TS": (8, 10)}
_TCP_HEADER = 20


def _row(packet: str, segments: Segments) -> Row:
    """The row of one packet. Raises NotUnderstoodError."""
    fields = packet.split(",")
    try:
        if fields[_VERSION] == "4":
            (row, protocol), rest = _ipv4(fields[_OF_IP:]), fields[_OF_IP + _V4_FIELDS :]
            ends, fragment = (row["ip.src"], row["ip.dst"]), fields[_OF_IP + 4] != "0"
        else:
            (row, protocol), rest = _ipv6(fields[_OF_IP:]), fields[_OF_IP + _V6_FIELDS :]
            ends, fragment = (row["ipv6.src"], row["ipv6.dst"]), False
        if protocol == PROTOCOL_TCP and not fragment:
            row |= segments.row(_segment(rest, ends[0] or "", ends[1] or ""))
    except (IndexError, ValueError):
        raise NotUnderstoodError(BROKEN) from None
    return row


def _ipv4(fields: Sequence[str]) -> tuple[Row, int]:
    """The IP columns, and the protocol. Raises IndexError and ValueError."""
    tos, _, ttl, identification, _, flags, protocol, _, _, src, dst = fields[:_V4_FIELDS]
    row: Row = {
        "ip.src": str(ipaddress.IPv4Address(src)),
        "ip.dst": str(ipaddress.IPv4Address(dst)),
        "ip.ttl": str(number_up_to(ttl, 0xFF)),
        "ip.id": f"0x{number_up_to(identification, 0xFFFF):04x}",
        "ip.flags.df": "1" if "DF" in flags else "0",
        "ip.dsfield": f"0x{int(tos, 16):02x}",
        "ip.proto": str(number_up_to(protocol, 0xFF)),
    }
    return row, int(protocol)


def _ipv6(fields: Sequence[str]) -> tuple[Row, int]:
    """The same of IPv6."""
    tclass, label, hop_limit, _, protocol, _, src, dst = fields[:_V6_FIELDS]
    row: Row = {
        "ipv6.src": ipaddress.IPv6Address(src).compressed,
        "ipv6.dst": ipaddress.IPv6Address(dst).compressed,
        "ipv6.hlim": str(number_up_to(hop_limit, 0xFF)),
        "ipv6.tclass": f"0x{int(tclass, 16):02x}",
        "ipv6.flow": f"0x{int(label, 16):05x}",
        "ipv6.nxt": str(number_up_to(protocol, 0xFF)),
    }
    return row, int(protocol)


def _segment(fields: Sequence[str], src: str, dst: str) -> LoggedSegment:
    """The TCP header. Raises IndexError and ValueError."""
    sport, dport, payload, letters, seq, ack, window = fields[:7]
    options = [_OPTIONS[name] for name in fields[-1].split(";") if name in _OPTIONS]
    header = _TCP_HEADER + -(-sum(length for _, length in options) // 4) * 4
    return LoggedSegment(
        ends=(src, number_up_to(sport, 0xFFFF), dst, number_up_to(dport, 0xFFFF)),
        flags=sum(LETTERS.get(letter, 0) for letter in letters),
        window=number_up_to(window, 0xFFFF),
        length=header + number_up_to(payload, 0xFFFF),
        seq=number_up_to(seq.partition(":")[0], 0xFFFFFFFF) if seq else None,  # 7:9 where there is payload
        ack=number_up_to(ack, 0xFFFFFFFF) if ack else None,
        header=header,
        kinds=tuple(kind for kind, _ in options),
    )


FILTERLOG = PacketLog(_LINE, _row, _TIMES)
