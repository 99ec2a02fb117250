"""Packets read without tshark equal those of tshark, and every verdict is the same with and without the prefilter."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import lz4.frame
import polars as pl
import pytest
import zstandard
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, LLC, STP, Dot1Q, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, capture, reset
from support.decodable import decodable_rows
from support.parity import captures, export
from support.public_captures import SKIPPED
from support.random_captures import NEVER, random_capture
from support.wiresharks import Wireshark, available

from heuristics.errors import Problem
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture import spill
from postproc.capture.discovery import Source
from postproc.capture.file_type import file_type_of
from postproc.capture.packet_table import normalise
from postproc.capture.prefilter.pcap_reader import DeferredError, open_capture
from postproc.capture.reader import read_packets
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.flows.flow_table import flow_table, unpacked
from postproc.verdicts.judge_icmp import judged_errors
from postproc.verdicts.judge_resets import judged_resets
from postproc.verdicts.result_row import ResetRow

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*/*.pcap*"))
EVERY = list({path.read_bytes(): path for path in (*EXAMPLES, *captures())}.values())  # most examples are among both
MIXED = LAB / "10_server_ttl128.client.pcap"  # mostly decodable packets, and ICMP errors
SEEDS = [(seed, (NEVER, 2, 5)[seed % 3], (NEVER, 3)[seed % 2]) for seed in range(16)]
RULEBOOK, TSHARK = load(), find_tshark()


@pytest.fixture(scope="module", params=range(len(SEEDS)))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random capture."""
    seed, odd, damaged = SEEDS[request.param]
    path = tmp_path_factory.mktemp("random") / f"seed{seed}.pcap"
    path.write_bytes(random_capture(Random(seed), 150, odd, damaged))
    return path


def source(path: Path) -> Source:
    """`path` as an input."""
    return Source(path, path.name, file_type_of(path))


def judged(path: Path, **options: bool) -> CaptureResult:
    """The result of `path`."""
    return judge_source(source(path), RULEBOOK, TSHARK, **options)


def by_whole_table(path: Path) -> list[ResetRow]:
    """The rows of `path`, judged from all its packets."""
    table = read_packets(source(path), TSHARK, whole=True).table
    return [
        *(each.row for each in judged_resets(path.name, table, RULEBOOK)),
        *(each.row for each in judged_errors(path.name, table, RULEBOOK)),
    ]


@contextmanager
def one_answer() -> Iterator[None]:
    """In the block, tshark reads each whole capture only once: the tests compare what we make of its output."""
    answers: dict[Path, tuple[list[pl.DataFrame], list[Problem]]] = {}

    def read_once(path: Path, program: Tshark, problems: list[Problem], *_: object) -> Iterator[pl.DataFrame]:
        if path not in answers:
            found: list[Problem] = []
            answers[path] = list(read_capture(path, program, found)), found
        yield from answers[path][0]
        problems += answers[path][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("postproc.capture.reader.read_capture", read_once)
        yield


@contextmanager
def few_at_a_time() -> Iterator[None]:
    """In the block, flows with resets are spilled to disk, and followed one or two at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "_FLOWS_AT_ONCE", 2)
        patch.setattr(spill, "_PACKETS_AT_ONCE", 20)
        yield


def check(path: Path) -> CaptureResult:
    """The result of `path`. Every reset, flow and ICMP error is the same in all ways of reading."""
    with one_answer():
        split = judged(path)
        assert split == judged(path, prefilter=False)
        assert [each.row for each in (*split.resets, *split.errors)] == by_whole_table(path)
        with few_at_a_time():
            for prefilter in (True, False):
                found = judged(path, prefilter=prefilter)
                assert found == split
                assert unpacked(found.flows).equals(unpacked(split.flows))
        if split.readable:
            table = read_packets(source(path), TSHARK, whole=True).table
            assert unpacked(split.flows).equals(flow_table(table, RULEBOOK.thresholds, all_flows=False))
    return split


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_verdicts_are_the_same_without_the_prefilter(path: Path) -> None:
    check(path)


def test_verdicts_are_the_same_on_random_captures(made: Path) -> None:
    check(made)


def check_rows(path: Path, wireshark: Wireshark) -> int:
    """Each decodable packet's row is that of tshark, and non-IP packets have none. Returns how many are decodable."""
    try:
        decodable, deferred = decodable_rows(path)
    except DeferredError:
        return 0
    expected = normalise(export(path, wireshark)).filter(~pl.col("frame").is_in(deferred))
    if decodable.height:
        assert decodable.equals(expected)
    return decodable.height


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
def test_rows_of_random_captures_are_those_of_tshark(made: Path, wireshark: Wireshark) -> None:
    check_rows(made, wireshark)


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
@pytest.mark.parametrize("path", [*captures(), *SKIPPED], ids=lambda path: path.name)
def test_rows_of_captures_are_those_of_tshark(path: Path, wireshark: Wireshark) -> None:
    check_rows(path, wireshark)


def test_most_packets_are_decodable() -> None:
    decodable, deferred = decodable_rows(MIXED)
    assert decodable.height > 4 * len(deferred) > 0
    assert check_rows(MIXED, available()[0]) == decodable.height


@contextmanager
def no_tshark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tshark]:
    """A tshark that must not be started."""
    with monkeypatch.context() as patch:
        program = find_tshark()
        patch.setattr(Tshark, "run", lambda *_: pytest.fail("tshark was started"))
        yield program


@pytest.mark.parametrize("form", [bytes, gzip.compress, zstandard.compress, lz4.frame.compress])
def test_decodable_captures_need_no_tshark(
    form: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(form(GENUINE.read_bytes()))
    expected = judged(GENUINE, prefilter=False)
    with no_tshark(monkeypatch) as program:
        found = judge_source(Source(path, GENUINE.name, file_type_of(path)), load(), program)
    assert found == expected
    assert len(found.resets) == 3


@pytest.mark.parametrize("after", [b"\0", bytes(64), b"x", b"\x1f\x8b\x08", gzip.compress(b"", mtime=0)])
@pytest.mark.parametrize("members", [1, 3])
def test_what_follows_compressed_data_is_read_as_tshark_reads_it(after: bytes, members: int, tmp_path: Path) -> None:
    content, path = GENUINE.read_bytes(), tmp_path / "capture.pcap.gz"
    size = len(content) // members + 1
    parts = [gzip.compress(content[at : at + size]) for at in range(0, len(content), size)]
    path.write_bytes(b"".join(parts) + after)
    found = judged(path)
    assert found == judged(path, prefilter=False)
    assert bool(found.problems) == (not after.startswith(b"\x1f\x8b") or len(after) < 10)


@pytest.mark.parametrize("path", [FORGED, GENUINE, MIXED, SITUATIONS / "nat-expires-sessions.pcap"], ids=str)
def test_pcapng_is_read_like_pcap(path: Path, tmp_path: Path) -> None:
    other = tmp_path / path.name
    subprocess.run(["editcap", "-F", "pcapng", str(path), str(other)], check=True, capture_output=True)
    assert open_capture(other) is not None
    assert judged(other) == judged(path)
    assert judged(other) == judged(other, prefilter=False)


ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
V4, V6 = IP(src="192.0.2.1", dst="203.0.113.1", ttl=60), IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=60)
SYN, RST = TCP(sport=1000, dport=443, flags="S"), TCP(sport=1000, dport=443, flags="R")


def test_a_capture_without_resets_needs_no_tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = [
        ETHERNET / V4 / TCP(sport=1000, dport=443, flags="S", options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]),
        ETHERNET / V6 / TCP(sport=1000, dport=443, flags="PA", options=[("Timestamp", (1, 2))]) / Raw(b"data"),
        ETHERNET / V4 / UDP(sport=1000, dport=53) / Raw(b"query"),
        ETHERNET / V4 / ICMP(type=8),
        ETHERNET / ARP(),
        Dot3(dst="01:80:c2:00:00:00") / LLC() / STP(),
    ]
    path = capture(tmp_path / "quiet.pcap", packets)
    with no_tshark(monkeypatch) as program:
        found = judge_source(source(path), load(), program)
    assert (found.packets, found.resets, found.errors, found.problems) == (6, (), (), ())


DEFERRED: dict[str, Packet] = {
    "vlan": ETHERNET / Dot1Q(vlan=5) / V4 / RST,
    "vxlan": ETHERNET / V4 / UDP(sport=1, dport=4789) / VXLAN(vni=1) / ETHERNET / V4 / RST,
    "unknown udp": ETHERNET / V4 / UDP(sport=50000, dport=50001) / Raw(b"x" * 40),
    "ip in ip": ETHERNET / V4 / V4 / RST,
    "options": ETHERNET / IP(src="192.0.2.1", dst="203.0.113.1", options=[b"\x94\x04\0\0"]) / RST,
    "extension": ETHERNET / V6 / IPv6ExtHdrHopByHop() / RST,
    "fragment": ETHERNET / IP(src="192.0.2.1", dst="203.0.113.1", flags="MF") / RST,
    "icmp error": ETHERNET / V4 / ICMP(type=3, code=3) / V4 / SYN,
    "openflow": ETHERNET / V4 / TCP(sport=1, dport=6653, flags="PA") / Raw(b"\x01\x0a\0\x40" + b"x" * 60),
    "openflow elsewhere": ETHERNET / V4 / TCP(sport=1, dport=9, flags="PA") / Raw(b"\x01\x0a\0\x40" + b"x" * 60),
    "reset with text": reset(b"because"),
    "odd option": ETHERNET / V4 / TCP(sport=1, dport=443, options=[(30, b"\0\x01")]),
    "cut option": ETHERNET / V4 / TCP(sport=1, dport=443, dataofs=6) / Raw(b"\x08\x0a\0\0"),
    "two timestamps": ETHERNET / V4 / TCP(sport=1, dport=443, options=[("Timestamp", (1, 2))] * 2),
    "too long": ETHERNET / IP(src="192.0.2.1", dst="203.0.113.1", len=1000) / RST,
    "offloaded": ETHERNET / IP(src="192.0.2.1", dst="203.0.113.1", len=0) / RST,
    "version": ETHERNET / IP(src="192.0.2.1", dst="203.0.113.1", version=5) / RST,
    "mapped address": ETHERNET / IPv6(src="::ffff:192.0.2.1", dst="2001:db8::2") / RST,
}


@pytest.mark.parametrize("name", DEFERRED)
def test_other_packets_are_deferred_to_tshark(name: str, tmp_path: Path) -> None:
    decodable = [ETHERNET / V4 / TCP(sport=2000 + port, dport=443, flags="S") for port in range(3)]
    path = capture(tmp_path / "mixed.pcap", [*decodable[:2], DEFERRED[name], decodable[2]])
    table, deferred = decodable_rows(path)
    assert (table["frame"].to_list(), deferred) == ([1, 2, 4], [3])


def test_verdicts_are_the_same_where_packets_are_deferred(tmp_path: Path) -> None:
    decodable = [ETHERNET / V4 / TCP(sport=2000 + port, dport=443, flags="S") for port in range(len(DEFERRED) + 2)]
    check(capture(tmp_path / "all.pcap", [*decodable, *DEFERRED.values()]))
    for name in (
        "vlan",
        "fragment",
        "icmp error",
        "reset with text",
        "too long",
        "mapped address",
    ):  # by themselves too
        check(capture(tmp_path / f"{name}.pcap", [*decodable, DEFERRED[name]]))


def test_numbers_are_those_of_the_whole_file(tmp_path: Path) -> None:
    decodable = [ETHERNET / V4 / TCP(sport=2000 + port, dport=443, flags="S") for port in range(30)]
    packets = [
        *decodable[:10],
        DEFERRED["vlan"],
        *decodable[10:20],
        DEFERRED["vxlan"],
        DEFERRED["icmp error"],
        *decodable[20:],
    ]
    found = judged(capture(tmp_path / "mixed.pcap", packets))
    assert [each.row.frame for each in (*found.resets, *found.errors)] == [11, 22, 23]


@pytest.mark.parametrize("cut", [1, 17, 40])
def test_a_file_that_is_cut_short_is_deferred(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(GENUINE.read_bytes()[:-cut])
    assert "cut short" in judged(path).problems[0].reason
    check(path)


def test_the_size_of_pieces_and_spilling_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    path = MIXED
    expected = judged(path)
    monkeypatch.setattr("postproc.capture.prefilter.pcap_reader.PIECE", 700)
    monkeypatch.setattr(spill, "_IN_MEMORY", 3)
    monkeypatch.setattr("postproc.capture.tshark.tsv_reader.PIECE", 1000)
    assert judged(path) == expected
    assert judged(path, prefilter=False) == expected


def test_few_rows_represent_many(tmp_path: Path) -> None:
    many = [ETHERNET / V4 / UDP(sport=port, dport=53) / Raw(b"query") for port in range(1000, 1500)]
    path = capture(tmp_path / "many.pcap", [*many, ETHERNET / V4 / RST])
    table = read_packets(source(path), find_tshark()).table
    assert table["frame"].to_list() == [1, 500, 501]
    assert table["weight"].to_list() == [499, 1, 1]
    check(path)


def conversation(random: Random, port: int) -> list[Packet]:
    """One with the host of V4's destination; some have a wrong or repeated handshake."""
    client, server = IP(src="192.0.2.1", ttl=60), IP(src="203.0.113.1", ttl=55)
    client.dst, server.dst = server.src, client.src
    start, asked = random.random() * 1000, random.choice((5, 2**32 - 1))
    answered = (asked + random.choice((1, 1, 1, 2))) % 2**32
    syn = client / TCP(sport=port, dport=443, flags="S", seq=asked)
    answer = server / TCP(sport=443, dport=port, flags="SA", seq=9, ack=answered)
    end = client / TCP(sport=port, dport=443, flags="FA", seq=20, ack=10)
    steps = random.choice(([syn, answer, end],) * 6 + ([answer], [syn, syn, answer], [syn, answer, end, syn, answer]))
    packets = [ETHERNET / step for step in steps]
    if random.random() < 0.1:
        packets[-1] = ETHERNET / Dot1Q(vlan=5) / steps[-1]
    for packet in packets:
        start += random.choice((0.01, 0.02, 0.5)) * random.random()
        packet.time = start
    return packets


@pytest.mark.parametrize("seed", range(4))
def test_few_of_many_handshakes_give_the_round_trips(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    packets = [packet for port in range(2000, 2300) for packet in conversation(random, port)]
    reset_ = ETHERNET / IP(src="203.0.113.1", dst="192.0.2.1", ttl=50) / TCP(sport=443, dport=2000, flags="R", seq=10)
    reset_.time = 2000
    path = capture(tmp_path / "many.pcap", [*sorted(packets, key=lambda packet: packet.time), reset_])
    assert check(path).resets[0].row.rtt_us is not None
    table = read_packets(source(path), find_tshark()).table
    assert table["weight"].sum() == len(packets) + 1
    assert table.height < 0.6 * len(packets)


# Dissectors that pass their payload to dissectors of IP, Ethernet, PPP, Wi-Fi or GTP.
ENCAPSULATIONS = (
    *("gtp", "gtpprime", "vxlan", "vxlan_gpe", "geneve", "l2tp", "teredo", "tzsp", "capwap", "capwap.data", "sflow"),
    *("lisp-data", "mip", "zep", "lwapp", "lwapp-l3", "gprs-ns", "amt", "bat", "udpencap", "gre", "mpls", "openflow"),
    *("ayiya", "tapa", "wlccp", "ieee1722", "tipc", "enip", "dvb_ipdc", "gsmtap", "atmtcp", "xot", "dlsw", "uma"),
    *("mpls-echo", "mipv6", "ipvs", "adwin", "iperf3", "vines_frp", "ipx", "lisp-tcp", "infiniband"),
)


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
def test_the_ports_of_tunnels_are_known(wireshark: Wireshark) -> None:
    from postproc.capture.prefilter import encapsulation

    known = {"tcp.port": encapsulation._TCP_ENCAPSULATING, "udp.port": encapsulation._UDP_ENCAPSULATING}
    decodes = [line.split("\t") for line in wireshark.tshark("-G", "decodes").stdout.splitlines()]
    found = {(table, int(port)) for table, port, name in decodes if table in known and name in ENCAPSULATIONS}
    assert len(found) > 30
    udp_without_packet = {("udp.port", port) for port in (*encapsulation._UDP_NOT_ENCAPSULATING, 443)}
    assert not found & udp_without_packet
    assert {port for table, port in found if table == "tcp.port"} <= set(encapsulation._TCP_ENCAPSULATING) | {
        5201,
        44818,
    }
