"""Talks as captured at both ends: hop limits and times are those of each capture point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from scapy.packet import Packet

from support.decodable import decodable_rows
from support.flows_by_hand import OPEN, START, Talk

HOPS, DELAY_S, AHEAD_S = 4, 0.02, 5.0  # between client and server; the server's clock is ahead
OPENED = (*OPEN, "> PA 100", "< A", "< PA 1000", "> A")


def both(
    steps: Sequence[str], forged: int, start: float = START, port: int = 40000
) -> tuple[list[Packet], list[Packet]]:
    """A talk as captured at the client and at the server. The last `forged` packets reach the client alone."""
    client, server = [], []
    packets = Talk(port).packets(steps, start)
    for number, packet in enumerate(packets):
        at_client, at_server = packet.copy(), packet.copy()
        from_server = packet.payload.payload.sport == 80
        at_client.payload.ttl, at_server.payload.ttl = (64 - HOPS, 64) if from_server else (64, 64 - HOPS)
        at_client.time = float(packet.time) + (DELAY_S if from_server else 0)
        at_server.time = float(packet.time) + (0 if from_server else DELAY_S) + AHEAD_S
        client.append(at_client)
        if number < len(packets) - forged:
            server.append(at_server)
    return client, server


def table(path: Path) -> pl.DataFrame:
    """All packets of a capture that takes no tshark."""
    decodable, deferred = decodable_rows(path)
    assert deferred == []
    return decodable
