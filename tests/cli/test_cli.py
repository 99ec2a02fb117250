"""The command line: results on stdout, messages on stderr, 0 done, 1 some input failed, 2 wrong usage."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, rows, run, verdicts

from generator.render import render_plugin
from heuristics.rulebook.model import load
from postproc.batch.plugin_engine import installed_plugin
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.cli.app import app
from postproc.cli.reference import commands
from postproc.runtime.errors import PluginError
from postproc.verdicts.result_row import COLUMNS

ROOT = Path(__file__).parents[2]

FORMATS = ("table", "markdown", "csv", "jsonl", "json")
LUA_RUNS = os.geteuid() != 0 or find_tshark().version < (4, 4, 0)


@pytest.mark.parametrize(("path", "command"), list(commands(typer.main.get_command(app))), ids=str)
def test_every_command_and_option_has_help(path: tuple[str, ...], command: Any) -> None:
    assert command.help
    for parameter in command.params:
        assert parameter.help or parameter.name in {"install_completion", "show_completion", "help"}, parameter.name
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_versions_are_shown() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert re.match(r"rstorigin \S.*\ntshark 4\.\d+\.\d+ \(.+\)\n", result.stdout)


def test_the_command_runs_as_a_program() -> None:
    start = "from postproc.__main__ import main; main()"
    arguments = [sys.executable, "-c", start, "summarize", str(FORGED), "--format", "jsonl"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    result = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line)["frame"] for line in result.stdout.splitlines()] == [2, 11, 12]


def test_summarize_tells_forged_from_genuine() -> None:
    table = {(row["capture"], row["frame"]): row["verdict"] for row in rows(FORGED, GENUINE)}
    assert table[str(FORGED), "2"] in ("forged", "likely forged")
    assert {verdict for (capture, _), verdict in table.items() if capture == str(GENUINE)} <= {
        "genuine",
        "likely genuine",
    }


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_goes_to_stdout_or_to_a_file(format_: str, tmp_path: Path) -> None:
    shown = run("summarize", FORGED, "--format", format_)
    assert (shown.exit_code, shown.stderr) == (0, "")
    target = tmp_path / "out"
    written = run("summarize", FORGED, "--format", format_, "-o", target)
    assert (written.exit_code, written.stdout) == (0, "")
    assert target.read_text(encoding="utf-8") == shown.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three captures, two of them with a forged reset, and one in a folder below."""
    (tmp_path / "below").mkdir()
    shutil.copy(FORGED, tmp_path)
    shutil.copy(LAB / "02_reject_syn_r1.client.pcap", tmp_path)
    shutil.copy(GENUINE, tmp_path / "below")
    return tmp_path


def test_a_folder_gives_names_relative_to_it(folder: Path) -> None:
    assert {row["capture"] for row in rows(folder)} == {
        *(FORGED.name, "02_reject_syn_r1.client.pcap"),
        f"below/{GENUINE.name}",
    }


def test_top_limits_what_is_shown_not_what_is_counted(folder: Path) -> None:
    few = run("summarize", folder, "--top", "1").stdout
    assert "\n1 more host, " in few or " more hosts, " in few
    assert "\n1. Frame" in few
    assert "\n2. Frame" not in few
    more = run("summarize", folder).stdout
    assert "\n2. Frame" in more
    assert few.splitlines()[0] == more.splitlines()[0]


def test_a_rulebook_of_ones_own_changes_verdicts(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("[verdict]\nforged = 9000\nlikely_forged = 8000\n", encoding="utf-8")
    assert not any("forged" in row["verdict"] for row in rows(FORGED, "--rulebook", mine))


def test_a_capture_without_resets_is_no_failure(tmp_path: Path) -> None:
    empty = tmp_path / "header.pcap"
    empty.write_bytes(FORGED.read_bytes()[:24])
    result = run("summarize", empty)
    assert result.exit_code == 0
    assert "There is no TCP reset in 1 capture (0 packets)." in result.stdout
    assert run("summarize", empty, "--format", "csv").stdout == ",".join(COLUMNS) + "\n"


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
@pytest.mark.parametrize(
    "capture", [FORGED, SITUATIONS / "nat-expires-sessions.pcap", LAB / "02_reject_syn_r1.client.pcap"], ids=str
)
def test_the_plugin_gives_the_same_table(capture: Path) -> None:
    plain = [row | {"flow": ""} for row in verdicts(capture)]
    assert [row | {"flow": ""} for row in verdicts(capture, "--from-plugin")] == plain
    assert len(plain) > 0


def test_the_plugin_is_not_silent_where_lua_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with (
        pytest.raises(PluginError, match="loads no Lua plugin for root"),
        installed_plugin(Tshark(Path("tshark"), (4, 4, 0)), load()),
    ):
        pass


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("this is not Lua", "the plugin does not load"),
        ("", "did not load the plugin"),
        ("function broken() error('oh') end\n", "did not load the plugin"),
    ],
)
def test_a_plugin_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch, plugin: str, said: str) -> None:
    monkeypatch.setattr("postproc.batch.plugin_engine.render_plugin", lambda rulebook: plugin)
    result = run("summarize", FORGED, "--from-plugin")
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
def test_a_plugin_that_fails_at_a_packet_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    text = render_plugin(load())
    failing = re.sub(r"(function rstorigin\.dissector\([^)]*\)\n)", r"\1  error('oh no')\n", text)
    assert failing != text
    monkeypatch.setattr("postproc.batch.plugin_engine.render_plugin", lambda rulebook: failing)
    result = run("summarize", FORGED, "--from-plugin")
    assert result.exit_code == 1
    assert "the plugin failed at frame 1" in result.stderr
    assert "oh no" in result.stderr


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
def test_a_field_that_the_plugin_does_not_give_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    text = render_plugin(load())
    silent = re.sub(r"add_number\(tree, \"suspicion\", .*", "", text)
    assert silent != text
    monkeypatch.setattr("postproc.batch.plugin_engine.render_plugin", lambda rulebook: silent)
    result = run("summarize", FORGED, "--from-plugin")
    assert result.exit_code == 1
    assert "frame 2: the plugin shows no field rstorigin.suspicion" in result.stderr


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
def test_a_damaged_capture_below_a_folder_of_our_name_is_no_fault_of_the_plugin(tmp_path: Path) -> None:
    damaged = tmp_path / "rstorigin. aren't valid Lua: x" / "a.pcap"
    damaged.parent.mkdir()
    damaged.write_bytes(FORGED.read_bytes()[:-20])
    result = run("summarize", damaged, FORGED, "--from-plugin", "--format", "csv")
    assert result.exit_code == 1
    assert "the capture is cut short" in result.stderr
    assert len(result.stdout.splitlines()) == 1 + 2 + 3


@pytest.mark.skipif(not LUA_RUNS, reason="Wireshark 4.4 and newer load no Lua for root")
def test_the_plugin_reads_no_exports(tmp_path: Path) -> None:
    export = tmp_path / "export.tsv"
    run("export", FORGED, "-o", export)
    result = run("summarize", export, "--from-plugin")
    assert result.exit_code == 1
    assert "the plugin reads captures, not exports" in result.stderr


def test_plugin_generate_writes_the_plugin_and_says_so(tmp_path: Path) -> None:
    result = run("plugin", "generate", "-o", tmp_path / "new" / "folder")
    assert (result.exit_code, result.stdout) == (0, "")
    written = tmp_path / "new" / "folder" / "rstorigin.lua"
    assert f"wrote {written}" in result.stderr
    assert written.read_text(encoding="utf-8") == render_plugin(load())


def test_rules_are_part_of_it() -> None:
    assert "hop_gap" in run("rules", "list").stdout


@pytest.mark.parametrize("more", [("--flows", "all"), ("--from-plugin", "--out", "tables")])
def test_options_that_would_give_nothing_are_refused(more: tuple[str, ...]) -> None:
    result = run("summarize", GENUINE, *more)
    assert result.exit_code == 2
    assert "--out" in result.stderr
    assert result.stdout == ""
