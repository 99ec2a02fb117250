"""What Linux netfilter logs (LOG of iptables and nftables, ulogd) -> a row for each line.

A line: `IN=eth0 OUT= MAC=... SRC=192.0.2.1 DST=192.0.2.2 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=80
DPT=4000 SEQ=7 ACK=8 WINDOW=0 RES=0x00 ACK RST URGP=0 OPT (...)` (Linux nf_log_syslog.c; SEQ and OPT by options of the
rule). An ICMP error has the packet that it quotes in brackets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from postproc.capture.text.numbers import number_up_to
from postproc.capture.text.packet_logs.packet_log import PacketLog
from postproc.capture.text.packet_logs.segments import LoggedSegment, Segments
from postproc.capture.text.reading import BROKEN, NotUnderstoodError, Row

_TIMES = "log with fractions of a second: journalctl -k -o short-precise, or dmesg without -T"
_LINE = re.compile(r"(?P<prefix>.*?)\bIN=\S* OUT=\S* (?P<packet>.*\bSRC=\S+ DST=\S+ LEN=\d+ .*)")
_QUOTED = re.compile(r"\[(SRC=[^\]]*)\]")
_OPTIONS = re.compile(r"\bOPT \(([0-9A-Fa-f]*)\)")
_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}
_PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "UDPLITE": 136, "ICMPV6": 58}
_V4_HEADER, _V6_HEADER = 20, 40
_MAC_TEXT = 17  # characters of a MAC address
_END, _PADDING, _TIMESTAMPS = 0, 1, 8  # TCP option kinds


def _row(packet: str, segments: Segments) -> Row:
    """The row of one packet. Raises NotUnderstoodError."""
    quoted = _QUOTED.search(packet)
    values, words = _tokens(_QUOTED.sub("", packet))
    try:
        row = _ip_header(values, words)
        if mac := values.get("MAC"):
            row["eth.dst"], row["eth.src"] = mac[:_MAC_TEXT], mac[_MAC_TEXT + 1 : 2 * _MAC_TEXT + 1]
        if "FRAG" in values:
            return row
        match values.get("PROTO", "").upper():
            case "TCP":
                row |= segments.row(_segment(values, words, packet))
            case "ICMP" | "ICMPV6" as name:
                layer = "icmp" if name == "ICMP" else "icmpv6"
                row |= {f"{layer}.type": values["TYPE"], f"{layer}.code": values["CODE"]}
                if quoted is not None:
                    _add_quoted(row, *_tokens(quoted[1]))
    except (KeyError, ValueError):
        raise NotUnderstoodError(BROKEN) from None
    return row


def _tokens(text: str) -> tuple[dict[str, str], frozenset[str]]:
    """The values by their names, of several the first, and the words without a value."""
    values: dict[str, str] = {}
    words = set()
    for token in text.split():
        name, equals, value = token.partition("=")
        if equals:
            values.setdefault(name, value)
        elif token.startswith("FRAG:"):
            values["FRAG"] = token
        else:
            words.add(token)
    return values, frozenset(words)


def _ip_header(values: Mapping[str, str], words: frozenset[str]) -> Row:
    """The IP columns. Raises KeyError and ValueError."""
    src, dst = ipaddress.ip_address(values["SRC"]), ipaddress.ip_address(values["DST"])
    protocol = values.get("PROTO", "").upper()
    number = str(_PROTOCOLS.get(protocol, protocol if protocol.isdecimal() else 0))
    if src.version == 6:
        return {
            "ipv6.src": src.compressed,
            "ipv6.dst": dst.compressed,
            "ipv6.hlim": str(number_up_to(values["HOPLIMIT"], 0xFF)),
            "ipv6.tclass": f"0x{int(values.get('TC', '0')):02x}",
            "ipv6.flow": f"0x{int(values.get('FLOWLBL', '0')):05x}",
            "ipv6.nxt": number,
        }
    tos = int(values.get("TOS", "0"), 16) | int(values.get("PREC", "0"), 16)
    return {
        "ip.src": src.compressed,
        "ip.dst": dst.compressed,
        "ip.ttl": str(number_up_to(values["TTL"], 0xFF)),
        "ip.id": f"0x{number_up_to(values['ID'], 0xFFFF):04x}",
        "ip.flags.df": "1" if "DF" in words else "0",
        "ip.dsfield": f"0x{tos:02x}",
        "ip.proto": number,
    }


def _segment(values: Mapping[str, str], words: frozenset[str], packet: str) -> LoggedSegment:
    """The TCP header. Raises KeyError and ValueError."""
    options = _OPTIONS.search(packet)
    written = bytes.fromhex(options[1]) if options else b""
    kinds, tsval = _read_options(written)
    ip_header = _V6_HEADER if ":" in values["SRC"] else _V4_HEADER
    src, dst = (ipaddress.ip_address(values[name]).compressed for name in ("SRC", "DST"))
    return LoggedSegment(
        ends=(src, number_up_to(values["SPT"], 0xFFFF), dst, number_up_to(values["DPT"], 0xFFFF)),
        flags=sum(bit for name, bit in _FLAGS.items() if name in words),
        window=number_up_to(values["WINDOW"], 0xFFFF),
        length=int(values["LEN"]) - ip_header,
        seq=number_up_to(values["SEQ"], 0xFFFFFFFF) if "SEQ" in values else None,
        ack=number_up_to(values["ACK"], 0xFFFFFFFF) if "ACK" in values else None,
        header=20 + len(written) if options else None,
        kinds=kinds,
        tsval=tsval,
    )


def _read_options(written: bytes) -> tuple[tuple[int, ...], int | None]:
    """The kinds of TCP options, and the timestamp."""
    kinds, tsval, at = [], None, 0
    while at < len(written):
        kind = written[at]
        kinds.append(kind)
        if kind == _END:
            break
        if kind == _PADDING:
            at += 1
            continue
        length = written[at + 1] if at + 1 < len(written) else 0
        if length < 2:
            break
        if kind == _TIMESTAMPS and at + 6 <= len(written):
            tsval = int.from_bytes(written[at + 2 : at + 6])
        at += length
    return tuple(kinds), tsval


def _add_quoted(row: Row, values: Mapping[str, str], words: frozenset[str]) -> None:
    """Add the packet that an ICMP error quotes: a second value of each IP column, and its ports."""
    for name, value in _ip_header(values, words).items():
        if row.get(name) is not None:
            row[name] = f"{row[name]},{value}"
    name = values.get("PROTO", "").lower()
    if name in ("tcp", "udp") and "SPT" in values:
        row[f"{name}.srcport"] = str(number_up_to(values["SPT"], 0xFFFF))
        row[f"{name}.dstport"] = str(number_up_to(values["DPT"], 0xFFFF))


NETFILTER = PacketLog(_LINE, _row, _TIMES)
