"""The flows table: one flow for each end reason, and the same flows as the tracker's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from support import public_captures
from support.command_line import CAPTURES, LAB, SITUATIONS
from support.flows_by_hand import CLIENT, CLOSE, OPEN, SERVER, Talk, written

from heuristics.rulebook.model import load
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.packet_table import TCP, Packet
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import find_tshark
from postproc.flows.display_filter import flow_filter
from postproc.flows.flow_table import FLOW_SCHEMA, flow_table
from postproc.flows.tracker import Tracker

RULES = load()
DATA = ("> PA 100", "< PA 1000", "> A", "> PA 100")

ENDS: dict[str, tuple[Sequence[str], str, str | None]] = {
    "closed by both": ([*OPEN, *DATA, *CLOSE], "tcp-fin", None),
    "closed by the server first": ([*OPEN, *DATA, "< FA", "> FA", "< A"], "tcp-fin", None),
    "reset by the client": ([*OPEN, *DATA, "> R"], "tcp-rst-from-client", None),
    "reset by the server": ([*OPEN, *DATA, "< RA"], "tcp-rst-from-server", None),
    "reset by both, the server first": ([*OPEN, *DATA, "< RA", "> R"], "tcp-rst-from-client", None),
    "reset after it was closed": ([*OPEN, *DATA, *CLOSE, "< R"], "tcp-rst-from-server", None),
    "falls silent": ([*OPEN, *DATA], "aged-out", None),
    "closed by one side only": ([*OPEN, *DATA, "> FA", "< A"], "aged-out", None),
    "SYN without an answer": (["> S", "> S", "> S"], "aged-out", "incomplete"),
    "refused": (["> S", "< RA"], "tcp-rst-from-server", "incomplete"),
    "handshake never finished": (["> S", "< SA", "< SA"], "aged-out", "incomplete"),
    "no data": ([*OPEN, *CLOSE], "tcp-fin", "incomplete"),
    "no data, reset": ([*OPEN, "> R"], "tcp-rst-from-client", "incomplete"),
    "one segment": ([*OPEN, "> PA 5", "< A", *CLOSE], "tcp-fin", "insufficient-data"),
    "one segment, sent twice": ([*OPEN, "> PA 5 seq=1001", "> PA 5 seq=1001"], "aged-out", "insufficient-data"),
    "two segments": ([*OPEN, "> PA 5", "< PA 5", *CLOSE], "tcp-fin", None),
    "beginning not captured": ([*DATA], "aged-out", None),
    "beginning not captured, no data": (["> A", "< A"], "aged-out", None),
    "server's side alone": (["< SA", "< PA 5", "< PA 5"], "aged-out", None),
}


def flows(path: Path, *, all_flows: bool = True) -> pl.DataFrame:
    packets = read_packets(Source(path, path.name, FileType.CAPTURE), find_tshark(), whole=True)
    return flow_table(packets.table, RULES.thresholds, all_flows=all_flows)


@pytest.mark.parametrize("ipv6", [False, True])
def test_every_end(tmp_path: Path, ipv6: bool) -> None:
    packets = [
        packet
        for number, (steps, *_) in enumerate(ENDS.values())
        for packet in Talk(40000 + number, ipv6=ipv6).packets(steps)
    ]
    table = flows(written(tmp_path / "a.pcap", packets)).sort("sport")
    assert table.schema == pl.Schema(FLOW_SCHEMA)
    assert table["sport"].to_list() == [40000 + number for number in range(len(ENDS))]
    found = dict(zip(ENDS, table.select("end_reason", "application").iter_rows(), strict=True))
    assert found == {name: (reason, application) for name, (_, reason, application) in ENDS.items()}


def test_the_initiator_comes_first_and_is_counted_as_sending(tmp_path: Path) -> None:
    for port in (40000, 70):  # the lower port is not always the server's
        path = written(
            tmp_path / "a.pcap", Talk(port, 443).packets([*OPEN, "> PA 10", "< PA 300", "< PA 300", "> R 40"])
        )
        row = flows(path).row(0, named=True)
        assert (row["src"], row["sport"], row["dst"], row["dport"]) == (CLIENT, port, SERVER, 443)
        assert (row["packets_sent"], row["packets_received"]) == (4, 3)
        assert (row["bytes_sent"], row["bytes_received"]) == (10, 600)  # the payload of a reset does not count
        assert (row["first_frame"], row["last_frame"], row["resets"]) == (1, 7, 1)
        assert row["last_time"] - row["first_time"] == pytest.approx(0.06)


def test_without_a_handshake_the_higher_port_is_taken_for_the_initiators(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pcap", Talk(40000, 80).packets(["< PA 10", "> PA 10"]))
    assert flows(path).row(0, named=True)["sport"] == 40000


def test_ports_used_again_make_another_flow(tmp_path: Path) -> None:
    first = Talk().packets([*OPEN, *DATA, "> FA", "< A"])
    second = Talk(isn=900_000).packets([*OPEN, *DATA, *CLOSE], start=first[-1].time + 60)
    third = Talk(isn=77_000_000).packets([*OPEN, *DATA, "< RA"], start=second[-1].time + 60)
    table = flows(written(tmp_path / "a.pcap", [*first, *second, *third]))
    assert table["end_reason"].to_list() == ["tcp-reuse", "tcp-fin", "tcp-rst-from-server"]
    assert table["first_frame"].to_list() == [1, 10, 20]
    assert table["last_frame"].to_list() == [9, 19, 27]
    assert table["flow"].n_unique() == 3


def test_a_repeated_syn_begins_no_other_flow(tmp_path: Path) -> None:
    table = flows(written(tmp_path / "a.pcap", Talk().packets(["> S seq=7", "< RA", "> S seq=7", "< RA"])))
    assert table.height == 1


def test_by_default_only_flows_with_a_reset(tmp_path: Path) -> None:
    packets = Talk(40001).packets(["> S", "< RA"]) + Talk(40002).packets([*OPEN, *CLOSE])
    path = written(tmp_path / "a.pcap", packets)
    assert flows(path, all_flows=False)["sport"].to_list() == [40001]
    assert flows(path)["sport"].to_list() == [40001, 40002]


REUSED = CAPTURES.glob("lab-seeds/seed-25/port-reuse*.gz")
CAPTURED = sorted([*LAB.glob("0[1379]*.pcap"), *SITUATIONS.glob("*cap"), *REUSED, *public_captures.CAPTURES])


@pytest.mark.parametrize("capture", [*CAPTURED, *public_captures.SKIPPED], ids=lambda path: path.name)
def test_flows_are_those_that_the_engine_follows(capture: Path) -> None:
    """Names, frames and incarnations are those of the tracker, which follows packet by packet."""
    table = read_packets(Source(capture, capture.name, FileType.CAPTURE), find_tshark(), whole=True).table
    tracker, seen = Tracker(RULES.thresholds), {}
    for packet in map(Packet._make, table.filter(pl.col("kind") == TCP).iter_rows()):
        tracker.follow([packet])
        low, high = sorted([(packet.src, packet.sport), (packet.dst, packet.dport)])
        flow = tracker.flows[low, high]
        seen[id(flow)] = flow
    expected = [(flow_filter(flow), flow.first_frame, flow.last_frame) for flow in seen.values()]
    found = flow_table(table, RULES.thresholds, all_flows=True).select("flow", "first_frame", "last_frame")
    assert sorted(found.iter_rows()) == sorted(expected)
