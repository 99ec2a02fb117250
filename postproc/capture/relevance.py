"""Which packets a verdict can depend on, and how few rows represent all others.

Kept as they are: resets, ICMP errors, the flows of both, and the handshakes and ends of the other flows of hosts that
sent resets. All other packets only feed the host profiles, and show who else sends from the same MAC address. Of those
that are alike, the first and the last represent all, so a table of ten million packets becomes a few thousand rows.
Packets of flows that share an end with one of those are alike only within one direction of one flow: the last of them
says whether that flow is the same connection under another address (flows/counterparts.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, SYN
from postproc.capture.icmp_quote import TCP_QUOTED
from postproc.capture.packet_table import ENDS, ICMP_ERROR, TCP, both_ways, by_frame, empty_table, is_syn, notable
from postproc.capture.shared_ends import acknowledging_flows_beside, with_ends_by_port
from postproc.capture.spill import SpilledFlows

_FLAGS = pl.col("flags")
_IS_TCP = pl.col("kind") == TCP
_HANDSHAKE_ANSWER = _IS_TCP & (_FLAGS & (SYN | ACK) == SYN | ACK)


@dataclass(frozen=True, slots=True)
class Selection:
    """The relevant rows of some packets: `individual` packets, and `representatives` of packets that are alike.

    `spilled` are packets of spilled flows (spill.py); the resets among them are individual as well.
    """

    individual: pl.DataFrame
    representatives: pl.DataFrame
    spilled: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Relevance:
    """What is relevant in a capture with certain resets and ICMP errors.

    `flows` are their ends in both directions, `senders` the hosts that sent resets, `hosts` the hosts with a profile.
    `errors` has the frame of each error and, as `src`, the host that it concerns. `spilled` are the flows that are only
    followed; the other flows also concern hosts that an error names.
    """

    flows: pl.DataFrame
    spilled: pl.DataFrame
    senders: pl.Series
    hosts: pl.Series
    errors: pl.DataFrame

    def select(self, packets: pl.DataFrame) -> Selection:
        """The relevant rows of some packets of the capture; `packets` is a packets table."""
        every = packets.with_row_index("row")
        individual = pl.concat(
            [
                every.filter(notable()),
                every.filter(_IS_TCP).join(self.flows, on=ENDS, how="semi", nulls_equal=False),
                every.filter(self._edges()),
            ]
        ).unique("row", maintain_order=False)
        spilled = individual.filter(_IS_TCP).join(self.spilled, on=ENDS, how="semi", nulls_equal=False)
        individual = individual.join(spilled.filter(~notable()).select("row"), on="row", how="anti")
        rest = every.join(individual.select("row"), on="row", how="anti")
        return Selection(
            individual=individual.drop("row"),
            representatives=self._representatives(rest.drop("row")),
            spilled=spilled.drop("row"),
        )

    def combine(self, selections: Iterable[Selection], spilled: SpilledFlows | None) -> pl.DataFrame:
        """One table, sorted by frame, of the selections from all packets of the capture.

        The packets of spilled flows go to `spilled` instead.
        """
        individual, representatives = [empty_table()], [empty_table()]
        if spilled is not None:
            spilled.start(self.spilled)
        for selection in selections:
            individual.append(selection.individual)
            representatives.append(selection.representatives)
            if spilled is not None:
                spilled.add(selection.spilled)
        individual.append(self._representatives(pl.concat(representatives)))
        del representatives
        return by_frame(individual)

    def _edges(self) -> pl.Expr:
        """Handshakes and ends that time the senders of resets, and SYN-ACKs that show open ports of other hosts."""
        senders = self.senders.implode()
        of_sender = pl.col("src").is_in(senders) | pl.col("dst").is_in(senders)
        answers = _HANDSHAKE_ANSWER & pl.col("src").is_in(self.hosts.implode())
        return (_IS_TCP & (_FLAGS & (SYN | FIN) != 0) & of_sender) | answers

    def _representatives(self, rest: pl.DataFrame) -> pl.DataFrame:
        """The first and the last of packets that are alike. Their weights add up to those of all."""
        profiled = pl.col("src").is_in(self.hosts.implode())
        beside = pl.col("frame").is_in(
            acknowledging_flows_beside(rest, with_ends_by_port(self.flows))["frame"].implode()
        )
        alike = [
            pl.when(profiled).then("src").alias("host"),
            pl.col("ip_version"),
            pl.col("mac"),
            (profiled & _IS_TCP).alias("tcp"),
            (profiled & is_syn()).alias("syn"),
            pl.when(profiled).then("hop_limit").alias("hops"),
            pl.col("since"),
            *(pl.when(beside).then(end).alias(f"beside_{end}") for end in ENDS),
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


def flows_with_edges(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The ends, in both directions, of flows of which these packets tables have a SYN or a FIN."""
    edges = pl.concat(
        [
            empty_table().select(ENDS),
            *(table.filter(_IS_TCP & (_FLAGS & (SYN | FIN) != 0)).select(ENDS) for table in tables),
        ]
    )
    return both_ways(edges)


def relevance_of(judged: pl.DataFrame, *, spill: bool) -> Relevance:
    """What is relevant where `judged` are all resets and ICMP errors of a capture, as rows of the packets table.

    With `spill`, flows that are only followed are spilled.
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
    involved = pl.concat([quoted["src"], quoted["quoted_src"], quoted["quoted_dst"]]).unique()
    hosts = pl.concat([resets["src"], involved])
    only_followed = resets.filter(~pl.any_horizontal(pl.col("src", "dst").is_in(involved.implode())))
    return Relevance(
        flows=both_ways(one_way),
        spilled=both_ways(only_followed if spill else resets.clear()),
        senders=resets["src"].unique(),
        hosts=hosts.unique(),
        errors=quoted.select("frame", src="quoted_dst", since="frame").sort("frame"),
    )
