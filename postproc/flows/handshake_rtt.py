"""The round trip of a handshake: the time from a SYN to its SYN-ACK.

`time_syn_ack` measures it in flows that the tracker follows, `time_syn_acks` on columns in all other flows. Both take
a SYN-ACK only if exactly one SYN can have asked for it. The plugin follows every flow (`time_syn_ack` in
generator/templates/state/tracker.lua.j2).
"""

from __future__ import annotations

import polars as pl

from heuristics.language.expressions import MAX_OBSERVABLE
from heuristics.protocol.tshark_fields import ACK, SYN
from postproc.capture.packet_table import ENDS, TURNED, Packet
from postproc.flows.state import HostHandshakes, RoundTrips, Side
from postproc.flows.tcp_arithmetic import SEQ_MASK, elapsed_us

_FLAGS = pl.col("flags")
_IS_SYN, _IS_SYN_ACK = _FLAGS & (SYN | ACK) == SYN, _FLAGS & (SYN | ACK) == SYN | ACK


def acknowledges_syn(packet: Packet, peer: Side) -> bool:
    """Whether `packet` acknowledges the peer's last SYN or SYN-ACK."""
    return peer.isn is not None and packet.ack == (peer.isn + 1) & SEQ_MASK


def time_syn_ack(packet: Packet, peer: Side, round_trips: RoundTrips) -> None:
    """Add the round trip that the SYN-ACK `packet` ends. `peer` is the side that sent the SYN."""
    if peer.handshake_answered or not acknowledges_syn(packet, peer):
        return
    peer.handshake_answered = True
    if peer.handshake_transmissions == 1 and packet.time_us >= peer.handshake_us:
        round_trips.add(elapsed_us(packet.time_us, peer.handshake_us), handshake=True)


def repeated_handshakes(edges: pl.DataFrame) -> pl.DataFrame:
    """The packets of flows with more than one SYN, or more than one SYN-ACK: the tracker has to follow these flows.

    `edges` are the SYNs and FINs of flows without a reset, rows of the packets table. A FIN matters only before a SYN.
    """
    towards = edges.filter(_FLAGS & SYN != 0).select(*ENDS, syn_ack=_IS_SYN_ACK)
    back = towards.select(**TURNED, syn_ack="syn_ack")
    several = pl.concat([towards, back]).group_by([*ENDS, "syn_ack"]).len().filter(pl.col("len") > 1)
    return edges.join(several, on=ENDS, how="semi", maintain_order="left")


def time_syn_acks(edges: pl.DataFrame, handshakes: dict[str, HostHandshakes]) -> None:
    """Add the handshakes of the other flows, each with at most one SYN and one SYN-ACK, to `handshakes`, by host."""
    syn_acks = edges.filter(_IS_SYN_ACK)
    syns = edges.filter(_IS_SYN).select("frame", "time_us", "seq", **TURNED)
    elapsed = pl.col("time_us") - pl.col("time_us_right")
    timed = (
        (pl.col("frame_right") < pl.col("frame"))
        & (pl.col("ack") == (pl.col("seq_right") + 1) & SEQ_MASK)
        & (elapsed >= 0)
    )
    hosts = (
        syn_acks.join(syns, on=ENDS, how="left")
        .group_by("src")
        .agg(pl.col("sport").unique(), rtt_us=elapsed.clip(upper_bound=MAX_OBSERVABLE).filter(timed).bottom_k(2))
    )
    for host, ports, round_trips in hosts.iter_rows():
        known = handshakes.setdefault(host, HostHandshakes())
        known.accepting_ports.update(ports)
        for rtt_us in round_trips:
            known.round_trips.add(rtt_us, handshake=True)
