"""Options that choose resets and ICMP errors: what is chosen is the same in every format, and the rest is counted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, capture, reset, rows, run

from postproc.report.selection import Selection

ICMP = LAB / "04_icmp.client.pcap"  # 32 ICMP errors, no reset
INPUTS = (FORGED, SITUATIONS / "backscatter.pcap", ICMP)  # four verdicts
FLOW = "ip.addr == 192.0.2.11 && ip.addr == 203.0.113.21 && tcp.port == 48378 && tcp.port == 443"
UDP_PROBE = "ip.addr == 192.0.2.2 && ip.addr == 203.0.113.9 && udp.port == 35951 && udp.port == 5021"
Wanted = Callable[[dict[str, str]], bool]

SELECTIONS: dict[str, tuple[tuple[str, ...], Wanted]] = {
    "one verdict": (("--only", "forged"), lambda row: row["verdict"] == "forged"),
    "two verdicts": (
        ("--only", "forged,likely-genuine"),
        lambda row: row["verdict"] in ("forged", "likely genuine"),
    ),
    "as in the column": (("--only", "likely genuine"), lambda row: row["verdict"] == "likely genuine"),
    "an option twice": (
        ("--only", "Genuine", "--only", "forged"),
        lambda row: row["verdict"] in ("forged", "genuine"),
    ),
    "resets": (("--kind", "rst"), lambda row: row["kind"] == "rst"),
    "ICMP errors": (("--kind", "icmp"), lambda row: row["kind"] == "icmp"),
    "an address": (("--host", "192.0.2.11"), lambda row: "192.0.2.11" in (row["src"], row["dst"])),
    "two addresses": (
        ("--host", "192.0.2.11,2001:0db8:45::2"),
        lambda row: bool({"192.0.2.11", "2001:db8:45::2"} & {row["src"], row["dst"]}),
    ),
    "a network": (("--host", "2001:db8:45::/48"), lambda row: row["src"].startswith("2001:db8:45:")),
    "the target of a probe": (("--host", "203.0.113.9"), lambda row: row["flow"] == UDP_PROBE),
    "a port": (("--port", "443"), lambda row: "443" in (row["sport"], row["dport"])),
    "ports": (
        ("--port", "443,5010-5020"),
        lambda row: "443" in (row["sport"], row["dport"]) or row["dport"] in ("5010", "5011", "5020"),
    ),
    "a flow": (("--flow", "192.0.2.11:48378-203.0.113.21:443"), lambda row: row["flow"].startswith(FLOW)),
    "its other direction": (
        ("--flow", "203.0.113.21:443 - 192.0.2.11:48378"),
        lambda row: row["flow"].startswith(FLOW),
    ),
    "a display filter": (("--flow", FLOW), lambda row: row["flow"].startswith(FLOW)),
    "a flow that ICMP errors quote": (
        ("--flow", "203.0.113.9:5021-192.0.2.2:35951"),
        lambda row: row["flow"] == UDP_PROBE,
    ),
    "a flow of IPv6": (
        ("--flow", "[2001:db8:1::2]:47896-[2001:0db8:5::2]:5011"),
        lambda row: row["sport"] == "47896",
    ),
    "since": (("--since", "2026-11-21T00:39:51.487291"), lambda row: float(row["time"]) >= 1795221591.487291),
    "until": (("--until", "1795221591.487291"), lambda row: float(row["time"]) < 1795221591.487291),
    "a time in another zone": (
        ("--since", "2026-11-21T01:39:51.487291+01:00"),
        lambda row: float(row["time"]) >= 1795221591.487291,
    ),
    "all conditions hold": (
        ("--kind", "icmp", "--port", "5020", "--host", "2001:db8::/32"),
        lambda row: row["dport"] == "5020" and ":" in row["src"],
    ),
    "nothing": (("--only", "forged", "--kind", "icmp"), lambda row: False),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_what_is_selected(name: str) -> None:
    options, wanted = SELECTIONS[name]
    everything = rows(*INPUTS)
    expected = [row for row in everything if wanted(row)]
    assert bool(expected) is (name != "nothing")
    assert len(expected) < len(everything)
    result = run("summarize", *INPUTS, "--format", "csv", *options)
    assert list(csv.DictReader(io.StringIO(result.stdout))) == expected
    assert result.stderr.endswith(f"; {len(everything) - len(expected)} left out.\n")
    assert result.exit_code == 0


def test_every_option_takes_part() -> None:
    given = {option.removeprefix("--") for options, _ in SELECTIONS.values() for option in options[::2]}
    assert given == set(Selection.__dataclass_fields__)


def test_every_format_selects_and_says_so() -> None:
    options = (*INPUTS, "--only", "forged")
    resets = [row for row in rows(*INPUTS) if row["kind"] == "rst"]
    forged = [int(row["frame"]) for row in resets if row["verdict"] == "forged"]
    others = len(resets) - len(forged) + 32
    said = f"Selected by --only forged: {len(forged)} of {len(resets)} resets, 0 of 32 ICMP errors; {others} left out."
    table = run("summarize", *options)
    assert said in " ".join(table.stdout.split())
    assert f"{len(forged)} reset, 0 ICMP errors" in table.stdout
    assert table.stderr == ""
    assert said in run("summarize", *options, "--format", "markdown").stdout
    for format_ in ("csv", "jsonl"):
        result = run("summarize", *options, "--format", format_)
        assert len(result.stdout.splitlines()) == len(forged) + (format_ == "csv")
        assert result.stderr == f"{said}\n"
    content = json.loads(run("summarize", *options, "--format", "json").stdout)
    assert [row["frame"] for row in content["resets"]] == forged
    assert content["icmp_errors"] == []
    counts = {"resets": len(forged), "of_resets": len(resets), "icmp_errors": 0, "of_icmp_errors": 32}
    assert content["selection"] == {"conditions": {"only": ["forged"]}, **counts}
    assert json.loads(run("summarize", GENUINE, "--format", "json").stdout)["selection"] is None


def test_the_tables_hold_what_is_selected(tmp_path: Path) -> None:
    assert run("summarize", *INPUTS, "--only", "forged", "--out", tmp_path / "tables").exit_code == 0
    tables = {name: pl.read_parquet(tmp_path / "tables" / f"{name}.parquet") for name in ("resets", "flows", "hosts")}
    assert {name: table.height for name, table in tables.items()} == {"resets": 1, "flows": 1, "hosts": 1}
    captures = pl.read_parquet(tmp_path / "tables" / "captures.parquet")
    assert captures["resets"].to_list() == [1, 0, 0]


def test_nothing_selected_is_not_taken_for_nothing_there() -> None:
    for more in ((), ("-q",)):
        result = run("summarize", FORGED, "--kind", "icmp", *more)
        assert "0 of 3 resets, 0 of 0 ICMP errors; 3 left out" in result.stdout
        assert "There is no TCP reset" not in result.stdout
    errors = run("summarize", *INPUTS, "--kind", "icmp", "-q").stdout
    assert "There is no TCP reset" not in errors
    assert "32 ICMP errors: 18 sent by" in errors


WRONG = {
    "a verdict": ("--only", "frged", "--only: there is no verdict 'frged' (did you mean 'forged'?)"),
    "a verdict of another kind": ("--fail-on", "x\x1b", r"--fail-on: there is no verdict 'x\x1b' (verdicts: forged, "),
    "an address": ("--host", "example.com", "--host: 'example.com' is no address (write 192.0.2.1, or "),
    "a port": ("--port", "http", "--port: 'http' is no port (write 443, or 8000-8099)"),
    "a port out of range": ("--port", "70000", "--port: '70000' is no port"),
    "ports the wrong way round": ("--port", "9-1", "--port: '9-1' is no port"),
    "a time": ("--since", "yesterday", "--since: 'yesterday' is no time (write 2026-11-30, "),
    "a time without a date": ("--until", "20:50", "--until: '20:50' is no time"),
    "a time far away": ("--until", "1e99", "--until: '1e99' is no time"),
    "a flow": ("--flow", "192.0.2.1", "--flow: '192.0.2.1' is no flow (write 192.0.2.1:40000-"),
    "a flow of names": ("--flow", "a:1-b:2", "--flow: 'a:1-b:2' is no flow"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_condition_is_named_before_anything_is_read(name: str, tmp_path: Path) -> None:
    option, value, message = WRONG[name]
    result = run("summarize", tmp_path / "none.pcap", option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_contradictions(tmp_path: Path) -> None:
    since = run("summarize", FORGED, "--since", "2026-01-02", "--until", "2026-01-01")
    assert "--since 2026-01-02 is not before --until 2026-01-01" in since.stderr
    flows = run("summarize", FORGED, "--only", "forged", "--flows", "all", "--out", tmp_path / "tables")
    assert "--flows all writes every flow" in flows.stderr
    quiet = run("summarize", FORGED, "-q", "--format", "csv")
    assert "--quiet prints the answer alone" in quiet.stderr
    assert {since.exit_code, flows.exit_code, quiet.exit_code} == {2}


def test_quiet_prints_the_answer_alone() -> None:
    for options in (("-q",), ("--quiet",)):
        result = run("summarize", FORGED, *options)
        assert (result.exit_code, result.stderr) == (0, "")
        answer, whole = result.stdout.splitlines(), run("summarize", FORGED).stdout.splitlines()
        assert whole[: len(answer)] == answer
        assert whole[len(answer)] == ""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((FORGED,), 0),
        ((FORGED, "--fail-on", "forged"), 3),
        ((FORGED, "--fail-on", "likely-forged,forged"), 3),
        ((FORGED, "--fail-on", "unclear"), 0),
        ((GENUINE, "--fail-on", "forged,likely-forged,unclear"), 0),
        ((ICMP, "--fail-on", "genuine"), 3),
        ((FORGED, "--fail-on", "forged", "--kind", "icmp"), 0),
        ((FORGED, "none.pcap", "--fail-on", "forged"), 3),
        ((GENUINE, "none.pcap", "--fail-on", "forged"), 1),
        (("none.pcap", "--fail-on", "forged"), 2),
    ],
    ids=str,
)
def test_the_exit_status_of_fail_on(arguments: tuple[str | Path, ...], status: int) -> None:
    result = run("summarize", *arguments, "--format", "csv")
    assert result.exit_code == status
    assert bool(result.stdout) is (status != 2)


def test_a_packet_without_time_is_in_no_time(tmp_path: Path) -> None:
    export = tmp_path / "export.tsv"
    run("export", capture(tmp_path / "a.pcap", [reset()]), "-o", export)
    lines = export.read_text().splitlines()
    cells = lines[1].split("\t")
    cells[lines[0].split("\t").index("frame.time_epoch")] = ""
    export.write_text(f"{lines[0]}\n" + "\t".join(cells) + "\n")
    assert len(rows(export)) == 1
    assert rows(export, "--since", "2000-01-01") == []
