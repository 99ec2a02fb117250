"""The packets table -> one row for every TCP flow. Works on columns.

Each row has what a Palo Alto firewall would log: the session end reason (end_reason.py), and the application field of a
flow too short to recognise one, incomplete or insufficient-data (PAN-OS, "Traffic Log Fields").
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from itertools import chain

import polars as pl

from heuristics.protocol.display_filters import FLOW_FORMAT
from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from heuristics.rulebook.model import Thresholds
from postproc.capture.packet_table import ENDS, TCP, both_ways, is_reset, packets_of
from postproc.capture.spill import SpilledFlows
from postproc.flows.end_reason import end_reasons
from postproc.flows.tracker import Tracker

# Names and order are stable. The initiator comes first: `src` is its address, `packets_sent` and `bytes_sent` (payload)
# count what it sent. Times are seconds since the epoch. `resets` counts packets, with duplicates.
FLOW_SCHEMA: dict[str, pl.DataType] = {
    "flow": pl.String(),
    "src": pl.String(),
    "sport": pl.Int64(),
    "dst": pl.String(),
    "dport": pl.Int64(),
    "first_frame": pl.Int64(),
    "last_frame": pl.Int64(),
    "first_time": pl.Float64(),
    "last_time": pl.Float64(),
    "packets_sent": pl.Int64(),
    "packets_received": pl.Int64(),
    "bytes_sent": pl.Int64(),
    "bytes_received": pl.Int64(),
    "resets": pl.Int64(),
    "end_reason": pl.String(),
    "application": pl.String(),
}

_COLUMNS_READ = ["frame", "time_us", "src", "sport", "dst", "dport", "seq", "flags", "payload_len"]
_FLOW = ["low", "low_port", "high", "high_port"]
_FLAGS = pl.col("flags")
_RESET = _FLAGS & RST != 0
_HANDSHAKE = ~_RESET & (_FLAGS & SYN != 0)
_DATA = ~_RESET & ~_HANDSHAKE & (pl.col("payload_len") > 0)


@cache
def no_flows() -> pl.DataFrame:
    """The table of a capture without flows."""
    return pl.DataFrame(schema=FLOW_SCHEMA)


def packed(flows: pl.DataFrame) -> bytes:
    """A table of flows as a Parquet file, which is small; no bytes if it has no rows."""
    file = io.BytesIO()
    if not flows.is_empty():
        flows.write_parquet(file)
    return file.getvalue()


def unpacked(flows: bytes) -> pl.DataFrame:
    """The table that `packed` made these bytes of."""
    return pl.read_parquet(io.BytesIO(flows), schema=FLOW_SCHEMA) if flows else no_flows()


def flow_table(
    packets: pl.DataFrame, thresholds: Thresholds, *, all_flows: bool, spilled: SpilledFlows | None = None
) -> pl.DataFrame:
    """The flows of one capture by first frame, with the columns of FLOW_SCHEMA; those with a reset, or all of them.

    `packets` is the packets table, sorted by frame, without the flows that are `spilled`.
    """
    in_memory = packets
    if spilled is not None and not spilled.flows.is_empty():
        in_memory = packets.join(spilled.flows, on=ENDS, how="anti", maintain_order="left")
    parts = chain([in_memory], spilled or ())
    tables = [flows for part in parts if (flows := _flow_counts(part, thresholds, all_flows=all_flows)) is not None]
    if not tables:
        return no_flows()
    flows = pl.concat(tables).sort("first_frame")
    reused = pl.col("incarnation") < pl.col("incarnation").max().over(_FLOW)
    return flows.with_columns(reused=reused).with_columns(flow=_flow_filter()).select(_columns())


def _flow_counts(packets: pl.DataFrame, thresholds: Thresholds, *, all_flows: bool) -> pl.DataFrame | None:
    """The counts of each flow; None if there are no flows."""
    selected = packets.lazy().filter(pl.col("kind") == TCP).select(_COLUMNS_READ)
    if not all_flows:
        flows = both_ways(packets.filter(is_reset()))
        selected = selected.join(flows.lazy(), on=ENDS, how="semi", maintain_order="left")
    tcp = _with_ends_in_order(selected.collect())
    if tcp.is_empty():
        return None
    with_incarnation = _with_incarnation(tcp, packets, thresholds)
    del tcp  # memory: a row a packet
    return with_incarnation.group_by([*_FLOW, "incarnation"]).agg(*_totals())


def _with_ends_in_order(tcp: pl.DataFrame) -> pl.DataFrame:
    """With the two ends in an order that does not depend on the direction, as in the tracker."""
    swapped = (pl.col("src") > pl.col("dst")) | ((pl.col("src") == pl.col("dst")) & (pl.col("sport") > pl.col("dport")))
    return tcp.with_columns(
        low=pl.when(swapped).then("dst").otherwise("src"),
        low_port=pl.when(swapped).then("dport").otherwise("sport"),
        high=pl.when(swapped).then("src").otherwise("dst"),
        high_port=pl.when(swapped).then("sport").otherwise("dport"),
        from_low=~swapped,
    ).drop("src", "dst")


def _with_incarnation(tcp: pl.DataFrame, packets: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """With the column `incarnation`. Follows only flows that can have several incarnations packet by packet."""
    ends = tcp.filter(_FLAGS & (FIN | RST) != 0).group_by(_FLOW).agg(end=pl.col("frame").min())
    edges = tcp.filter(_FLAGS & (SYN | FIN | RST) != 0)
    again = edges.join(ends, on=_FLOW).filter(_HANDSHAKE & (pl.col("frame") > pl.col("end")))
    edges = edges.join(again.select(_FLOW).unique(), on=_FLOW, how="semi")
    starts = pl.DataFrame(
        _starts(packets.join(edges, on="frame", how="semi", maintain_order="left"), thresholds),
        schema={**{name: tcp.schema[name] for name in _FLOW}, "frame": pl.Int64, "incarnation": pl.Int64},
        orient="row",
    )
    if starts.is_empty():
        return tcp.with_columns(incarnation=pl.lit(0, pl.Int64))
    return tcp.join_asof(starts.sort("frame"), on="frame", by=_FLOW, check_sortedness=False).with_columns(
        pl.col("incarnation").fill_null(0)
    )


def _starts(edges: pl.DataFrame, thresholds: Thresholds) -> Iterator[tuple[str, int, str, int, int, int]]:
    """The frames that begin the second and later incarnations of these flows."""
    tracker = Tracker(thresholds)
    for packet in packets_of(edges):
        tracker.follow([packet])
        low, high = sorted([(packet.src, packet.sport), (packet.dst, packet.dport)])
        flow = tracker.flows[low, high]
        if flow.incarnation > 0 and flow.first_frame == packet.frame:
            yield *low, *high, packet.frame, flow.incarnation


def _totals() -> list[pl.Expr]:
    """The counts of a flow, for each of its ends."""
    from_low = pl.col("from_low")
    initiator_is_low = from_low != (_FLAGS & ACK != 0)  # the initiator sends the SYN and receives the SYN-ACK
    likely_low = from_low == (pl.col("sport") >= pl.col("dport"))
    counts = {
        "packets": pl.lit(1),
        "bytes": pl.when(~_RESET).then("payload_len").otherwise(0),
        "resets": _RESET.cast(pl.Int64),
        "fins": (~_RESET & (_FLAGS & FIN != 0)).cast(pl.Int64),
        "acks": (~_RESET & ~_HANDSHAKE & (_FLAGS & ACK != 0)).cast(pl.Int64),
    }
    return [
        pl.col("frame").min().alias("first_frame"),
        pl.col("frame").max().alias("last_frame"),
        pl.col("time_us").first().alias("first_us"),
        pl.col("time_us").last().alias("last_us"),
        pl.coalesce(initiator_is_low.filter(_HANDSHAKE).first(), likely_low.first()).alias("client_is_low"),
        (_HANDSHAKE & (_FLAGS & ACK == 0)).any().alias("syn"),
        (_HANDSHAKE & (_FLAGS & ACK != 0)).any().alias("syn_ack"),
        pl.struct("from_low", "seq").filter(_DATA).n_unique().alias("segments"),
        *(
            value.filter(side).sum().cast(pl.Int64).alias(f"{name}_{which}")
            for name, value in counts.items()
            for which, side in (("low", from_low), ("high", ~from_low))
        ),
    ]


def _of(name: str, *, client: bool) -> pl.Expr:
    """A count of the initiator, or of the other end."""
    mine, other = (f"{name}_low", f"{name}_high") if client else (f"{name}_high", f"{name}_low")
    return pl.when("client_is_low").then(mine).otherwise(other)


def _application() -> pl.Expr:
    """Null if the capture lacks the start of the flow, or a part of its handshake."""
    complete = pl.col("syn") & pl.col("syn_ack") & (_of("acks", client=True) > 0)
    return (
        pl.when((pl.col("syn") | pl.col("syn_ack")) & (pl.col("segments") == 0))
        .then(pl.lit("incomplete"))
        .when(complete & (pl.col("segments") == 1))
        .then(pl.lit("insufficient-data"))
    )


_FLOW_FORMAT = FLOW_FORMAT.replace("%s", "{}").replace("%d", "{}")  # as Polars writes formats


def _flow_filter() -> pl.Expr:
    """As flow_filter in postproc/flows/display_filter.py."""
    ip = pl.when(pl.col("low").str.contains(":", literal=True)).then(pl.lit("ipv6")).otherwise(pl.lit("ip"))
    tcp = pl.lit("tcp")
    ends = pl.format(_FLOW_FORMAT, ip, "low", ip, "high", tcp, "low_port", tcp, "high_port")
    frames = pl.format(" && frame.number >= {} && frame.number <= {}", "first_frame", "last_frame")
    return pl.when((pl.col("incarnation") == 0) & ~pl.col("reused")).then(ends).otherwise(ends + frames)


def _columns() -> list[pl.Expr]:
    client_first = pl.when("client_is_low")
    columns = {
        "flow": pl.col("flow"),
        "src": client_first.then("low").otherwise("high"),
        "sport": client_first.then("low_port").otherwise("high_port"),
        "dst": client_first.then("high").otherwise("low"),
        "dport": client_first.then("high_port").otherwise("low_port"),
        "first_time": pl.col("first_us") / 1_000_000,
        "last_time": pl.col("last_us") / 1_000_000,
        "packets_sent": _of("packets", client=True),
        "packets_received": _of("packets", client=False),
        "bytes_sent": _of("bytes", client=True),
        "bytes_received": _of("bytes", client=False),
        "resets": pl.col("resets_low") + pl.col("resets_high"),
        "end_reason": end_reasons(
            client_resets=_of("resets", client=True),
            server_resets=_of("resets", client=False),
            client_fins=_of("fins", client=True),
            server_fins=_of("fins", client=False),
            reused=pl.col("reused"),
        ),
        "application": _application(),
    }
    return [columns.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in FLOW_SCHEMA.items()]
