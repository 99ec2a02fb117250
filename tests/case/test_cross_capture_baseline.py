"""A reset whose capture has no other packet of its sender is judged by other captures of the case."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from scapy.packet import Packet
from support.command_line import run
from support.flows_by_hand import CLIENT, OPEN, SERVER, START, Talk, written

DISTANCE = 5  # hops from the client, where all captures are taken, to the server
DAY_S = 86_400
WHOLE = (*OPEN, "> PA 100", "< A", "< PA 900", "> A", "> FA", "< FA", "> A")
REFUSED = ("> S", "< RA")


def at_client(packets: list[Packet], sent_from: int, names: dict[str, str] | None = None) -> list[Packet]:
    """The packets as they arrive at the client; the server is `sent_from` hops away. `names` replaces addresses."""
    for packet in packets:
        ip = packet.payload
        ip.ttl = 64 if ip.src == CLIENT else 64 - sent_from
        ip.src, ip.dst = ((names or {}).get(address, address) for address in (ip.src, ip.dst))
    return packets


def case(folder: Path, sent_from: int, names: dict[str, str] | None = None, later_s: float = 3600) -> Path:
    """One capture with a whole conversation, and a later one with only a refused SYN."""
    folder.mkdir()
    written(folder / "whole.pcap", at_client(Talk().packets(WHOLE), DISTANCE, names))
    refused = Talk(40001, 81).packets(REFUSED, START + later_s)
    written(folder / "refused.pcap", at_client(refused, sent_from, names))
    return folder


def refused(folder: Path, *more: str) -> dict[str, str]:
    """The row of the refused SYN."""
    rows = list(csv.DictReader(io.StringIO(run("summarize", folder, "--format", "csv", "-j", "1", *more).stdout)))
    assert [row["capture"] for row in rows] == ["refused.pcap"]
    return rows[0]


def test_from_another_distance_it_is_likely_forged(tmp_path: Path) -> None:
    row = refused(case(tmp_path / "case", 1))
    assert "case_gap" in row["evidence"]
    assert (row["verdict"], row["origin"], row["reason"]) == ("likely forged", "middlebox", "")
    assert row == refused(tmp_path / "case")  # from the cache
    assert row["where"] == "sent from about 1 hop away; the sender it names is about 5 hops away"
    words = "4 packets of the host in other captures came from 5 hops away"
    assert words in " ".join(run("summarize", tmp_path / "case", "-j", "1").stdout.split())


@pytest.mark.parametrize("sent_from", [DISTANCE - 3, DISTANCE + 4])
def test_a_route_may_change_by_a_few_hops_between_captures(sent_from: int, tmp_path: Path) -> None:
    row = refused(case(tmp_path / "case", sent_from))
    assert "case_gap_small" in row["evidence"]
    assert row["verdict"] == "unclear"


def test_from_there_it_is_likely_genuine(tmp_path: Path) -> None:
    row = refused(case(tmp_path / "case", DISTANCE))
    assert (row["verdict"], row["origin"]) == ("likely genuine", "endpoint")


def test_one_hop_of_difference_is_no_evidence(tmp_path: Path) -> None:
    row = refused(case(tmp_path / "case", DISTANCE - 1))
    assert (row["verdict"], "case_" in row["evidence"]) == ("unclear", False)


def test_one_capture_alone_has_no_baseline(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", 1)
    (folder / "whole.pcap").unlink()
    assert refused(folder)["verdict"] == "unclear"


def test_a_copy_of_a_capture_shows_nothing_more(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", 1)
    written(folder / "whole.pcap", at_client(Talk().packets((*OPEN, "< A")), DISTANCE))
    (folder / "copy.pcap").write_bytes((folder / "whole.pcap").read_bytes())
    assert refused(folder)["verdict"] == "unclear"


def test_a_day_later_the_route_may_be_another(tmp_path: Path) -> None:
    assert refused(case(tmp_path / "case", 1, later_s=1.1 * DAY_S))["verdict"] == "unclear"


def test_captures_of_different_places_are_not_joined(tmp_path: Path) -> None:
    folder = case(tmp_path / "case", 1)
    written(folder / "whole.pcap", at_client(Talk().packets(WHOLE), DISTANCE, {CLIENT: "198.51.100.1"}))
    assert refused(folder)["verdict"] == "unclear"
    places = "".join(f'[[point]]\nname = "{name}"\ncaptures = ["{name}.pcap"]\n' for name in ("whole", "refused"))
    (folder / "case.toml").write_text(places, encoding="utf-8")
    assert refused(folder)["verdict"] == "unclear"
    (folder / "case.toml").write_text('[[point]]\nname = "office"\ncaptures = ["*"]\n', encoding="utf-8")
    assert refused(folder)["verdict"] == "likely forged"


@pytest.mark.parametrize("private", [SERVER, CLIENT])
def test_private_addresses_are_joined_only_where_they_are_ours(tmp_path: Path, private: str) -> None:
    folder = case(tmp_path / "case", 1, {private: "10.0.0.1"})
    assert refused(folder)["verdict"] == "unclear"
    assert "1 reset without a baseline got none from other captures" in run("summarize", folder, "-j", "1").stderr
    (folder / "case.toml").write_text('networks = ["10.0.0.0/8"]\n', encoding="utf-8")
    assert refused(folder)["verdict"] == "likely forged"
    assert "no other capture" not in run("summarize", folder, "-j", "1").stderr


def test_a_rulebook_may_weigh_it_otherwise(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nid = "case_gap"\nenabled = false\n', encoding="utf-8")
    assert refused(case(tmp_path / "case", 1), "--rulebook", str(mine))["verdict"] == "unclear"


def test_conditions_ask_for_other_captures_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nid = "case_gap"\nwhen = "case_gap >= 1 and stage == \'post-syn\'"\n', encoding="utf-8")
    result = run("rules", "check", mine)
    assert result.exit_code != 0
    assert "cannot be asked for together with stage" in result.stdout + result.stderr
