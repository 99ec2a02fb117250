"""Flows that share an end: where a device translates addresses (NAT), one connection is two flows with a common end.

The end with the higher port is taken for the client's. Two flows may be one connection if they share the client's end
(the server's address, and perhaps its port, is translated), or the server's end and the client's port (the client's
address is). flows/counterparts.py compares their numbers.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from heuristics.protocol.tshark_fields import ACK, RST
from postproc.capture.packet_table import TCP

CLIENT_END = ["client", "client_port"]
SERVER_END = ["server", "server_port", "client_port"]
BOTH_ENDS = [*CLIENT_END, "server", "server_port"]

_FROM_CLIENT = pl.col("sport") > pl.col("dport")


def with_ends_by_port(packets: pl.DataFrame) -> pl.DataFrame:
    """With the columns BOTH_ENDS and `from_client`; packets with two equal ports are left out."""
    ends: dict[str, Any] = {
        "client": pl.when(_FROM_CLIENT).then("src").otherwise("dst"),
        "client_port": pl.max_horizontal("sport", "dport"),
        "server": pl.when(_FROM_CLIENT).then("dst").otherwise("src"),
        "server_port": pl.min_horizontal("sport", "dport"),
        "from_client": _FROM_CLIENT,
    }
    return packets.filter(pl.col("sport") != pl.col("dport")).with_columns(**ends)


def acknowledges() -> pl.Expr:
    """Segments that say how far the other end's stream had come: those with ACK, but resets."""
    return (pl.col("kind") == TCP) & (pl.col("flags") & (ACK | RST) == ACK)


def acknowledging_flows_beside(packets: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """Returns the packets that acknowledge in all flows that share an end with one of `flows`, which has BOTH_ENDS.

    With the columns of `with_ends_by_port`, in the order of `packets`.
    """
    found = with_ends_by_port(packets.filter(acknowledges())).with_row_index("_row")
    rows = [found.join(flows, on=key, how="semi")["_row"] for key in (CLIENT_END, SERVER_END)]
    return found.filter(pl.col("_row").is_in(pl.concat(rows).implode())).drop("_row")
