"""Whatever product writes the log: the same sessions, compared with the same packets, give the same answer."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.command_line import run
from support.session_logs import CAPTURE, CONNTRACK_LOG, EXAMPLE, FORGED_PORT, WRITERS, sessions

from postproc.session_log.column_map import known_formats, load_map
from postproc.session_log.recognise import recognised

# What a format cannot say: Zeek and AWS have no word for a timeout, AWS none for FINs of both directions.
SILENT = {"AWS VPC": {"fin", "timeout"}, "Zeek": {"timeout"}, "Zeek, JSON": {"timeout"}, "Suricata": {"timeout"}}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case folder, whose cache makes every run but the first fast."""
    folder = tmp_path_factory.mktemp("case")
    (folder / "client.pcap").write_bytes(CAPTURE.read_bytes())
    return folder


def compared(case: Path, log: Path, *options: str) -> dict[str, Any]:
    """What `reconcile --log --format json` says."""
    result = run("reconcile", "--log", log, *options, "--format", "json", case)
    assert result.exit_code == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


@cache
def truth() -> dict[tuple[str, int], str]:
    """How each session ended as the firewall logged it, by its client's address and port."""
    return {(each.src, each.sport): each.ended for each in sessions()}


def test_every_known_format_is_tested() -> None:
    assert {name for name, _ in WRITERS.values()} | {"linux-conntrack"} == set(known_formats())


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_answer_in_every_format(name: str, case: Path, tmp_path: Path) -> None:
    format_name, write = WRITERS[name]
    log = tmp_path / "sessions.log"
    log.write_text("\n".join(write(sessions())) + "\n", encoding="utf-8")
    assert recognised(log) == load_map(format_name)
    content = compared(case, log)
    rows = content["rows"]
    assert content["not_understood"]["lines"] == 0
    assert content["without_packets"] == {}
    ends = [((row["src"], row["sport"]) if row["dport"] < row["sport"] else (row["dst"], row["dport"])) for row in rows]
    assert set(ends) == truth().keys()
    for (address, port), row in zip(ends, rows, strict=True):
        ended = truth()[address, port]
        forged = ended == "server" and FORGED_PORT in (row["sport"], row["dport"])
        if row["log_says"] == "nothing":
            assert ended in SILENT.get(name, set()) or name == "AWS VPC"
            assert row["result"] == "not decidable"
        else:
            assert ended not in SILENT.get(name, set())
            assert row["result"] == ("contradicted" if forged else "confirmed"), row
    assert sum(row["result"] == "contradicted" for row in rows) == 4
    (clock,) = content["clocks"].values()
    assert abs(clock["offset_us"]) <= 1_500_000


def test_the_log_of_the_firewall_itself(case: Path) -> None:
    own_map = EXAMPLE / "conntrack.toml"
    content = compared(case, CONNTRACK_LOG, "--log-format", str(own_map))
    assert content["by_result"] == {"confirmed": 14, "contradicted": 4, "not decidable": 0}
    assert {row["dport"] for row in content["rows"] if row["result"] == "contradicted"} == {FORGED_PORT}
    plain = compared(case, CONNTRACK_LOG)
    assert plain["format"] == load_map("linux-conntrack").title
    assert plain["by_result"]["contradicted"] == 0  # conntrack says that there was a reset, and not by whom


def test_beyond_the_translation_the_translated_addresses_match() -> None:
    log = ("--log", CONNTRACK_LOG, "--log-format", EXAMPLE / "conntrack.toml")
    result = run("reconcile", *log, "--format", "json", "--no-cache", EXAMPLE / "server.pcap")
    content = json.loads(result.stdout)
    assert content["by_result"] == {"confirmed": 14, "contradicted": 4, "not decidable": 0}
    assert {row["translated"] for row in content["rows"] if ":" not in row["src"]} == {True}
    assert {row["translated"] for row in content["rows"] if ":" in row["src"]} == {False}


def test_asa_has_the_translated_addresses_where_a_session_begins(case: Path, tmp_path: Path) -> None:
    log = tmp_path / "asa.log"
    lines = WRITERS["Cisco ASA"][1](sessions())
    ends = [line for line in lines if "302014" in line]
    begins = [line for line in lines if "302013" in line]
    outside = ("--format", "json", "--no-cache", EXAMPLE / "server.pcap")
    log.write_text("\n".join([*begins, *ends]), encoding="utf-8")
    content = json.loads(run("reconcile", "--log", log, *outside).stdout)
    assert content["by_result"] == {"confirmed": 14, "contradicted": 4, "not decidable": 0}
    assert content["sessions"] == len(ends) == 18
    assert {row["translated"] for row in content["rows"] if ":" not in row["src"]} == {True}
    log.write_text("\n".join(ends), encoding="utf-8")
    alone = json.loads(run("reconcile", "--log", log, *outside).stdout)
    assert sum(alone["by_result"].values()) < 18
    log.write_text("\n".join([*ends, *begins]), encoding="utf-8")  # what begins later is another session
    late = json.loads(run("reconcile", "--log", log, *outside).stdout)
    assert late["by_result"] == alone["by_result"]


def test_a_beginning_may_be_far_before_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("postproc.session_log.text_lines._BLOCK", 700)
    log = tmp_path / "asa.log"
    lines = WRITERS["Cisco ASA"][1](sessions())
    log.write_text("\n".join(sorted(lines, key=lambda line: "302014" in line)), encoding="utf-8")
    result = run("reconcile", "--log", log, "--format", "json", "--no-cache", EXAMPLE / "server.pcap")
    content = json.loads(result.stdout)
    assert content["by_result"] == {"confirmed": 14, "contradicted": 4, "not decidable": 0}


def test_a_log_may_come_through_a_pipe(case: Path, tmp_path: Path) -> None:
    log = tmp_path / "sessions.log"
    log.write_text("\n".join(WRITERS["Zeek"][1](sessions())) + "\n", encoding="utf-8")
    arguments = ("reconcile", "--format", "csv", case, "--log")
    piped = run(*arguments, "-", input=log.read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert piped.stdout == run(*arguments, log).stdout
    assert "Log: stdin (Zeek" in run("reconcile", case, "--log", "-", input=log.read_bytes()).stdout
    refused = run("reconcile", case, "--log", "-", input=b"nothing of the kind\n")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("stdin: no known format of session logs")
    assert run("reconcile", "-", "--log", "-", input=b"").exit_code == 2


@pytest.mark.parametrize("minutes", [120, -330, 0.8])
def test_a_clock_that_differs_is_found_and_reported(minutes: float, case: Path, tmp_path: Path) -> None:
    ahead = timedelta(minutes=minutes)
    log = tmp_path / "sessions.log"
    log.write_text("\n".join(WRITERS["PAN-OS, CSV"][1](sessions(ahead))), encoding="utf-8")
    content = compared(case, log)
    (clock,) = content["clocks"].values()
    assert abs(clock["offset_us"] - ahead / timedelta(microseconds=1)) <= 1_500_000
    assert content["by_result"]["contradicted"] == 4
    shown = run("reconcile", "--log", log, case).stdout
    assert ("a wrong time zone? --log-timezone sets it" in shown) == (abs(ahead) > timedelta(minutes=30))


def test_the_time_zone_can_be_given(case: Path, tmp_path: Path) -> None:
    log = tmp_path / "sessions.log"
    log.write_text("\n".join(WRITERS["PAN-OS, CSV"][1](sessions(timedelta(hours=1)))), encoding="utf-8")
    for zone in ("Europe/Berlin", "+01:00"):  # winter
        content = compared(case, log, "--log-timezone", zone)
        (clock,) = content["clocks"].values()
        assert abs(clock["offset_us"]) <= 1_500_000
