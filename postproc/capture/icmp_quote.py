"""The packets quoted by ICMP errors: raw tshark columns -> one IcmpError for each error frame.

Such a frame has several IP headers: those of tunnels around it, its own, and those of the quoted packet. The plugin
decodes the same in Lua (generator/templates/state/icmp_errors.lua.j2); both must choose the same header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from heuristics.protocol.tshark_fields import (
    IPV6_EXTENSIONS,
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
)

TCP_QUOTED, UDP_QUOTED, ICMP_QUOTED, OTHER_QUOTED = "tcp", "udp", "icmp", "other"


class IcmpError(NamedTuple):
    """An ICMP or ICMPv6 error: type, code, and the quoted packet (None, "" and 0 where that cannot be read)."""

    icmp_type: int
    icmp_code: int | None
    quoted_src: str
    quoted_dst: str
    quoted_hop_limit: int | None
    quoted_protocol: str
    quoted_sport: int
    quoted_dport: int


ERROR_TYPE = pl.Struct(
    {
        "icmp_type": pl.Int32,
        "icmp_code": pl.Int32,
        "quoted_src": pl.String,
        "quoted_dst": pl.String,
        "quoted_hop_limit": pl.Int32,
        "quoted_protocol": pl.String,
        "quoted_sport": pl.Int32,
        "quoted_dport": pl.Int32,
    }
)
_COLUMNS = (
    *("ip.src", "ip.dst", "ip.ttl", "ip.proto", "ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.nxt"),
    *("icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code"),
    *("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"),
)


def read_errors(raw: pl.DataFrame) -> pl.DataFrame:
    """Columns `frame` and `error` (an IcmpError as a struct). All rows of `raw` are errors; each gives one row."""
    rows = [_error(row)._asdict() for row in raw.select(_COLUMNS).iter_rows(named=True)]
    return pl.DataFrame(
        {"frame": raw["frame.number"].cast(pl.Int64, strict=False), "error": pl.Series(rows, dtype=ERROR_TYPE)}
    )


def _error(row: Mapping[str, str | None]) -> IcmpError:
    def values(name: str) -> list[str]:
        text = row[name]
        return text.split(",") if text else []

    def numbers(name: str) -> list[int | None]:
        return [int(value) if value.isdecimal() else None for value in values(name)]

    v4 = bool(values("icmp.type"))
    types, codes = (numbers(f"{'icmp' if v4 else 'icmpv6'}.{part}") for part in ("type", "code"))
    own, other = ("ip.proto", "ipv6.nxt") if v4 else ("ipv6.nxt", "ip.proto")
    own_protocols, other_protocols = numbers(own), numbers(other)
    error_protocol = PROTOCOL_ICMP if v4 else PROTOCOL_ICMPV6
    carrying = own_protocols.index(error_protocol) if error_protocol in own_protocols else 0
    outer = [*own_protocols[:carrying], *other_protocols]
    quoted = carrying + 1

    def quote(v4_name: str, v6_name: str) -> Any:
        return _nth(values(v4_name if v4 else v6_name), quoted)

    hop_limit = quote("ip.ttl", "ipv6.hlim")
    protocol, ports = _transport(
        _nth(own_protocols, quoted),
        {name: (numbers(f"{name}.srcport"), numbers(f"{name}.dstport")) for name in (TCP_QUOTED, UDP_QUOTED)},
        {TCP_QUOTED: outer.count(PROTOCOL_TCP), UDP_QUOTED: outer.count(PROTOCOL_UDP)},
    )
    return IcmpError(
        icmp_type=types[0] if types and types[0] is not None else -1,
        icmp_code=_nth(codes, 0),
        quoted_src=quote("ip.src", "ipv6.src") or "",
        quoted_dst=quote("ip.dst", "ipv6.dst") or "",
        quoted_hop_limit=None if hop_limit is None else int(hop_limit),
        quoted_protocol=protocol,
        quoted_sport=ports[0],
        quoted_dport=ports[1],
    )


def _nth(found: Sequence[Any], index: int) -> Any:
    return found[index] if index < len(found) else None


_Ports = Mapping[str, tuple[Sequence[int | None], Sequence[int | None]]]


def _transport(protocol: int | None, ports: _Ports, outer: Mapping[str, int]) -> tuple[str, tuple[int, int]]:
    """The protocol and the ports of a quoted packet whose IP header says `protocol`.

    `outer` counts the TCP and UDP headers of tunnels before it. Behind an IPv6 extension header the ports show the
    protocol.
    """
    for name, number in ((TCP_QUOTED, PROTOCOL_TCP), (UDP_QUOTED, PROTOCOL_UDP)):
        sources, targets = ports[name]
        source, target = _nth(sources, outer[name]), _nth(targets, outer[name])
        if protocol == number or (protocol in IPV6_EXTENSIONS and source is not None):
            return name, (source or 0, target or 0)
    if protocol in (PROTOCOL_ICMP, PROTOCOL_ICMPV6):
        return ICMP_QUOTED, (0, 0)
    return OTHER_QUOTED, (0, 0)
