"""One packet as tcpdump prints it -> the raw columns that an export of tshark has.

Only headers that are whole are read, and of a packet that carries TCP or UDP only its own: what follows comes from the
payload, which may hold any text.
"""

from __future__ import annotations

import re
from dataclasses import replace

from heuristics.protocol.tshark_fields import (
    IPV6_EXTENSIONS,
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
)
from postproc.capture.text.reading import BROKEN, NAMES, QUICK, TUNNEL, UNDECODED, NotUnderstoodError, Row
from postproc.capture.text.tcpdump.icmp_words import error_of, is_error
from postproc.capture.text.tcpdump.ip_header import (
    GRE,
    IPV4_IN_IP,
    IPV6_IN_IP,
    Header,
    begins_header,
    is_fragment,
    next_header,
    split_port,
)
from postproc.capture.text.tcpdump.tcp_header import Segment, read_segment

_MACS = re.compile(
    r"(?:\S+ +(?:In|Out|B|M|P) +)?((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?: \(oui [^)]*\))? > "
    r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?: \(oui [^)]*\))?, "
)
_ICMP = re.compile(r" ?(?:\[icmp6 sum ok\] |\[bad icmp6 cksum [^\]]*\] )?ICMP6?,? (?P<words>.*)")
_BEFORE_ENDS = r"(?:\)|\bIP6?|\blength \d+:) +"
_NAMES = re.compile(rf"{_BEFORE_ENDS}(?=\S*[g-zG-Z_-])\S+ > \S+: |{_BEFORE_ENDS}\S+ > (?=\S*[g-zG-Z_-])\S+: ")
_QUICK = re.compile(r" tcp \d+$")
_TUNNEL = re.compile(r" ?(?:\[[^\]]*\] )?(?:VXLAN|Geneve|GENEVE|UDP, encap)\b")
_TUNNELS = (IPV4_IN_IP, IPV6_IN_IP, GRE)
_MOST_HEADERS = 4


def read_packet(body: str) -> tuple[Row, Segment | None] | None:
    """The raw columns of a packet, and its TCP header if it has one; None where it is no IP packet.

    The columns lack `frame.number`, the time and the sequence numbers. Raises NotUnderstoodError.
    """
    first = next_header(body, 0)
    if first is None:
        _check_no_ip(body)
        return None
    headers = [first]
    row: Row = dict(zip(("eth.src", "eth.dst"), _macs(body), strict=True))
    while headers[-1].proto in _TUNNELS and len(headers) < _MOST_HEADERS:
        inner = next_header(body, headers[-1].end)
        if inner is None:
            raise NotUnderstoodError(TUNNEL)
        headers.append(inner)
    header, segment = headers[-1], None
    if not header.fields:  # without -v: there is nothing to tell the outer headers by
        headers = [header]
    if is_fragment(header):
        pass
    elif header.proto == PROTOCOL_TCP or header.proto in IPV6_EXTENSIONS:
        segment = read_segment(body, header)
    elif header.proto in (PROTOCOL_ICMP, PROTOCOL_ICMPV6):
        headers += _read_icmp(body, header, row)
    elif _QUICK.match(body, header.end):
        raise NotUnderstoodError(QUICK)
    elif header.proto in (PROTOCOL_UDP, 0) and _TUNNEL.match(body, header.end):
        raise NotUnderstoodError(TUNNEL)
    _add_headers(row, headers)
    if segment is not None:
        _add_segment(row, segment)
    return row, segment


def _check_no_ip(body: str) -> None:
    """Raises NotUnderstoodError for an IP packet whose header is not whole."""
    if "ethertype Unknown" in body:
        raise NotUnderstoodError(UNDECODED)
    if _NAMES.search(body):
        raise NotUnderstoodError(NAMES)
    if begins_header(body) or "ethertype IPv" in body or re.search(r"\bIP6? ", body):
        raise NotUnderstoodError(BROKEN)


def _macs(body: str) -> tuple[str | None, str | None]:
    found = _MACS.match(body)
    return (found[1], found[2]) if found else (None, None)


def _read_icmp(body: str, header: Header, row: Row) -> list[Header]:
    """Add type and code of an ICMP error to `row`. Returns the header that it quotes, if the text has it."""
    found = _ICMP.match(body, header.end)
    if found is None:
        raise NotUnderstoodError(BROKEN)
    error = error_of(found["words"], header.version)
    if error is None:
        if is_error(found["words"], header.version):
            raise NotUnderstoodError(BROKEN)
        return []
    prefix = "icmp" if header.version == 4 else "icmpv6"
    row[f"{prefix}.type"], row[f"{prefix}.code"] = map(str, error)
    quoted = next_header(body, header.end)
    if quoted is None or quoted.version != header.version:
        return []
    (src, sport), (dst, dport) = split_port(quoted.src, quoted.version), split_port(quoted.dst, quoted.version)
    name = {PROTOCOL_TCP: "tcp", PROTOCOL_UDP: "udp"}.get(quoted.proto)
    if name is not None and sport is not None and dport is not None:
        row[f"{name}.srcport"], row[f"{name}.dstport"] = str(sport), str(dport)
        quoted = replace(quoted, src=src, dst=dst)
    return [quoted]


def _add_headers(row: Row, headers: list[Header]) -> None:
    """Add the columns of the IP headers, with commas where there are several."""
    for prefix, version in (("ip", 4), ("ipv6", 6)):
        mine = [header for header in headers if header.version == version]
        if not mine:
            continue
        ends = [(split_port(each.src, version)[0], split_port(each.dst, version)[0]) for each in mine]
        row[f"{prefix}.src"], row[f"{prefix}.dst"] = (",".join(end) for end in zip(*ends, strict=True))
        if not all(each.fields for each in mine):
            continue
        hops = ",".join(each.fields["ttl"] or "0" for each in mine)  # tcpdump leaves out a TTL of 0
        protocols = ",".join(str(each.proto) for each in mine)
        if version == 4:
            row["ip.ttl"], row["ip.proto"] = hops, protocols
            row["ip.id"] = ",".join(f"0x{int(each.fields['id'] or 0):04x}" for each in mine)
            row["ip.flags.df"] = ",".join("1" if "DF" in (each.fields["df"] or "") else "0" for each in mine)
            row["ip.dsfield"] = ",".join(f"0x{each.fields['tos'] or '0'}" for each in mine)
        else:
            row["ipv6.hlim"], row["ipv6.nxt"] = hops, protocols
            row["ipv6.flow"] = ",".join(f"0x{each.fields['label'] or '0'}" for each in mine)
            row["ipv6.tclass"] = ",".join(f"0x{each.fields['tclass'] or '0'}" for each in mine)


def _add_segment(row: Row, segment: Segment) -> None:
    row["tcp.srcport"], row["tcp.dstport"] = str(segment.sport), str(segment.dport)
    row["tcp.hdr_len"] = str(segment.header_len)
    row["tcp.flags"] = f"0x{segment.flags:04x}"
    row["tcp.window_size_value"] = str(segment.window)
    row["tcp.len"] = str(segment.length)
    row["tcp.option_kind"] = segment.option_kinds
    row["tcp.options.timestamp.tsval"] = segment.tsval
    row["tcp.reset_cause"] = segment.cause
