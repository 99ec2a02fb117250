"""Two captures of the same traffic: what left the sender's interface, and every doubt in which nothing may be said."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from scapy.packet import Packet
from support.both_ends import AHEAD_S, OPENED, both, table
from support.case_folders import counting_tshark, reads
from support.command_line import LAB, run
from support.flows_by_hand import OPEN, SERVER, START, written

from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import TSHARK_VARIABLE, find_tshark
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import ReconcileResult

Change = Callable[[list[Packet]], list[Packet]]


def reconciled(
    folder: Path, steps: Sequence[str], forged: int, change: Change = list, complete: Sequence[str] = ()
) -> ReconcileResult:
    """What the server's capture, changed by `change`, says of the client's. A minute before and after they talk too."""
    sides: tuple[list[Packet], list[Packet]] = ([], [])
    for talk in (both(OPENED, 0, START - 60, 40001), both(steps, forged), both(OPENED, 0, START + 60, 40002)):
        for side, packets in zip(sides, talk, strict=True):
            side.extend(packets)
    tables = []
    for name, packets in (("client", sides[0]), ("server", change(sides[1]))):
        tables.append(table(written(folder / f"{name}.pcap", packets)))
    return reconcile(*tables, complete)


def evidence(result: ReconcileResult) -> list[str]:
    return [each.rule_id for each in result.evidence]


def is_server(packet: Packet) -> bool:
    return bool(packet.payload.src == SERVER)


def of_flow(packet: Packet) -> bool:
    return 40000 in (packet.payload.payload.sport, packet.payload.payload.dport)


@pytest.mark.parametrize("reset", ["< R", "< RA", "< R seq=77"])
def test_a_reset_that_never_left_was_forged(tmp_path: Path, reset: str) -> None:
    assert evidence(reconciled(tmp_path, [*OPENED, reset], 1)) == ["never_left"]


@pytest.mark.parametrize("reset", ["< R", "< RA", "< R seq=77"])
def test_a_reset_that_left_is_genuine(tmp_path: Path, reset: str) -> None:
    result = reconciled(tmp_path, [*OPENED, reset], 0)
    assert evidence(result) == ["left_sender"]
    assert result.evidence[0].peer_frame == 14  # the client's last packet comes in after it


def test_the_clocks_are_compared(tmp_path: Path) -> None:
    assert reconciled(tmp_path, [*OPENED, "< R"], 0).offset_us == pytest.approx(-AHEAD_S * 1e6, abs=10)


def test_a_genuine_reset_and_a_forged_one_are_told_apart(tmp_path: Path) -> None:
    assert evidence(reconciled(tmp_path, [*OPENED, "< RA", "< R seq=99"], 1)) == ["left_sender", "never_left"]


def test_resets_alike_of_which_fewer_left_stay_undecided(tmp_path: Path) -> None:
    def no_ids(packets: list[Packet]) -> list[Packet]:
        for number, packet in enumerate(packets):
            packet.payload.id = number * 7
        return packets

    assert evidence(reconciled(tmp_path, [*OPENED, "< R", "< R"], 1, no_ids)) == []


def test_a_copied_reset_with_another_ip_id_than_the_one_that_left_is_forged(tmp_path: Path) -> None:
    assert evidence(reconciled(tmp_path, [*OPENED, "< R", "< R"], 1)) == ["left_sender", "never_left"]


DOUBTS: dict[str, Change] = {
    "empty": lambda packets: [],
    "not of this flow": lambda packets: [each for each in packets if not of_flow(each)],
    "one direction": lambda packets: [each for each in packets if not is_server(each)],
    "lost a packet of the sender": lambda packets: [each for number, each in enumerate(packets) if number != 12],
    "ended before": lambda packets: packets[:14],
    "began after": lambda packets: packets[14:],
    "stopped just before the reset": lambda packets: [each for each in packets if each.time < packets[13].time + 0.001],
}


@pytest.mark.parametrize("change", DOUBTS.values(), ids=list(DOUBTS))
def test_a_witness_that_may_have_missed_it_says_nothing(tmp_path: Path, change: Change) -> None:
    assert evidence(reconciled(tmp_path, [*OPENED, "< R"], 1, change)) == []


@pytest.mark.parametrize(("after_s", "expected"), [(0.1, ["never_left"]), (0.085, [])])
def test_what_passes_here_after_the_reset_shows_that_the_witness_was_running(
    tmp_path: Path, after_s: float, expected: list[str]
) -> None:
    """The reset arrives 0.09 s after the start; the witness ends with the client's next SYN, 15 to 30 ms later."""
    talks = [both([*OPENED, "< R"], 1), both(["> S"], 0, START + after_s, 40001)]
    tables = [
        table(written(tmp_path / f"{name}.pcap", [packet for talk in talks for packet in talk[side]]))
        for side, name in enumerate(("client", "server"))
    ]
    assert evidence(reconcile(*tables)) == expected


def shown(**fields: int) -> Change:
    """The server's packets with other header fields."""

    def change(packets: list[Packet]) -> list[Packet]:
        for packet in filter(is_server, packets):
            for name, value in fields.items():
                header = packet.payload if name in ("ttl", "id") else packet.payload.payload
                setattr(header, name, value + (getattr(header, name) if name in ("seq", "ack") else 0))
        return packets

    return change


@pytest.mark.parametrize("change", [shown(ttl=63), shown(ttl=60)], ids=["a hop away", "at the other end"])
def test_a_capture_elsewhere_is_no_witness(tmp_path: Path, change: Change) -> None:
    assert evidence(reconciled(tmp_path, [*OPENED, "< R"], 1, change)) == []


def test_rewritten_sequence_numbers_are_no_accusation(tmp_path: Path) -> None:
    for forged in (0, 1):
        assert evidence(reconciled(tmp_path, [*OPENED, "< R"], forged, shown(seq=1_000_000))) == []


def test_rewritten_ip_ids_are_seen_through(tmp_path: Path) -> None:
    def renumbered(packets: list[Packet]) -> list[Packet]:
        for number, packet in enumerate(packets):
            packet.payload.id = 5000 + number
        return packets

    assert evidence(reconciled(tmp_path, [*OPENED, "< R"], 0, renumbered)) == ["left_sender"]
    assert evidence(reconciled(tmp_path, [*OPENED, "< R"], 1, renumbered)) == ["never_left"]


def test_segments_that_the_card_cuts_are_the_same_bytes(tmp_path: Path) -> None:
    """At the sender one packet of 3000 bytes, on the wire three."""
    cut = [*OPEN, "> PA 100", "< A", "< A 1000", "< A 1000", "< PA 1000", "> A", "< R"]

    def joined(packets: list[Packet]) -> list[Packet]:
        pieces = [each for each in packets if is_server(each) and len(each.payload.payload.payload) == 1000]
        of_flow = [each for each in pieces if each.payload.payload.dport == 40000]
        whole = of_flow[0]
        whole.payload.payload.payload.load = b"x" * 3000
        return [each for each in packets if each not in of_flow[1:]]

    assert evidence(reconciled(tmp_path, cut, 0, joined)) == ["left_sender"]
    assert evidence(reconciled(tmp_path, cut, 1, joined)) == ["never_left"]


def test_a_refused_syn_needs_a_witness_known_to_be_complete(tmp_path: Path) -> None:
    def nothing_of_it(packets: list[Packet]) -> list[Packet]:
        return [each for each in packets if not of_flow(each)]

    refused = ["> S", "< RA"]
    assert evidence(reconciled(tmp_path, refused, 1, nothing_of_it)) == []
    assert evidence(reconciled(tmp_path, refused, 1, nothing_of_it, complete=[SERVER])) == ["never_left"]
    assert evidence(reconciled(tmp_path, refused, 0)) == ["left_sender"]


def test_two_captures_at_one_place_are_no_witnesses_for_each_other(tmp_path: Path) -> None:
    _, server = both([*OPENED, "< R"], 0)
    path, less = written(tmp_path / "a.pcap", server), written(tmp_path / "b.pcap", server[:-1])
    assert evidence(reconcile(table(path), table(less))) == []


LABELLED = ("03_reject_midstream_r1", "06b_benign_keepalive", "09_path_change", "10_server_ttl128")


@pytest.mark.parametrize("name", LABELLED)
def test_on_labelled_pairs_nothing_is_wrong(name: str) -> None:
    tables = {
        side: read_packets(Source(LAB / f"{name}.{side}.pcap", name, FileType.CAPTURE), find_tshark(), whole=True).table
        for side in ("client", "server")
    }
    right = 0
    for side, other in (("client", "server"), ("server", "client")):
        truth = json.loads((LAB / f"{name}.{side}.labels.json").read_text(encoding="utf-8"))
        said_of = {"middlebox": "never_left", "endpoint": "left_sender"}
        expected = {event["frame"]: said_of[event["origin"]] for event in truth["events"]}
        found = {each.frame: each.rule_id for each in reconcile(tables[side], tables[other]).evidence}
        assert found == {frame: expected[frame] for frame in found}
        right += len(found)
    assert right > 0


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A case of the two ends of a mid-stream reject."""
    case = tmp_path / "case"
    case.mkdir()
    for side in ("client", "server"):
        shutil.copy(LAB / f"03_reject_midstream_r1.{side}.pcap", case)
    return case


def test_summarize_weighs_what_witnesses_say(pair: Path) -> None:
    def rows(*more: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(run("summarize", pair, "-j", "1", "--format", "csv", *more).stdout)))

    alone, together = rows("--no-reconcile"), rows()
    assert not any("never_left" in row["evidence"] for row in alone)
    never_left = [row for row in together if "never_left" in row["evidence"]]
    assert {(row["verdict"], row["origin"], row["suspicion"]) for row in never_left} == {("forged", "middlebox", "100")}
    left = [row for row in together if "left_sender" in row["evidence"]]
    assert {(row["verdict"], row["suspicion"]) for row in left} == {("genuine", "0")}
    assert len(never_left) > 0 < len(left)
    assert rows() == together  # from the cache


def test_a_witness_that_clears_takes_back_where_it_was_sent_from(pair: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("summarize", pair, "-j", "1", "--format", "csv").stdout)))
    assert rows
    for row in rows:
        assert bool(row["where"]) == (row["origin"] == "middlebox"), row


def test_what_could_not_be_compared_is_said_and_compared_the_next_time(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = counting_tshark(tmp_path / "bin")
    monkeypatch.setenv(TSHARK_VARIABLE, str(counting))
    run("summarize", pair, "-j", "1", "--no-reconcile")  # kept, so that only the comparison has to read
    counting.write_text(counting.read_text().replace("exec", 'case "$*" in *-r*) exit 2 ;; esac\nexec'))
    os.utime(counting, ns=(0, 0))
    broken = run("summarize", pair, "-j", "1", "--format", "csv")
    assert broken.exit_code == 1
    assert broken.stderr.count("1 pair of captures could not be compared: tshark cannot read it") == 2
    assert "never_left" not in broken.stdout
    counting_tshark(tmp_path / "bin")
    assert "never_left" in run("summarize", pair, "-j", "1", "--format", "csv").stdout


def test_however_many_witnesses_a_capture_is_read_once_for_all(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in list(pair.iterdir()):
        shutil.copy(path, pair / f"another-{path.name}")
    counting = counting_tshark(tmp_path / "bin")
    monkeypatch.setenv(TSHARK_VARIABLE, str(counting))
    run("summarize", pair, "-j", "1", "--no-reconcile", "--no-cache")
    once = reads(counting)
    assert "never_left" in run("summarize", pair, "-j", "1", "--no-cache", "--format", "csv").stdout
    assert reads(counting) == once + once + 4  # judged again, and each of the four whole


def test_a_rulebook_may_weigh_them_otherwise(pair: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[rule]]\nid = "never_left"\nenabled = false\n', encoding="utf-8")
    assert "never_left" not in run("summarize", pair, "-j", "1", "--rulebook", mine, "--format", "csv").stdout


def test_reconcile_lists_the_findings(pair: Path) -> None:
    found = json.loads(run("reconcile", pair, "-j", "1", "--format", "json").stdout)
    assert {row["evidence"] for row in found} == {"never_left", "left_sender"}
    first = found[0]
    assert first["capture"] == "03_reject_midstream_r1.client.pcap"
    assert first["witness"] == "03_reject_midstream_r1.server.pcap"
    assert abs(first["clock_offset_us"]) < 1000
    for format_ in ("table", "markdown", "csv", "jsonl"):
        assert str(first["frame"]) in run("reconcile", pair, "-j", "1", "--format", format_).stdout


def test_reconcile_needs_two_captures(pair: Path) -> None:
    result = run("reconcile", pair / "03_reject_midstream_r1.client.pcap")
    assert result.exit_code == 2
    assert "at least two captures" in result.stderr


def test_a_case_file_names_the_witness(tmp_path: Path) -> None:
    for side in ("client", "server"):
        shutil.copy(LAB / f"02_reject_syn_r1.{side}.pcap", tmp_path)
    assert "never_left" not in run("summarize", tmp_path, "-j", "1", "--format", "csv").stdout
    point = '[[point]]\nname = "server"\ncaptures = ["*.server.pcap"]\nhosts = ["203.0.113.2"]\ncomplete = true\n'
    (tmp_path / "case.toml").write_text(point, encoding="utf-8")
    rows = csv.DictReader(io.StringIO(run("summarize", tmp_path, "-j", "1", "--format", "csv").stdout))
    accused = [row for row in rows if "never_left" in row["evidence"]]
    assert {row["dport"] for row in accused} != set()
    assert {row["src"] for row in accused} == {"203.0.113.2"}
