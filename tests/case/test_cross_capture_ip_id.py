"""An IP-ID run across the captures of a case shows a device that resets for several senders."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from scapy.packet import Packet
from support.command_line import run
from support.flows_by_hand import CLIENT, SERVER, START, Talk, written

NAMES = ("203.0.113.1", "198.51.100.1", "198.51.100.2")
HOUR_S = 3600


def refused(name: str, ip_id: int, start: float, client: str = CLIENT) -> list[Packet]:
    """A SYN to `name` that is refused from one hop away, captured at the client's own interface."""
    packets = Talk().packets(("> S", "< RA"), start)
    for packet in packets:
        ip = packet.payload
        ip.src, ip.dst = ({CLIENT: client, SERVER: name}[address] for address in (ip.src, ip.dst))
        ip.ttl = 64 if ip.src == client else 63
    packets[-1].payload.id = ip_id
    return packets


def case(
    folder: Path, ip_ids: Sequence[int], names: Sequence[str] = NAMES, clients: Mapping[int, str] | None = None
) -> Path:
    """One capture an hour, each with one refused SYN."""
    folder.mkdir()
    for number, (name, ip_id) in enumerate(zip(names, ip_ids, strict=True)):
        client = (clients or {}).get(number, CLIENT)
        written(folder / f"{number}.pcap", refused(name, ip_id, START + number * HOUR_S, client))
    return folder


def judged(folder: Path, *more: str) -> list[tuple[str, bool]]:
    """For every reset, its verdict, and whether the run across captures is among its evidence."""
    rows = csv.DictReader(io.StringIO(run("summarize", folder, "--format", "csv", "-j", "1", *more).stdout))
    return [(row["verdict"], "case_counter" in row["evidence"].split(";")) for row in rows]


UNCLEAR, ACCUSED = [("unclear", False)] * 3, [("likely forged", True)] * 3


def test_one_counter_for_senders_from_everywhere(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", (65534, 1, 5))  # across the wrap
    assert judged(folder) == ACCUSED
    assert judged(folder) == ACCUSED  # from the cache
    assert judged(folder, "--no-reconcile") == UNCLEAR
    words = "the IP ID is in one sequence with resets of other captures, in the names of 3 senders"
    assert words in " ".join(run("summarize", folder, "-j", "1").stdout.split())


@pytest.mark.parametrize("ip_ids", [(1000, 2000, 3000), (1000, 1009, 1018), (1005, 1003, 1001), (0, 0, 0)])
def test_other_ip_ids_are_no_run(ip_ids: tuple[int, ...], tmp_path: Path) -> None:
    assert judged(case(tmp_path / "case", ip_ids)) == UNCLEAR


def test_one_network_may_be_one_host(tmp_path: Path) -> None:
    names = ("198.51.100.1", "198.51.100.2", "198.51.100.3")
    assert judged(case(tmp_path / "case", (1001, 1002, 1003), names)) == UNCLEAR


def test_one_sender_again_and_again_is_no_company(tmp_path: Path) -> None:
    assert judged(case(tmp_path / "case", (1001, 1002, 1003), (SERVER,) * 3)) == UNCLEAR


def test_private_names_may_be_other_hosts(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", (1001, 1002, 1003), ("203.0.113.1", "198.51.100.1", "10.0.0.1"))
    assert judged(folder) == UNCLEAR


def test_captures_of_another_place_do_not_count(tmp_path: Path) -> None:
    assert judged(case(tmp_path / "case", (1001, 1002, 1003), clients={2: "192.0.2.77"})) == UNCLEAR
    (tmp_path / "case" / "case.toml").write_text('[[point]]\nname = "gate"\ncaptures = ["*"]\n')
    assert judged(tmp_path / "case") == ACCUSED


def test_two_points_are_two_places_whatever_lies_between(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", (1001, 1002, 1003))
    points = "".join(f'[[point]]\nname = "{name}"\ncaptures = ["{name}.pcap"]\n' for name in "02")
    (folder / "case.toml").write_text(points)
    assert judged(folder) == UNCLEAR


def test_only_what_stands_alone_in_its_capture_is_weighed_anew(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", (1001, 1002, 1003))
    both = [each for n in (0, 1) for each in refused(NAMES[n], 1001 + n, START + n * HOUR_S)]
    (folder / "0.pcap").unlink()
    written(folder / "1.pcap", both)
    assert judged(folder) == [("unclear", False), ("unclear", False), ("likely forged", True)]


@pytest.mark.parametrize(("start", "expected"), [(START, ACCUSED), (0.0, UNCLEAR)])
def test_names_of_files_do_not_decide(start: float, expected: list[tuple[str, bool]], tmp_path: Path) -> None:
    """Resets with equal times are ordered by their IP IDs. Without times, their order is unknown."""
    (tmp_path / "case").mkdir()
    for name, file, ip_id in zip(NAMES, "bca", (1001, 1002, 1003), strict=True):
        packets = refused(name, ip_id, start)
        for packet in packets:
            packet.time = start
        written(tmp_path / "case" / f"{file}.pcap", packets)
    assert judged(tmp_path / "case") == expected


def test_in_one_capture_the_rule_for_captures_is_not_needed(tmp_path: Path) -> None:
    packets = [each for n, name in enumerate(NAMES) for each in refused(name, 10 + n, START + (n - 9) * HOUR_S)]
    assert judged(written(tmp_path / "one.pcap", packets)) == [("likely forged", False)] * 3
    folder = case(tmp_path / "case", (13, 14, 15))
    written(folder / "one.pcap", packets)
    accused = [("likely forged", False)] * 3
    assert sorted(judged(folder)) == sorted([*ACCUSED, *accused])
