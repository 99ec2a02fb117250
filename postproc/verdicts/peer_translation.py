"""Flows whose addresses or ports are others in a peer capture: between the two, a NAT or load balancer translates.

What a translation leaves alone identifies a flow: sequence and acknowledgement numbers, lengths, flags and timestamps
of its packets. Two packets that agree in all of these are as good as certain. A device that rewrites sequence numbers
too is not recognised.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.packet_table import ENDS, TCP, TURNED, both_ways, is_reset, is_syn
from postproc.verdicts.reconcile_result import TranslatedEnd, Translation

_KEPT = ["seq", "ack", "kept_flags", "payload_len", "tsval"]  # what a translation leaves alone
_ENOUGH = 2  # packets that agree: one could match by chance
_THERE = [f"{name}_there" for name in ENDS]


@dataclass(frozen=True, slots=True)
class Translated:
    """The peer's packets under the addresses and ports of the capture, and the translations that were undone."""

    peer: pl.DataFrame
    translations: tuple[Translation, ...]


def undo_translation(packets: pl.DataFrame, peer: pl.DataFrame) -> Translated:
    """Give the peer's packets the ends that their flows have in `packets`, where only the ends differ.

    Only flows with a reset in `packets` that the peer does not hold as they are. Both are whole packets tables.
    """
    pairs = _pairs(packets, peer)
    if pairs.is_empty():
        return Translated(peer, ())
    renamed = peer.join(pairs, left_on=ENDS, right_on=_THERE, how="left", suffix="_here", maintain_order="left")
    here = [pl.coalesce(f"{name}_here", name).alias(name) for name in ENDS]
    return Translated(renamed.with_columns(here).select(peer.columns), tuple(_translations(packets, peer, pairs)))


def _pairs(packets: pl.DataFrame, peer: pl.DataFrame) -> pl.DataFrame:
    """Directions of flows that are the same: ENDS in `packets`, _THERE in `peer`; each direction once."""
    wanted = both_ways(packets.filter(is_reset()))
    missing = wanted.join(peer.select(ENDS).unique(), on=ENDS, how="anti")
    ours = _comparable(packets).join(missing, on=ENDS, how="semi")
    if ours.is_empty():
        return pl.DataFrame(schema={name: packets.schema[name.removesuffix("_there")] for name in (*ENDS, *_THERE)})
    found = ours.join(_comparable(peer), on=_KEPT, how="inner", suffix="_there", nulls_equal=True)
    counted = found.group_by(*ENDS, *_THERE).len().filter(pl.col("len") >= _ENOUGH)
    turned = [
        pl.col(f"{other}{side}").alias(f"{name}{side}") for side in ("", "_there") for name, other in TURNED.items()
    ]
    both = pl.concat([counted, counted.with_columns(turned)]).group_by(*ENDS, *_THERE).agg(pl.col("len").sum())
    # Where the peer shows a flow on both sides of a further translation, it is not clear which side is meant.
    alone = [pl.len().over(ends) == 1 for ends in (ENDS, _THERE)]
    return both.filter(*alone).select(*ENDS, *_THERE)


def _comparable(packets: pl.DataFrame) -> pl.DataFrame:
    """What a translation keeps of each packet that has numbers of its own: SYNs, and data. Packets alike count once."""
    flags = pl.col("flags")
    own = (flags & SYN != 0) | (pl.col("payload_len") > 0)
    kept = packets.filter((pl.col("kind") == TCP) & (flags & RST == 0) & own)
    return kept.with_columns(kept_flags=flags & (FIN | SYN | ACK)).select(*ENDS, *_KEPT).unique()


def _translations(packets: pl.DataFrame, peer: pl.DataFrame, pairs: pl.DataFrame) -> list[Translation]:
    """One for each flow, from the end that opened it: the one with a SYN, or else the one with the higher port."""
    opened = pl.concat(
        [
            pairs.join(packets.filter(is_syn()).select(ENDS).unique(), on=ENDS, how="semi"),
            pairs.join(peer.filter(is_syn()).select(ENDS).unique(), left_on=_THERE, right_on=ENDS, how="semi"),
        ]
    )
    with_syn = set(opened.rows())
    found = []
    for row in pairs.rows():
        source, destination = (TranslatedEnd(*row[at : at + 2], *row[at + 4 : at + 6]) for at in (0, 2))
        turned = (*destination.here, *source.here, *destination.there, *source.there)
        opens = row in with_syn or (turned not in with_syn and source.port >= destination.port)
        if opens:
            found.append(Translation(source, destination, known=row in with_syn))
    return sorted(found)
