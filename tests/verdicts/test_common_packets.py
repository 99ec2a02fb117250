"""Captures without a common packet: what is said of them without comparing them is what comparing them gives."""

from __future__ import annotations

from itertools import permutations

import polars as pl
import pytest
from support.command_line import LAB

from postproc.capture.discovery import find_sources
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import find_tshark
from postproc.verdicts.common_packets import KEY, MATTERS, Holdings, packet_keys, without_common_packets
from postproc.verdicts.reconcile import reconcile


@pytest.fixture(scope="module")
def tables() -> list[pl.DataFrame]:
    tshark = find_tshark()
    return [read_packets(source, tshark, whole=True).table for source in find_sources([LAB]).files[:16]]


def in_common(capture: pl.DataFrame, peer: pl.DataFrame) -> bool:
    keys = packet_keys(capture).filter(MATTERS)
    return not keys.join(packet_keys(peer), on=KEY, how="semi").is_empty()


@pytest.mark.parametrize("named", [False, True])
def test_captures_without_a_common_packet_need_no_comparison(tables: list[pl.DataFrame], named: bool) -> None:
    checked = 0
    for capture, peer in permutations(tables, 2):
        ours, theirs = Holdings.of(capture), Holdings.of(peer)
        if ours.resets and not in_common(capture, peer):
            hosts = tuple(ours.resets)[:1] if named else ()
            assert without_common_packets(ours, theirs, hosts) == reconcile(capture, peer, (), hosts)
            checked += 1
    assert checked > 50


def test_both_sides_of_a_lab_run_have_common_packets() -> None:
    tshark = find_tshark()
    found = find_sources([LAB / f"03_reject_midstream_r1.{side}.pcap" for side in ("client", "server")]).files
    client, server = (read_packets(source, tshark, whole=True).table for source in found)
    assert in_common(client, server)


def test_a_translated_flow_is_found_too(tables: list[pl.DataFrame]) -> None:
    """Numbers do not depend on addresses and ports."""
    table = next(each for each in tables if Holdings.of(each).resets)
    assert in_common(table, table.with_columns(src=pl.lit("192.0.2.77"), sport=pl.lit(7, table.schema["sport"])))
