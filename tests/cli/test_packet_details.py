"""tshark reads a copy of the packets that a story compares: their fields are those in the whole capture."""

from __future__ import annotations

from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from support.command_line import CAPTURES, LAB, SITUATIONS, capture

from postproc.capture.tshark.program import find_tshark
from postproc.cli.packet_details import packet_details
from postproc.copies.cut import cut
from postproc.report.pyshark_details import read_details

CHOSEN = sorted(path for path in CAPTURES.rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))[::9]


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.name)
def test_the_copy_has_the_fields_of_the_capture(path: Path) -> None:
    tshark = find_tshark()
    frames = [7, 2]
    whole = read_details(path, frames, tshark)
    assert {frame: found for frame, found in packet_details(path, frames, tshark).items() if found} == whole


def test_a_capture_that_is_neither_pcap_nor_pcapng_is_read_whole() -> None:
    path = SITUATIONS / "netscaler-policy.cap"
    assert packet_details(path, [1, 2], find_tshark()) == read_details(path, [1, 2], find_tshark()) != {}


def test_a_fragment_is_read_with_the_others(tmp_path: Path) -> None:
    ends = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    segment = IP(src="192.0.2.1", dst="203.0.113.1", ttl=60) / TCP(sport=40000, dport=80, flags="PA") / Raw(b"x" * 900)
    parts = fragment(segment, 400)  # type: ignore[no-untyped-call]
    path = capture(tmp_path / "fragments.pcap", [ends / part for part in parts])
    last = 3
    details = packet_details(path, [last], find_tshark())
    assert "tcp" in details[last]["headers"].split()


def test_only_the_packets_that_are_named_are_copied(tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcapng"
    with copy.open("wb") as file:
        cut(LAB / "04_icmp.client.pcap", [1, 5], file)
    tshark = find_tshark()
    whole = read_details(LAB / "04_icmp.client.pcap", [1, 5], tshark)
    assert list(read_details(copy, [1, 2, 3], tshark).values()) == [whole[1], whole[5]]
