"""Counterparts: flows that are one connection under two addresses, because a device translates one of them (NAT).

Two flows that share an end (capture/shared_ends.py) are counterparts if both streams stand at the same numbers, which
is chance in 1 of 32,000 cases. They show that an address is translated: packets that bear it may come from the device
that translates as well as from the host behind, and a kernel refuses what comes from the other address.
The plugin does the same in Lua (generator/templates/state/counterparts.lua.j2), function by function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from heuristics.engine_limits import MAX_SHARED_END, SAME_STREAM_REACH
from postproc.capture.packet_table import ENDS
from postproc.capture.shared_ends import (
    BOTH_ENDS,
    CLIENT_END,
    SERVER_END,
    acknowledging_flows_beside,
    with_ends_by_port,
)
from postproc.flows.state import Reset, Side
from postproc.flows.tcp_arithmetic import seq_diff

_Key = tuple[str | int, ...]


class _Alternative(NamedTuple):
    """A flow that may be the counterpart of others: the address at the end that they do not share, and its streams.

    `of_client` and `of_server` say how far the streams had come by the last acknowledgements; None: not known.
    `client_reset` and `server_reset` say whether it has resets of these ends.
    """

    other: str
    of_client: int | None
    of_server: int | None
    client_reset: bool
    server_reset: bool


class Translation(NamedTuple):
    """What the counterparts of the flow of a reset show: observables, under their names."""

    sender_translated: bool = False
    peer_translated: bool = False
    untranslated: bool = False
    sender_leaked: bool = False


class Counterparts:
    """The flows of a capture that share an end with one of `resets` (rows of the packets table).

    `tables`, at least one, hold the packets, each with all packets of some of the flows. `translated` has the addresses
    that were found to be translated, or to stand for others, once `of` was asked for every reset.
    """

    def __init__(self, tables: Iterable[pl.DataFrame], resets: pl.DataFrame) -> None:
        self.translated: set[str] = set()
        flows = _with_resets(resets)
        acknowledged = pl.concat([_acknowledged(table, flows) for table in tables])
        self._alternatives: dict[_Key, list[_Alternative]] = defaultdict(list)
        for key in (CLIENT_END, SERVER_END):
            for *ends, other, of_client, of_server, client_reset, server_reset in _alternatives(
                acknowledged, flows, key
            ).iter_rows():
                alternative = _Alternative(other, of_client, of_server, bool(client_reset), bool(server_reset))
                self._alternatives[tuple(ends)].append(alternative)

    def of(self, reset: Reset) -> Translation:
        """What the counterparts of the flow of a reset show. Adds to `translated`."""
        packet = reset.packet
        if packet.sport == packet.dport or not self._alternatives:
            return Translation()
        from_client = packet.sport > packet.dport
        client, server = (packet.src, packet.sport), (packet.dst, packet.dport)
        sides = (reset.side, reset.peer)
        if not from_client:
            client, server, sides = server, client, (reset.peer, reset.side)
        streams = _came_to(*sides), _came_to(*reversed(sides))
        of_server = self._counterparts(client, server[0], streams)
        of_client = self._counterparts((*server, client[1]), client[0], streams)
        found = of_server + of_client
        reset_there = any(each.client_reset if from_client else each.server_reset for each in found)
        of_sender = of_client if from_client else of_server
        return Translation(
            sender_translated=bool(of_sender),
            peer_translated=bool(of_server if from_client else of_client),
            untranslated=bool(found) and not reset_there,
            sender_leaked=None in [each.of_client if from_client else each.of_server for each in of_sender],
        )

    def _counterparts(self, key: _Key, address: str, streams: tuple[int | None, int | None]) -> list[_Alternative]:
        """The flows with the end `key` that have another address than this one, and the same streams."""
        found = [
            each
            for each in self._alternatives.get(key, ())
            if each.other != address and _same_streams(streams, (each.of_client, each.of_server))
        ]
        if found:
            self.translated |= {address, *(each.other for each in found)}
        return found


def _with_resets(resets: pl.DataFrame) -> pl.DataFrame:
    """The flows that have resets, and of which ends."""
    from_client = pl.col("from_client")
    return (
        with_ends_by_port(resets.select(ENDS))
        .group_by(BOTH_ENDS)
        .agg(client_reset=from_client.any(), server_reset=(~from_client).any())
    )


def _acknowledged(packets: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """How far both streams of each flow beside `flows` had come. `packets` is sorted by frame."""
    last = acknowledging_flows_beside(packets, flows)
    from_client = pl.col("from_client")
    return last.group_by(BOTH_ENDS).agg(
        of_client=pl.col("ack").filter(~from_client).last(), of_server=pl.col("ack").filter(from_client).last()
    )


def _alternatives(acknowledged: pl.DataFrame, flows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The flows that have the end `key` in common with flows of another address: `key`, and the fields that follow.

    Not of ends that very many flows have in common, as those of a port scan.
    """
    other = "server" if key is CLIENT_END else "client"
    every = pl.concat([acknowledged.select(BOTH_ENDS), flows.select(BOTH_ENDS)]).unique()
    several = every.group_by(key).agg(pl.col(other).n_unique()).filter(pl.col(other) > 1)
    few = acknowledged.group_by(key).len().filter(pl.col("len") <= MAX_SHARED_END)
    found = acknowledged.join(several, on=key, how="semi").join(few, on=key, how="semi")
    return found.join(flows, on=BOTH_ENDS, how="left").select(
        *key, other, "of_client", "of_server", "client_reset", "server_reset"
    )


def _came_to(side: Side, peer: Side) -> int | None:
    """How far the stream of `side` had come: what its peer acknowledged, or else what it sent."""
    if peer.acked is not None:
        return peer.acked
    if side.next_seq is not None:
        return side.next_seq
    return side.last_reset.packet.seq or None if side.last_reset else None


def _same_streams(streams: Iterable[int | None], others: Iterable[int | None]) -> bool:
    """Whether at least one stream of the two flows is known in both, and all that are so stand near each other."""
    gaps = list(_gaps(streams, others))
    return bool(gaps) and max(gaps) <= SAME_STREAM_REACH


def _gaps(streams: Iterable[int | None], others: Iterable[int | None]) -> Iterator[int]:
    for one, other in zip(streams, others, strict=True):
        if one is not None and other is not None:
            yield abs(seq_diff(one, other))
