"""Whether two captures hold a common packet at all: only then does comparing them (reconcile.py) show anything.

What stays the same on every way, whatever translates the ends of the flow, makes a number for each packet. Captures
with no number in common have no packet in common; equal numbers may still be of different packets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.capture_point_stats import local_addresses
from postproc.capture.packet_table import TCP, is_reset
from postproc.verdicts.reconcile_result import ReconcileResult, Undecided, UndecidedCount

KEY, MATTERS = "key", "matters"
_KEPT = FIN | SYN | ACK


def packet_keys(packets: pl.DataFrame) -> pl.DataFrame:
    """The numbers of the TCP packets of a whole packets table, in the column KEY, each once.

    MATTERS says whether one of them is between two hosts of which the capture has a reset: of the capture whose resets
    are judged, only these are compared.
    """
    resets = packets.filter(is_reset()).select("src", "dst").unique()
    hosts = pl.concat([resets, resets.select(src="dst", dst="src")]).unique().with_columns(matters=True)
    compared = packets.filter((pl.col("kind") == TCP) & (pl.col("flags") & RST == 0))
    keyed = compared.select(
        "src", "dst", pl.struct("seq", "ack", pl.col("flags") & _KEPT, "payload_len").hash().alias(KEY)
    )
    marked = keyed.join(hosts, on=["src", "dst"], how="left").select(KEY, pl.col(MATTERS).fill_null(False))
    return marked.group_by(KEY).agg(pl.col(MATTERS).any())


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a capture brings to a comparison: its local addresses, and its resets by the sender that they name."""

    local: frozenset[str]
    resets: dict[str, int]

    @classmethod
    def of(cls, packets: pl.DataFrame) -> Holdings:
        """Those of a whole packets table."""
        counts = packets.filter(is_reset()).group_by("src").len()
        return cls(frozenset(local_addresses(packets)), dict(counts.iter_rows()))


def without_common_packets(capture: Holdings, peer: Holdings, hosts: Iterable[str]) -> ReconcileResult:
    """What `reconcile` says of two captures that hold no common packet. `hosts` are those of `reconcile`."""
    local = (peer.local | frozenset(hosts)) - capture.local
    at_sender = sum(count for sender, count in capture.resets.items() if sender in local)
    elsewhere = sum(capture.resets.values()) - at_sender
    counts = ((Undecided.NOT_AT_SENDER, elsewhere), (Undecided.NO_COMMON_PACKETS, at_sender))
    return ReconcileResult(
        (), None, undecided=tuple(UndecidedCount(why.value, count) for why, count in counts if count)
    )
