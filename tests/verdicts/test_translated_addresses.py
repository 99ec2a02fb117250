"""Counterparts of flows are found however a capture is read: all of it, what is relevant, or spilled to disk."""

from __future__ import annotations

import pytest
from support import translations_by_hand
from support.flows_by_hand import written
from support.situations_by_hand import SITUATIONS

from heuristics.rulebook.model import load
from postproc.capture import spill
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.reader import read_packets
from postproc.capture.spill import SpilledFlows
from postproc.capture.tshark.program import find_tshark
from postproc.verdicts.judge_resets import judged_resets

FOUND = {"untranslated_reset", "undialled_address", "owner_of_translated_address"}


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """All situations of translated addresses, one after another, on ports of their own."""
    packets = []
    for number, make in enumerate(
        make for make in SITUATIONS.values() if make.__module__ == translations_by_hand.__name__
    ):
        for packet in make():
            packet.time += 100 * number
            for port in ("sport", "dport"):
                if packet["TCP"].getfieldval(port) >= 40000:
                    packet["TCP"].setfieldval(port, packet["TCP"].getfieldval(port) + 10 * number)
            packets.append(packet)
    path = written(tmp_path_factory.mktemp("translated") / "all.pcap", packets)
    return Source(path, path.name, FileType.CAPTURE)


@pytest.mark.parametrize("prefilter", [True, False], ids=["prefilter", "tshark"])
@pytest.mark.parametrize("spilling", [True, False], ids=["spilled", "in memory"])
def test_the_way_of_reading_does_not_matter(
    prefilter: bool, spilling: bool, capture: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "_FLOWS_AT_ONCE", 1)
    tshark, rulebook = find_tshark(), load()
    expected = judged_resets("", read_packets(capture, tshark, whole=True).table, rulebook)
    assert {id_ for judged in expected for id_ in judged.row.evidence} >= FOUND
    with SpilledFlows() as flows:
        spilled = flows if spilling else None
        packets = read_packets(capture, tshark, prefilter=prefilter, spilled=spilled).table
        assert judged_resets("", packets, rulebook, spilled=spilled) == expected
