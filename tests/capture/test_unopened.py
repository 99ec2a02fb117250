"""Overlays that Wireshark does not open by itself, those that it does, and TCP headers that a snap length cut."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from support.command_line import Result
from support.command_line import run as run_command
from support.flows_by_hand import OPEN, Talk, written

from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.capture.prefilter.unopened import cut_segments, unopened_overlays

ABORTED = (*OPEN, "> PA 100", "< PA 100", "> A", "< RA")
USUAL = {"vxlan": 8472, "geneve": 6081, "gtp": 2152}
NAMES = {"vxlan": "VXLAN", "geneve": "Geneve", "gtp": "GTP-U"}


def wrapped(packet: Packet, protocol: str, port: int, *, ipv6: bool = False) -> Packet:
    """A packet inside an overlay."""
    inside = {
        "vxlan": lambda: VXLAN(flags=8, vni=7) / packet,
        "geneve": lambda: GENEVE(vni=7, proto=0x6558) / packet,
        "gtp": lambda: GTP_U_Header(teid=9, gtp_type=255, length=len(packet[IP])) / packet[IP],
    }[protocol]()
    ends = IPv6(src="2001:db8::1", dst="2001:db8::2") if ipv6 else IP(src="198.51.100.1", dst="198.51.100.2")
    whole = Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12") / ends / UDP(sport=33333, dport=port) / inside
    whole.time = packet.time
    return whole


def overlay(folder: Path, protocol: str, port: int, *, ipv6: bool = False) -> Path:
    packets = [wrapped(packet, protocol, port, ipv6=ipv6) for packet in Talk().packets(ABORTED)]
    return written(folder / "overlay.pcap", packets)


def run(*words: str | Path, status: int = 0) -> Result:
    """`rstorigin WORDS`; asserts its exit status."""
    result = run_command(*words)
    assert result.exit_code == status, result.output
    return result


def rows(*words: str | Path) -> list[dict[str, object]]:
    result = run("summarize", "--no-cache", "--format", "jsonl", *words)
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("protocol", USUAL)
def test_an_overlay_on_its_usual_port_is_opened(tmp_path: Path, protocol: str) -> None:
    capture = overlay(tmp_path, protocol, USUAL[protocol])
    assert [row["frame"] for row in rows(capture)] == [7]
    assert unopened_overlays(capture, ()) == []


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("protocol", USUAL)
def test_an_overlay_on_another_port_is_named_and_opened_as_told(tmp_path: Path, protocol: str, ipv6: bool) -> None:
    capture = overlay(tmp_path, protocol, 9000, ipv6=ipv6)
    result = run("summarize", "--no-cache", capture, status=1)
    assert f"UDP port 9000 looks like {NAMES[protocol]} (7 of 7 packets)" in result.stderr
    assert f"add -d udp.port==9000,{protocol}" in result.stderr
    assert "There is no TCP reset" not in result.stdout
    explained = run("explain", capture, status=1).stdout
    assert explained.startswith("No TCP reset and no ICMP error was seen in ")
    rule = f"udp.port==9000,{protocol}"
    (row,) = rows("-d", rule, capture)
    assert (row["frame"], row["src"], row["sport"]) == (7, "203.0.113.1", 80)
    assert "Frame 7 of" in run("explain", "--decode-as", rule, capture).stdout


def test_the_plugin_opens_what_wireshark_decodes_as_told(tmp_path: Path) -> None:
    capture = overlay(tmp_path, "vxlan", 9000)
    told = ("-d", "udp.port==9000,vxlan", capture)
    (batch,), (plugin,) = rows(*told), rows("--from-plugin", *told)
    assert {**batch, "flow": ""} == {**plugin, "flow": ""}


def test_a_case_names_what_to_decode(tmp_path: Path) -> None:
    overlay(tmp_path, "vxlan", 9000)
    (tmp_path / "case.toml").write_text('decode_as = ["udp.port==9000,vxlan"]\n', encoding="utf-8")
    assert [row["frame"] for row in rows(tmp_path)] == [7]


def test_a_result_that_was_cached_is_of_the_same_rules(tmp_path: Path) -> None:
    overlay(tmp_path, "vxlan", 9000)
    assert run("summarize", "--format", "jsonl", tmp_path, status=1).stdout == ""
    told = run("summarize", "--format", "jsonl", "-d", "udp.port==9000,vxlan", tmp_path).stdout
    assert json.loads(told)["frame"] == 7


def test_an_export_opens_what_it_is_told_to(tmp_path: Path) -> None:
    capture = overlay(tmp_path, "geneve", 9000)
    rule = "udp.port==9000,geneve"
    assert f"-d {rule}" in run("export", "--print-command", "-d", rule, capture).stdout
    made = tmp_path / "made.tsv"
    run("export", "-d", rule, "-o", made, capture)
    assert [row["frame"] for row in rows(made)] == [7]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("udp.port==9000,nothing", 'Unknown protocol -- "nothing"'),
        ("udp.prt==9000,vxlan", "Unknown layer type -- udp.prt"),
        ("udp.port==9000", "doesn't follow the template"),
    ],
)
def test_a_rule_that_tshark_refuses_is_refused_with_its_words(tmp_path: Path, rule: str, message: str) -> None:
    result = run("summarize", "-d", rule, overlay(tmp_path, "vxlan", 9000), status=2)
    assert message in result.stderr
    assert "write LAYER==VALUE,PROTOCOL" in result.stderr


def test_other_udp_is_no_overlay(tmp_path: Path) -> None:
    texts = (b"", b"\x08", b"\x08\0\0\0\0\0\7\1" + b"x" * 60, b"\x30\xff\0\x63" + b"x" * 60, b"\0" * 90)
    packets = [
        Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:12")
        / IP(src="198.51.100.1", dst="198.51.100.2")
        / UDP(sport=33333, dport=9000 + number)
        / Raw(text)
        for number, text in enumerate(texts)
        for _ in range(4)
    ]
    for number, packet in enumerate(packets):
        packet.time = 1_700_000_000 + number
    capture = written(tmp_path / "other.pcap", packets)
    assert unopened_overlays(capture, ()) == []
    assert "There is no TCP reset" in run("explain", capture).stdout


def test_few_packets_of_a_port_make_no_overlay(tmp_path: Path) -> None:
    packets = [wrapped(packet, "vxlan", 9000) for packet in Talk().packets(ABORTED[:2])]
    assert unopened_overlays(written(tmp_path / "few.pcap", packets), ()) == []


def cut(folder: Path, snap_length: int, steps: Sequence[str] = ABORTED) -> Path:
    """A capture of an IPv6 flow that a snap length cut, as tcpdump -s writes it."""
    path = folder / "cut.pcap"
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap_length, 1))
        for packet in Talk(ipv6=True).packets(steps):
            data = bytes(packet)
            kept = data[:snap_length]
            file.write(struct.pack("<IIII", int(packet.time), 0, len(kept), len(data)) + kept)
    return path


@pytest.mark.parametrize(
    ("snap_length", "known"),
    [(54, "their flags are cut off"), (67, "their flags are cut off"), (68, "1 reset among them"), (69, "1 reset")],
)
def test_tcp_headers_of_ipv6_that_are_cut_are_counted(tmp_path: Path, snap_length: int, known: str) -> None:
    result = run("summarize", "--no-cache", cut(tmp_path, snap_length), status=1)
    assert f"the snap length of {snap_length} bytes cuts the TCP headers of 7 IPv6 segments" in result.stderr
    assert known in result.stderr
    assert "capture with a snap length of 96 or more" in result.stderr


@pytest.mark.parametrize("snap_length", [70, 74, 96])
def test_what_is_whole_enough_is_judged_and_not_counted(tmp_path: Path, snap_length: int) -> None:
    capture = cut(tmp_path, snap_length)
    assert cut_segments(capture) == []
    assert [row["frame"] for row in rows(capture)] == [7]


def test_only_problems_of_overlays_are_taken_for_them(tmp_path: Path) -> None:
    assert all(map(is_unopened_overlay, unopened_overlays(overlay(tmp_path, "vxlan", 9000), ())))
    assert not any(map(is_unopened_overlay, cut_segments(cut(tmp_path, 54))))
