"""Cross-flow correlation of resets: IP-ID runs, shared origins, and MAC addresses on the link."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import frames
from support.frames import Record

from heuristics.protocol.netscaler_codes import NETSCALER_CODES, netscaler_meaning
from heuristics.protocol.reset_payload import payload_kind
from heuristics.protocol.tshark_fields import ACK, RST, SYN
from heuristics.rulebook.model import load
from postproc.batch.job import judge_source
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.tshark.program import find_tshark
from postproc.verdicts.result_row import ResetRow

CLIENT = b"\xc6\x12\0\x01"
ROUTER, STRANGER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x66"


@dataclass(frozen=True)
class Server:
    """An address, and the hop limit and source MAC of its own packets at the capture point."""

    address: bytes
    hop_limit: int
    mac: bytes = ROUTER


def server(first: int, second: int, hop_limit: int, mac: bytes = ROUTER) -> Server:
    """A server in the network FIRST.SECOND/16."""
    return Server(bytes([first, second, 1, 7]), hop_limit, mac)


SCATTERED = [server(198, 51, 55), server(203, 0, 52), server(192, 0, 49), server(198, 19, 46)]


class Capture:
    """A client's view: frames a millisecond apart."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, source: Server | None, target: Server | None, segment: bytes, **shape: int) -> None:
        """One packet; None is the client."""
        ends = [end.address if end else CLIENT for end in (source, target)]
        hop_limit = shape.get("hop_limit", source.hop_limit if source else 64)
        packet = frames.ipv4(*ends, frames.TCP, segment, ttl=hop_limit, identification=shape.get("ip_id", 0), df=True)
        mac = source.mac if source else b"\x02\0\0\0\0\x09"
        if shape.get("stranger"):
            mac = STRANGER
        data = frames.link_frame(frames.ETHERNET, packet, source=mac)
        self.records.append(Record(1_700_000_000_000_000_000 + len(self.records) * 1_000_000, data, len(data)))

    def answers(self, at: Server, port: int = 80) -> None:
        """The server accepts three connections: its baseline."""
        for number in range(3):
            self.add(None, at, frames.tcp(2000 + number, port, 100, 0, SYN, 1000))
            self.add(at, None, frames.tcp(port, 2000 + number, 300, 101, SYN | ACK, 1000))

    def refused(self, at: Server, port: int = 23, **shape: int) -> None:
        """A reset in the server's name answers a SYN."""
        self.add(None, at, frames.tcp(3000, port, 100, 0, SYN, 1000))
        self.add(at, None, frames.tcp(port, 3000, 0, 101, RST | ACK, 0), **shape)

    def judged(self, folder: Path) -> list[ResetRow]:
        """The resets, judged."""
        path = folder / "made.pcap"
        path.write_bytes(frames.pcap(self.records, frames.ETHERNET))
        judged = judge_source(Source(path, path.name, FileType.CAPTURE), load(), find_tshark())
        assert not judged.problems
        return [reset.row for reset in judged.resets]


def test_a_place_that_resets_for_many_is_known_for_those_without_a_baseline(tmp_path: Path) -> None:
    capture = Capture()
    for each in SCATTERED:
        capture.answers(each)
        capture.refused(each, hop_limit=62)
    capture.refused(server(100, 128, 40), hop_limit=62)  # no other packet of it
    *known, unseen = capture.judged(tmp_path)
    assert all("same_place" in row.evidence for row in known)
    assert {row.verdict for row in known} == {"forged"}
    assert "same_place_unseen" in unseen.evidence
    assert (unseen.verdict, unseen.origin) == ("likely forged", "middlebox")
    assert unseen.where == "sent from about 2 hops away; the capture does not show how far away the sender it names is"


def test_one_honest_host_at_the_place_takes_it_back(tmp_path: Path) -> None:
    capture = Capture()
    for each in SCATTERED:
        capture.answers(each)
        capture.refused(each, hop_limit=62)
    neighbour = server(192, 88, 62)
    capture.answers(neighbour)
    capture.refused(neighbour)
    capture.refused(server(100, 128, 62))
    rows = capture.judged(tmp_path)
    assert not any(id_.startswith("same_place") for row in rows for id_ in row.evidence)
    assert [row.verdict for row in rows[-2:]] == ["likely genuine", "unclear"]


def test_unrelated_senders_that_only_refuse_from_one_place(tmp_path: Path) -> None:
    capture = Capture()
    for number in range(40):
        capture.refused(server(20 + number, number, 60))
    assert {row.verdict for row in capture.judged(tmp_path)} == {"likely forged"}


@pytest.mark.parametrize(("hosts", "hop_limits"), [(120, 10), (12, 1)])
def test_a_scan_of_many_networks_accuses_nobody(hosts: int, hop_limits: int, tmp_path: Path) -> None:
    """Refusals of an internet scan come from everywhere, those of a cloud scan from equal distances."""
    capture = Capture()
    for number in range(hosts):
        capture.refused(server(20 + number, number, 54 - number % hop_limits))
    assert {row.verdict for row in capture.judged(tmp_path)} == {"unclear"}


@pytest.mark.parametrize("first", [10, 198])
def test_a_scan_of_one_network_accuses_nobody(first: int, tmp_path: Path) -> None:
    capture = Capture()
    for number in range(40):
        address = bytes([10, number, 1, 7]) if first == 10 else bytes([198, 51, 100, number + 1])
        capture.refused(Server(address, 60))
    assert {row.verdict for row in capture.judged(tmp_path)} == {"unclear"}


def test_one_counter_for_three_senders(tmp_path: Path) -> None:
    capture = Capture()
    for number, each in enumerate(SCATTERED):
        capture.answers(each)
        capture.refused(each, hop_limit=57, ip_id=(65534 + 2 * number) % 65536 or 1)  # wraps
    rows = capture.judged(tmp_path)
    assert len(rows) == len(SCATTERED)
    for row in rows:
        assert "shared_counter" in row.evidence
        assert row.verdict in ("likely forged", "forged")


def test_one_host_in_several_networks_has_one_counter(tmp_path: Path) -> None:
    capture = Capture()
    for number, network in enumerate(((192, 0, 2), (198, 51, 100), (203, 0, 113))):
        at = Server(bytes([*network, 1]), 60)
        capture.answers(at)
        capture.refused(at, ip_id=500 + number)
    rows = capture.judged(tmp_path)
    assert len(rows) == 3
    for row in rows:
        assert "shared_counter_here" in row.evidence
        assert "forged" not in row.verdict


def test_one_host_with_several_addresses_has_one_counter(tmp_path: Path) -> None:
    capture = Capture()
    for number in range(5):
        at = Server(bytes([198, 51, 100, number + 1]), 60)
        capture.refused(at, ip_id=500 + number)
    rows = capture.judged(tmp_path)
    assert not any("shared_counter" in row.evidence for row in rows)
    assert {row.verdict for row in rows} == {"unclear"}


def test_own_name_from_a_strangers_mac(tmp_path: Path) -> None:
    """A new MAC alone accuses nobody: a team of interfaces sends from several MACs."""
    neighbour = Server(bytes([198, 18, 0, 2]), 64, b"\x02\0\0\0\0\x05")
    capture = Capture()
    capture.answers(neighbour)
    capture.refused(neighbour)
    capture.refused(neighbour, port=24, stranger=True)
    own, strange = capture.judged(tmp_path)
    assert "own_name" not in own.evidence
    assert own.verdict in ("unclear", "likely genuine")
    assert "own_name" in strange.evidence
    assert strange.verdict == "unclear"


def test_another_mac_behind_a_router_is_not_enough(tmp_path: Path) -> None:
    """A second router on the link looks the same."""
    capture = Capture()
    for each in SCATTERED:
        capture.answers(each)
    capture.refused(SCATTERED[0], stranger=True)
    (row,) = capture.judged(tmp_path)
    assert "new_mac" in row.evidence
    assert row.verdict in ("unclear", "likely genuine")


@pytest.mark.parametrize(
    ("shown", "length", "kind"),
    [
        (None, 0, "none"),
        (None, 4, "binary"),
        ("closed by peer", 14, "text"),
        (r"line\n", 5, "text"),
        ("BIG-IP: [0x1f:1] x", 18, "bigip"),
        ("\x01\x02\x03\x04\x05\x06\x07\\b\\t", 10, "henan"),
        (r"\001\002\003\004\005\006\a\b\t", 10, "henan"),
        (r"\x01\x02\x03\x04\x05\x06\a\b\t", 10, "henan"),
        (r"\x01\x02\x03\x04\x05\x06\a\b\t", 9, "binary"),
        ("\x1909�\x01\x02", 6, "diagnostic"),
        ("3�", 8, "diagnostic"),
        ("3�", 7, "binary"),
        ("3�x", 8, "diagnostic"),
        ("3x", 8, "text"),
        ("�abc", 4, "binary"),
    ],
)
def test_payload_kinds(shown: str | None, length: int, kind: str) -> None:
    assert payload_kind(shown, length) == kind


def test_bytes_tell_what_tshark_shows_alike() -> None:
    assert payload_kind("3�", 8, bytes.fromhex("33aa000800000000")) == "diagnostic"
    assert payload_kind("3�", 8, bytes.fromhex("33ff000800000000")) == "binary"


def test_every_netscaler_code_once() -> None:
    def codes() -> Iterable[int]:
        return (code for first, last, _ in NETSCALER_CODES for code in range(first, last + 1))

    assert len(set(codes())) == len(list(codes()))
    assert netscaler_meaning(9811) == "SSL handshake failed (fatal alert sent)"
    assert netscaler_meaning(8192) is None
