"""Which packets a verdict can depend on, and how few rows can stand for all others.

Whole come resets, ICMP errors, the flows that they are about, and what begins and ends the other flows of hosts that
sent resets. Of all other packets only their hosts' profiles are read, and who else sends from their MAC addresses: of
those alike, the first and the last stand for all, so that a table of ten million packets is a few thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, SYN
from postproc.capture.icmp_quote import TCP_QUOTED
from postproc.capture.packet_table import ENDS, ICMP_ERROR, TCP, both_ways, by_frame, empty_table, notable
from postproc.capture.spill import Apart

_FLAGS = pl.col("flags")
_IS_TCP = pl.col("kind") == TCP
_HANDSHAKE_ANSWER = _IS_TCP & (_FLAGS & (SYN | ACK) == SYN | ACK)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of some packets, as rows of the packets table: some `whole`, some `standing` for those like them.

    `apart` are those of the flows that are kept apart; resets among them are whole as well.
    """

    whole: pl.DataFrame
    standing: pl.DataFrame
    apart: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Matter:
    """What matters of a capture with certain resets and ICMP errors.

    `flows` are endpoints in both directions, `senders` of resets; `hosts` are profiled; `errors` has the frame of each
    error and, as `src`, the host that it is about. `apart` are those flows that are only followed: the others are about
    hosts that errors speak of, too.
    """

    flows: pl.DataFrame
    apart: pl.DataFrame
    senders: pl.Series
    hosts: pl.Series
    errors: pl.DataFrame

    def select(self, packets: pl.DataFrame) -> Kept:
        """What matters of some packets of the capture, rows of the packets table."""
        whole = packets.with_row_index("row")
        kept = pl.concat(
            [
                whole.filter(notable()),
                whole.filter(_IS_TCP).join(self.flows, on=ENDS, how="semi", nulls_equal=False),
                whole.filter(self._edges()),
            ]
        ).unique("row", maintain_order=False)
        apart = kept.filter(_IS_TCP).join(self.apart, on=ENDS, how="semi", nulls_equal=False)
        kept = kept.join(apart.filter(~notable()).select("row"), on="row", how="anti")
        rest = whole.join(kept.select("row"), on="row", how="anti")
        return Kept(kept.drop("row"), self._standing_for(rest.drop("row")), apart.drop("row"))

    def together(self, selected: Iterable[Kept], apart: Apart | None) -> pl.DataFrame:
        """One table, sorted by frame, of what was selected of all packets of the capture, piece by piece.

        But for what is to be kept `apart`.
        """
        whole, standing = [empty_table()], [empty_table()]
        if apart is not None:
            apart.begin(self.apart)
        for kept in selected:
            whole.append(kept.whole)
            standing.append(kept.standing)
            if apart is not None:
                apart.add(kept.apart)
        whole.append(self._standing_for(pl.concat(standing)))
        del standing
        return by_frame(whole)

    def _edges(self) -> pl.Expr:
        """What times the hosts that sent resets, and what shows that the ports of the other hosts answer."""
        senders = self.senders.implode()
        of_sender = pl.col("src").is_in(senders) | pl.col("dst").is_in(senders)
        answers = _HANDSHAKE_ANSWER & pl.col("src").is_in(self.hosts.implode())
        return (_IS_TCP & (_FLAGS & (SYN | FIN) != 0) & of_sender) | answers

    def _standing_for(self, rest: pl.DataFrame) -> pl.DataFrame:
        """The first and the last of packets that are alike; their weights add up to those of all."""
        profiled = pl.col("src").is_in(self.hosts.implode())
        alike = [
            pl.when(profiled).then("src").alias("host"),
            pl.col("ip_version"),
            pl.col("mac"),
            (profiled & _IS_TCP).alias("tcp"),
            pl.when(profiled).then("hop_limit").alias("hops"),
            pl.col("since"),
        ]
        rest = rest.sort("frame")
        marked = rest.join_asof(self.errors, on="frame", by="src", check_sortedness=False)
        groups = marked.group_by(alike).agg(
            first=pl.col("frame").min(), last=pl.col("frame").max(), sum=pl.col("weight").sum()
        )
        firsts = groups.select(frame="first", new=pl.col("sum") - (pl.col("last") != pl.col("first")))
        lasts = groups.filter(pl.col("last") != pl.col("first")).select(frame="last", new=pl.lit(1, pl.Int64))
        return (
            rest.join(pl.concat([firsts, lasts]), on="frame")
            .with_columns(weight=pl.col("new").cast(pl.Int64))
            .select(rest.columns)
        )


def edge_flows(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The flows, both ways, of which these packets tables have a SYN or a FIN."""
    edges = pl.concat(
        [
            empty_table().select(ENDS),
            *(table.filter(_IS_TCP & (_FLAGS & (SYN | FIN) != 0)).select(ENDS) for table in tables),
        ]
    )
    return both_ways(edges)


def what_matters(judged: pl.DataFrame, *, apart: bool) -> Matter:
    """What matters where `judged` are all resets and ICMP errors of a capture, as rows of the packets table.

    `apart`: flows that are only followed are kept apart.
    """
    resets = judged.filter(pl.col("kind") == TCP)
    quoted = judged.filter(pl.col("kind") == ICMP_ERROR).select("frame", "src", pl.col("error").struct.unnest())
    of_quoted = quoted.filter(pl.col("quoted_protocol") == TCP_QUOTED).select(
        src="quoted_src",
        sport=pl.col("quoted_sport").cast(pl.Int64),
        dst="quoted_dst",
        dport=pl.col("quoted_dport").cast(pl.Int64),
    )
    one_way = pl.concat([resets.select(ENDS), of_quoted])
    spoken_of = pl.concat([quoted["src"], quoted["quoted_src"], quoted["quoted_dst"]]).unique()
    hosts = pl.concat([resets["src"], spoken_of])
    only_followed = resets.filter(~pl.any_horizontal(pl.col("src", "dst").is_in(spoken_of.implode())))
    return Matter(
        flows=both_ways(one_way),
        apart=both_ways(only_followed if apart else resets.clear()),
        senders=resets["src"].unique(),
        hosts=hosts.unique(),
        errors=quoted.select("frame", src="quoted_dst", since="frame").sort("frame"),
    )
