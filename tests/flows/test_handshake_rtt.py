"""Handshakes of hosts are the same on columns and packet by packet."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl

from heuristics.language.expressions import MAX_OBSERVABLE
from heuristics.protocol.tshark_fields import ACK, FIN, SYN
from heuristics.rulebook.model import load
from postproc.capture.packet_table import TCP, empty_table, packets_of
from postproc.flows.handshake_rtt import repeated_handshakes, time_syn_acks
from postproc.flows.state import HostHandshakes
from postproc.flows.tracker import Tracker

A, B = ("192.0.2.1", 1000), ("203.0.113.1", 443)
OTHER = ("2001:db8::1", 443)
THRESHOLDS = load().thresholds


def table(packets: list[dict[str, Any]]) -> pl.DataFrame:
    """The packets table of these packets, with defaults for the other columns."""
    usual = {
        "kind": TCP,
        "ip_version": 4,
        "hop_limit": 60,
        "payload_len": 0,
        "options_len": 0,
        "window": 1,
        "weight": 1,
    }
    rows = [usual | {"frame": number, "linux_options": False} | each for number, each in enumerate(packets, 1)]
    return pl.concat([empty_table(), pl.DataFrame(rows, schema_overrides=empty_table().schema)], how="diagonal")


def packet(
    source: tuple[str, int], target: tuple[str, int], flags: int, time_us: int, seq: int, ack: int
) -> dict[str, Any]:
    """One segment without payload."""
    ends = dict(zip(("src", "sport", "dst", "dport"), (*source, *target), strict=True))
    return {**ends, "flags": flags, "time_us": time_us, "seq": seq, "ack": ack}


def counted(edges: pl.DataFrame) -> tuple[dict[str, HostHandshakes], int]:
    """The handshakes by columns, and how many packets the tracker had to follow."""
    odd = repeated_handshakes(edges)
    tracker = Tracker(THRESHOLDS)
    tracker.follow(packets_of(odd))
    time_syn_acks(edges.join(odd, on="frame", how="anti"), tracker.handshakes)
    return tracker.handshakes, odd.height


def followed(edges: pl.DataFrame) -> dict[str, HostHandshakes]:
    """The handshakes by following every packet."""
    tracker = Tracker(THRESHOLDS)
    tracker.follow(packets_of(edges))
    return tracker.handshakes


def random_edges(random: Random) -> pl.DataFrame:
    """SYNs, SYN-ACKs and FINs of few ports and numbers, so that all kinds of coincidence occur."""
    ends = [A, B, (A[0], 1001), (B[0], 80), OTHER]
    packets = []
    for number in range(random.choice((2, 4, 8, 40))):
        source, target = random.choices(ends, k=2)
        flags = random.choice((SYN, SYN, SYN | ACK, SYN | ACK, FIN | ACK, SYN | FIN))
        seqs = random.choice((0, 5, 2**32 - 1)), random.choice((0, 1, 6, 7))
        packets.append(packet(source, target, flags, 10 * number + random.choice((0, 0, -1000, 2**41)), *seqs))
    return table(packets)


def test_answers_are_the_same() -> None:
    odd = []
    for seed in range(200):
        edges = random_edges(Random(seed))
        answers, height = counted(edges)
        assert answers == followed(edges), seed
        odd.append(height)
    assert 20 < odd.count(0) < 180  # some captures need the tracker, some do not


def test_usual_flows_are_not_followed() -> None:
    packets = []
    for port in range(50):
        client, start = (A[0], 2000 + port), 1000 * port
        packets.append(packet(client, B, SYN, start, 5, 0))
        packets.append(packet(B, client, SYN | ACK, start + 100 - port, 9, 6))
        packets.append(packet(client, B, FIN | ACK, start + 200, 50, 60))
    answers, odd = counted(table(packets))
    assert odd == 0
    assert answers == followed(table(packets))
    assert (answers[B[0]].round_trips.least_us, answers[B[0]].round_trips.second_us) == (51, 52)


def test_a_round_trip_is_held_to_what_rules_compute_with() -> None:
    packets = [packet(A, B, SYN, 0, 5, 0), packet(B, A, SYN | ACK, 2 * MAX_OBSERVABLE, 9, 6)]
    assert counted(table(packets))[0][B[0]].round_trips.least_us == MAX_OBSERVABLE
