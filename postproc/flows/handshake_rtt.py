"""How hosts answered SYNs in flows without a reset, on columns: only odd flows are followed packet by packet."""

from __future__ import annotations

import polars as pl

from heuristics.language.expressions import MAX_OBSERVABLE
from heuristics.protocol.tshark_fields import ACK, SYN
from postproc.capture.packet_table import ENDS, TURNED
from postproc.flows.state import Answers

_FLAGS = pl.col("flags")
_SYN, _ANSWER = _FLAGS & (SYN | ACK) == SYN, _FLAGS & (SYN | ACK) == SYN | ACK


def odd_flows(edges: pl.DataFrame) -> pl.DataFrame:
    """The packets of flows with more than one SYN, or more than one SYN-ACK.

    `edges` are the SYNs and FINs of flows without a reset, rows of the packets table. A FIN matters only before a SYN.
    """
    towards = edges.filter(_FLAGS & SYN != 0).select(*ENDS, answer=_ANSWER)
    back = towards.select(**TURNED, answer="answer")
    several = pl.concat([towards, back]).group_by([*ENDS, "answer"]).len().filter(pl.col("len") > 1)
    return edges.join(several, on=ENDS, how="semi", maintain_order="left")


def note_answers(edges: pl.DataFrame, answers: dict[str, Answers]) -> None:
    """Add how hosts answered in the other flows, each with at most one SYN and one SYN-ACK, to `answers`.

    As postproc.flows has it: a SYN-ACK that acknowledges the SYN before it gives a round trip.
    """
    given = edges.filter(_ANSWER)
    asked = edges.filter(_SYN).select("frame", "time_us", "seq", **TURNED)
    elapsed = pl.col("time_us") - pl.col("time_us_right")
    timed = (
        (pl.col("frame_right") < pl.col("frame"))
        & (pl.col("ack") == (pl.col("seq_right") + 1) & 0xFFFFFFFF)
        & (elapsed >= 0)
    )
    hosts = (
        given.join(asked, on=ENDS, how="left")
        .group_by("src")
        .agg(pl.col("sport").unique(), rtt_us=elapsed.clip(upper_bound=MAX_OBSERVABLE).filter(timed).bottom_k(2))
    )
    for host, ports, round_trips in hosts.iter_rows():
        known = answers.setdefault(host, Answers())
        known.ports.update(ports)
        for rtt_us in round_trips:
            known.round_trips.add(rtt_us, handshake=True)
