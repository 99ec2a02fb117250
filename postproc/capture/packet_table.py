"""Raw tshark columns (text, with several values in tunnels and ICMP errors) -> one typed row per IP packet.

The plugin decodes the same fields in Lua (generator/templates/decode/headers.lua.j2); both must choose the same header.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from heuristics.protocol.tshark_fields import (
    ACK,
    FIELDS,
    ICMP_ERRORS,
    ICMPV6_FIRST_INFORMATIONAL,
    LINUX_OPTIONS,
    PAYLOAD_BYTES,
    PROTOCOL_ICMP,
    PROTOCOL_ICMPV6,
    PROTOCOL_TCP,
    RST,
    SYN,
)
from postproc.capture.icmp_quote import read_errors

OTHER, TCP, ICMP_ERROR = 0, 1, 2


class Packet(NamedTuple):
    """One IP packet. Addresses and hop limit are those of the IP header that carries TCP, else of the innermost.

    A value that the packet lacks (no TCP, no timestamps, IPv6 without an ID) is None, and so is what an input leaves
    out (text without hop limits). `reset_cause` is the payload of a reset as text, `f5_cause` the cause in the Ethernet
    trailer of an F5 BIG-IP, `diagnostic` a diagnostic payload in hexadecimal. `time_us` is in microseconds since the
    epoch, `kind` one of OTHER, TCP and ICMP_ERROR; `mac` is the source of its frame, `mac_to` the
    destination. `weight` is how many packets the row represents (relevance.py). `error` has the fields of an IcmpError.
    """

    frame: int
    time_us: int
    kind: int
    ip_version: int
    src: str
    dst: str
    mac: str | None
    mac_to: str | None
    hop_limit: int | None
    ip_id: int | None
    df: bool | None
    tos: int | None
    flow_label: int | None
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    payload_len: int
    options_len: int
    window: int
    linux_options: bool
    tsval: int | None
    reset_cause: str | None
    f5_cause: str | None
    diagnostic: str | None
    weight: int = 1
    error: dict[str, Any] | None = None


ENDS = ["src", "sport", "dst", "dport"]  # the ends of a flow, in one direction
TURNED = {
    "src": "dst",
    "sport": "dport",
    "dst": "src",
    "dport": "sport",
}  # in the other direction: table.select(**TURNED)


def both_ways(table: pl.DataFrame) -> pl.DataFrame:
    """The ends of the flows of these rows, in both directions, each once."""
    return pl.concat([table.select(ENDS), table.select(**TURNED)]).unique()


def by_frame(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """One table of several packets tables, sorted by frame. Empties `tables`.

    Sorts one column at a time: sorting a whole table takes three times its memory.
    """
    table = pl.concat(tables)
    tables.clear()
    if table["frame"].is_sorted():
        return table
    order = table["frame"].arg_sort()
    return pl.DataFrame([table.drop_in_place(name).gather(order) for name in table.columns])


_AT_ONCE = 32_768  # rows: lists of their values are made faster than tuples, but take more memory


def packets_of(table: pl.DataFrame) -> Iterator[Packet]:
    """The rows of a packets table, as Packets."""
    for rows in table.select(Packet._fields).iter_slices(_AT_ONCE):
        yield from map(Packet._make, zip(*map(_values, rows.iter_columns()), strict=True))


def _values(column: pl.Series) -> list[Any]:
    """The values of a column. Equal texts become one object, since packets are kept and looked up by address."""
    values: list[Any] = column.to_list()
    if column.dtype != pl.String:
        return values
    return [value if value is None else sys.intern(value) for value in values]


_TEXT_FIELDS = ("tcp.reset_cause", "f5ethtrailer.rstcausetxt")
_LISTS = ("tcp.option_kind",)  # one header holds several values
_LISTED = tuple(name for name in FIELDS if name not in (*_TEXT_FIELDS, *_LISTS, "frame.number", "frame.time_epoch"))
_UDP_FIELDS = ("udp.srcport", "udp.dstport")  # read from ICMP errors only
_TCP_FIELDS = tuple(name for name in _LISTED if name.startswith("tcp."))
_IPV4_FIELDS = tuple(name for name in _LISTED if name.startswith("ip."))
_IPV6_FIELDS = tuple(name for name in _LISTED if name.startswith("ipv6."))
TCP_MIN_HEADER = 20


def is_reset() -> pl.Expr:
    """TCP resets."""
    return (pl.col("kind") == TCP) & (pl.col("flags") & RST != 0)


def is_syn() -> pl.Expr:
    """SYNs that open a connection, not SYN-ACKs."""
    return (pl.col("kind") == TCP) & (pl.col("flags") & (SYN | ACK) == SYN)


def notable() -> pl.Expr:
    """Resets and ICMP errors: the packets that get a verdict."""
    return is_reset() | (pl.col("kind") == ICMP_ERROR)


def authentic() -> pl.Expr:
    """All other packets, which we take as sent by their source: a judged packet is evidence, never baseline."""
    return ~notable()


@cache  # making it takes longer than reading a small capture, and there are many of those
def empty_table() -> pl.DataFrame:
    """The packets table of no packets."""
    return normalise(pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String())))


def normalise(raw: pl.DataFrame) -> pl.DataFrame:
    """The packets table. `raw` has the columns FIELDS as text (null where tshark printed nothing), in any order.

    It may have the column PAYLOAD_BYTES too.
    Rows without an IP header are left out; the others have the columns of Packet and are sorted by frame.
    """
    if PAYLOAD_BYTES not in raw.columns:
        raw = raw.with_columns(pl.lit(None, pl.String).alias(PAYLOAD_BYTES))
    several = pl.any_horizontal(
        pl.col(name).str.contains(",", literal=True).fill_null(value=False)
        for name in _LISTED
        if name not in _UDP_FIELDS
    )
    nested = several | (pl.col("ip.ttl").is_not_null() & pl.col("ipv6.hlim").is_not_null())
    single = _typed(raw.filter(~nested))
    layered = _typed(_carrying_header(raw.filter(nested)))
    errors = read_errors(raw.filter(_is_icmp_error(_first("icmp.type"), _first("icmpv6.type"))))
    return pl.concat([single, layered]).sort("frame").join(errors, on="frame", how="left", maintain_order="left")


def _first(name: str) -> pl.Expr:
    return pl.col(name).str.split(",").list.first()


def _position(name: str, protocol: int) -> pl.Expr:
    """Index of the first header whose payload is `protocol`, or null."""
    matches = pl.col(name).str.split(",").list.eval(pl.element() == str(protocol))
    return pl.when(matches.list.any()).then(matches.list.arg_max())


def _carrying_header(raw: pl.DataFrame) -> pl.DataFrame:
    """Of several headers, the values of the one that carries TCP or the ICMP error, else of the innermost."""
    icmp_error = _is_icmp_error(_first("icmp.type"), _first("icmpv6.type"))
    tcp = pl.col("tcp.srcport").is_not_null() & ~icmp_error
    last_v4 = pl.col("ip.ttl").str.split(",").list.len().cast(pl.Int64) - 1
    last_v6 = pl.col("ipv6.hlim").str.split(",").list.len().cast(pl.Int64) - 1
    v4 = (
        pl.when(tcp)
        .then(_position("ip.proto", PROTOCOL_TCP))
        .when(icmp_error & pl.col("icmp.type").is_not_null())
        .then(_position("ip.proto", PROTOCOL_ICMP))
    )
    v6 = (
        pl.when(tcp)
        .then(_position("ipv6.nxt", PROTOCOL_TCP))
        .when(icmp_error & pl.col("icmp.type").is_null())
        .then(pl.coalesce(_position("ipv6.nxt", PROTOCOL_ICMPV6), 0))
    )
    named = raw.with_columns(v4=v4.cast(pl.Int64), v6=v6.cast(pl.Int64)).with_columns(
        v6=pl.when(pl.col("v4").is_null()).then(pl.coalesce("v6", last_v6))
    )
    chosen = named.with_columns(v4=pl.when(pl.col("v6").is_null()).then(pl.coalesce("v4", last_v4)))

    def pick(name: str, index: str) -> pl.Expr:
        return pl.col(name).str.split(",").list.get(pl.col(index), null_on_oob=True).alias(name)

    return chosen.with_columns(
        *(pick(name, "v4") for name in _IPV4_FIELDS),
        *(pick(name, "v6") for name in _IPV6_FIELDS),
        *(_first(name).alias(name) for name in (*_TCP_FIELDS, "icmp.type", "icmpv6.type")),
    ).drop("v4", "v6")


def _is_icmp_error(icmp_type: pl.Expr, icmpv6_type: pl.Expr) -> pl.Expr:
    v4 = icmp_type.cast(pl.Int64, strict=False).is_in(sorted(ICMP_ERRORS))
    v6 = icmpv6_type.cast(pl.Int64, strict=False) < ICMPV6_FIRST_INFORMATIONAL
    return v4.fill_null(value=False) | v6.fill_null(value=False)


def _integer(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)


def _last(name: str) -> pl.Expr:
    """The value of the link nearest to the packet: tunnels have several."""
    return pl.col(name).str.split(",").list.last()


def _hexadecimal(name: str) -> pl.Expr:
    return pl.col(name).str.strip_prefix("0x").str.to_integer(base=16, strict=False)


def _microseconds() -> pl.Expr:
    """`frame.time_epoch` is text such as 1232039471.348475000. A float would lose the microseconds."""
    parts = pl.col("frame.time_epoch").str.splitn(".", 2)
    fraction = parts.struct.field("field_1").str.pad_end(6, "0").str.slice(0, 6)
    seconds = parts.struct.field("field_0").cast(pl.Int64, strict=False)
    return (seconds * 1_000_000 + fraction.cast(pl.Int64, strict=False).fill_null(0)).fill_null(0)


def _typed(raw: pl.DataFrame) -> pl.DataFrame:
    """One value a column -> the columns of Packet, typed."""
    ipv6 = pl.col("ipv6.hlim").is_not_null() | (pl.col("ip.ttl").is_null() & pl.col("ipv6.src").is_not_null())
    whole = pl.all_horizontal(
        pl.col(name).is_not_null() for name in ("tcp.srcport", "tcp.dstport", "tcp.seq_raw", "tcp.flags")
    )
    icmp_error = _is_icmp_error(pl.col("icmp.type"), pl.col("icmpv6.type"))

    def either(v6: pl.Expr, v4: pl.Expr) -> pl.Expr:
        return pl.when(ipv6).then(v6).otherwise(v4)

    return raw.select(
        frame=_integer("frame.number"),
        time_us=_microseconds(),
        kind=pl.when(icmp_error).then(ICMP_ERROR).when(whole).then(TCP).otherwise(OTHER).cast(pl.Int64),
        ip_version=pl.when(ipv6).then(6).otherwise(4).cast(pl.Int64),
        src=either(pl.col("ipv6.src"), pl.col("ip.src")),
        dst=either(pl.col("ipv6.dst"), pl.col("ip.dst")),
        mac=_last("eth.src"),
        mac_to=_last("eth.dst"),
        hop_limit=either(_integer("ipv6.hlim"), _integer("ip.ttl")),
        ip_id=_hexadecimal("ip.id"),
        df=pl.col("ip.flags.df").is_in(["1", "True"]),
        tos=either(_hexadecimal("ipv6.tclass"), _hexadecimal("ip.dsfield")),
        flow_label=_hexadecimal("ipv6.flow"),
        sport=_integer("tcp.srcport").fill_null(0),
        dport=_integer("tcp.dstport").fill_null(0),
        seq=_integer("tcp.seq_raw").fill_null(0),
        ack=_integer("tcp.ack_raw").fill_null(0),
        flags=_hexadecimal("tcp.flags").fill_null(0),
        payload_len=_integer("tcp.len").fill_null(0),
        options_len=_integer("tcp.hdr_len").fill_null(TCP_MIN_HEADER) - TCP_MIN_HEADER,
        window=_integer("tcp.window_size_value").fill_null(0),
        linux_options=pl.col("tcp.option_kind").is_in(LINUX_OPTIONS).fill_null(value=False),
        tsval=_integer("tcp.options.timestamp.tsval"),
        reset_cause=pl.col("tcp.reset_cause"),
        f5_cause=pl.col("f5ethtrailer.rstcausetxt"),
        diagnostic=pl.col(PAYLOAD_BYTES),
        weight=pl.lit(1, pl.Int64),
    ).filter(pl.col("src").is_not_null() & pl.col("dst").is_not_null())
