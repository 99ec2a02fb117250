"""Captures on which `make fuzz` found that the engines, or two ways of reading, differed, cut down to what it takes."""

from __future__ import annotations

from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from support.command_line import capture
from support.parity import compare, listed, system_wireshark

from heuristics.rulebook.model import load


def test_an_address_that_is_translated_as_a_later_reset_shows(tmp_path: Path) -> None:
    """The first reset names an address of which only the second reset shows that it is translated."""
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    packets = [
        link / IP(src="10.0.0.2", dst="10.0.0.2", ttl=62) / TCP(sport=443, dport=443, seq=1, flags="R"),
        link / IP(src="192.0.2.7", dst="10.0.0.2", ttl=117) / TCP(sport=40001, dport=179, seq=1000, flags="SRA"),
        link
        / IP(src="198.51.100.2", dst="192.0.2.7", ttl=60)
        / TCP(sport=179, dport=40001, seq=41, ack=1002, flags="SA"),
    ]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number
    found = compare(capture(tmp_path / "capture.pcap", packets), system_wireshark(), load())
    assert not found, listed(found)
