"""The plugin shows verdicts that `rstorigin open` hands over exactly as it shows its own."""

from __future__ import annotations

import csv
import io
import shlex
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.case_folders import PROGRAM, environment
from support.command_line import CAPTURES, FORGED, GENUINE, LAB, handed_over, rows, run
from support.wiresharks import Wireshark, available

from generator.render import render_plugin
from heuristics.observables.output_columns import WIRESHARK_FIELDS
from heuristics.rulebook.model import load
from postproc.capture.tshark.program import find_tshark

PLUGIN = Path(__file__).parents[2] / "plugins" / "rstorigin.lua"
ALONE = ("-2", "-Y", "rstorigin.verdict")
# Of all packets, the plugin shows the usual hop limit of the host; the plugin alone that of the flow. The frame to
# compare with is then another too.
DIFFERS = {"baseline_frame"}
NAMES = tuple(field.name for field in WIRESHARK_FIELDS if field.name not in DIFFERS)
WIRESHARKS = [
    pytest.param(wireshark, marks=[pytest.mark.versions] if number else [], id=str(wireshark))
    for number, wireshark in enumerate(available())
]
Row = Mapping[str, str]


Handover = Callable[..., Path]


@pytest.fixture(autouse=True)
def handover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Handover:
    """Verdicts go to a folder of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("postproc.capture.tshark.program.is_root", lambda: False)
    return lambda capture, *others: handed_over(capture, tmp_path, monkeypatch, *others)


def shown(capture: Path, wireshark: Wireshark, options: tuple[str, ...], verdicts: Path | None = None) -> list[Row]:
    """What the plugin shows of every judged packet."""
    evidence = [f"evidence.{rule.id}" for rule in load().rules] + [f"icmp.{entry.id}" for entry in load().icmp]
    fields = [word for name in (*NAMES, *evidence) for word in ("-e", f"rstorigin.{name}")]
    table = ("-T", "fields", "-E", "header=y", "-e", "frame.number", "-e", "_ws.lua.error", *fields)
    result = wireshark.tshark(*options, *table, "-r", capture, plugins=[PLUGIN], verdicts=verdicts)
    assert result.returncode == 0
    assert "rstorigin" not in result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout), delimiter="\t"))


def judged_captures() -> list[Path]:
    """Captures of both kinds of packets, IPv4 and IPv6, every verdict, several link layers."""
    return sorted([*CAPTURES.glob("situations/*.pcap*"), *LAB.glob("*.client.pcap"), *LAB.glob("10_*.server.pcap")])


@pytest.mark.parametrize("wireshark", WIRESHARKS)
@pytest.mark.parametrize("capture", judged_captures(), ids=lambda capture: capture.name)
def test_the_plugin_shows_the_same_as_alone(capture: Path, wireshark: Wireshark, handover: Handover) -> None:
    """One pass is enough where the verdicts are handed over."""
    expected = shown(capture, wireshark, ALONE)
    rows = shown(capture, wireshark, ALONE[1:], handover(capture))
    for row in (*expected, *rows):
        row.pop("rstorigin.state")  # type: ignore[attr-defined]
    assert rows == expected


def test_verdicts_of_the_whole_case_are_shown(handover: Handover) -> None:
    """The other end's capture decides more than this capture alone."""
    names = ("08_far_firewall.client.pcap", "08_far_firewall.server.pcap")
    client, server = (LAB / name for name in names)
    alone = {row["frame.number"]: row["rstorigin.verdict"] for row in shown(client, available()[0], ALONE)}
    rows = shown(client, available()[0], ALONE[1:], handover(client, server))
    together = {row["frame.number"]: row["rstorigin.verdict"] for row in rows}
    assert any(row["rstorigin.evidence.never_left"] for row in rows)
    assert together.keys() == alone.keys()
    table = csv.DictReader(io.StringIO(run("summarize", "--no-cache", client, server, "--format", "csv").stdout))
    assert together == {row["frame"]: row["verdict"] for row in table if row["capture"] == str(client)}


def test_ordinary_packets_show_hop_limit_and_verdict_of_their_flow(handover: Handover) -> None:
    fields = ("frame.number", "ip.ttl", "rstorigin.hop_limit", "rstorigin.hop_delta", "rstorigin.flow_verdict")
    words = [word for field in fields for word in ("-e", field)]
    result = available()[0].tshark(
        *("-Y", "tcp", "-T", "fields", *words, "-r", FORGED),
        plugins=[PLUGIN],
        verdicts=handover(FORGED),
    )
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert all(ttl == hop_limit and flow_verdict == "forged" for _, ttl, hop_limit, _, flow_verdict in rows)
    assert {number for number, _, _, delta, _ in rows if delta not in ("", "0")} == {"2"}


def test_verdicts_of_another_capture_are_refused(handover: Handover) -> None:
    """Nothing is shown, and tshark says why."""
    verdicts = handover(FORGED)
    result = available()[0].tshark(*ALONE[1:], "-r", GENUINE, plugins=[PLUGIN], verdicts=verdicts)
    assert result.stdout == ""
    assert result.stderr.count("the verdicts handed over are of another file than this one (frame 1 has") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("rstorigin-verdicts\t99\nend\n", "it has another format than this plugin reads"),
        ("rstorigin-verdicts\t1\nbegin\t0\n", "its beginning or its end is missing"),
        ("rstorigin-verdicts\t1\nbegin\t0\ncolumns\tx\nflow\t1\nend\n", "it is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_leaves_the_judging_to_the_plugin(content: str, reason: str, tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.txt"
    verdicts.write_text(content, encoding="utf-8")
    fields = ("-T", "fields", "-e", "frame.number")
    result = available()[0].tshark(*ALONE, *fields, "-r", FORGED, plugins=[PLUGIN], verdicts=verdicts)
    assert f"cannot be used ({reason}): the plugin judges by itself" in result.stderr
    assert "2" in result.stdout.split()


def test_the_summary_is_that_of_the_batch_engine(handover: Handover) -> None:
    options = ("-q", "-X", "lua_script1:summary")
    result = available()[0].tshark(*options, "-r", FORGED, scripts=[PLUGIN], verdicts=handover(FORGED))
    assert result.stdout.strip() == run("summarize", "--no-cache", FORGED).stdout.strip()


def test_print_shows_a_command_that_a_shell_runs(tmp_path: Path) -> None:
    capture = tmp_path / "a b'c;$(touch oops).pcap"
    capture.write_bytes(FORGED.read_bytes())
    command = run("open", "--print", "--tshark", "--no-cache", capture).stdout
    assert command.startswith("RSTORIGIN_VERDICTS=")
    words = shlex.split(command)
    assert words[words.index("-r") + 1] == str(capture)


def test_several_captures_the_one_with_most_forged_resets_is_shown() -> None:
    result = run("open", "--print", "--tshark", "--no-cache", GENUINE, FORGED)
    assert FORGED.name in result.stdout
    assert f"shows {FORGED}, one of 2 captures; --show shows another" in result.stderr


def test_a_capture_that_is_not_there_is_told() -> None:
    result = run("open", "--print", "--tshark", "--no-cache", FORGED, "--show", "other.pcap")
    assert result.exit_code == 2
    assert "there is no capture called other.pcap that Wireshark can show" in result.stderr


def test_an_older_plugin_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    old = tmp_path / ".local" / "lib" / "wireshark" / "plugins" / "rstorigin.lua"
    old.parent.mkdir(parents=True)
    old.write_text(render_plugin(load()).replace("rstorigin-verdicts", "nothing"), encoding="utf-8")
    result = run("open", "--print", "--tshark", "--no-cache", FORGED)
    assert result.exit_code == 2
    assert f"{old} is an older plugin, which takes no verdicts over: rstorigin plugin install" in result.stderr


def test_a_member_of_an_archive_is_shown(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(FORGED, "x.pcap")
        file.write(GENUINE, "y.pcap")
    printed = run("open", "--print", "--tshark", archive)
    assert printed.exit_code == 2
    assert f"{archive}/x.pcap is read from a copy that ends with this command: store it as a file" in printed.stderr
    if find_tshark().refuses_lua():
        pytest.skip("this tshark loads no Lua for root")
    command = [*PROGRAM, "open", "--tshark", str(archive / "y.pcap"), "--arg=-Tfields", "--arg=-erstorigin.verdict"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    verdicts = [line for line in result.stdout.splitlines() if line]
    assert verdicts == [row["verdict"] for row in rows(GENUINE)]
