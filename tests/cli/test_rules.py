"""`rstorigin rules`: results on stdout, messages on stderr, 0 for done and 2 for wrong usage or a bad rulebook."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from heuristics.rulebook.model import load
from postproc.cli.app import app

MINE = """\
[[rule]]
id = "my_rule"
title = "Window | of my box"
when = "window in {1, 2} and known(ip_id)"
weight = 250
say = "Window {window}"
reference = "Own measurement"
enabled = false
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments])


def test_list_shows_every_rule() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert all(rule.id in result.stdout and rule.title in result.stdout for rule in load().all_rules)


def test_list_as_csv_and_json_says_the_same(mine: str) -> None:
    ids = [*(rule.id for rule in load().all_rules), "my_rule"]
    table = list(csv.DictReader(io.StringIO(run("list", "--format", "csv", "--rulebook", mine).stdout)))
    rules = json.loads(run("list", "--format", "json", "--rulebook", mine).stdout)
    lines = [json.loads(line) for line in run("list", "--format", "jsonl", "--rulebook", mine).stdout.splitlines()]
    assert [row["id"] for row in table] == [rule["id"] for rule in rules] == ids
    assert lines == rules
    assert table[-1] == {"id": "my_rule", "weight": "250", "enabled": "no", "title": "Window | of my box"}
    assert rules[-1]["when"] == "window in {1, 2} and known(ip_id)"


def test_markdown_keeps_its_columns_whatever_a_title_says(mine: str) -> None:
    lines = run("list", "--format", "markdown", "--rulebook", mine).stdout.splitlines()
    assert r"Window \| of my box" in lines[-1]
    assert len(lines) == 2 + len(load().all_rules) + 1


def test_show_describes_a_rule(mine: str) -> None:
    result = run("show", "my_rule", "--rulebook", mine)
    assert result.exit_code == 0
    for text in ("Window | of my box", "window in {1, 2}", "+250 centi-nats", "times 12.2", "Window {window}", "no"):
        assert text in result.stdout
    assert "Own measurement" in result.stdout
    assert "ip_id: IPv4 identification" in result.stdout


def test_show_tells_of_definitions(tmp_path: Path) -> None:
    result = run("show", "same_path")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("same_path: the reset and the packets of the sender take one path")
    assert "  is         ip_version == 4" in lines
    assert "  or         flow_label == opening_label or host_has_one_path" in lines
    assert "  missing    never" in lines
    assert any(line.startswith("    host_has_one_path: host_values == 1 and") for line in lines)
    assert "    flow_label: IPv6 flow label; missing in IPv4" in lines
    mine = tmp_path / "mine.toml"
    mine.write_text('[define.stable_share]\nis = "77"\n', encoding="utf-8")
    assert "  is         77" in run("show", "stable_share", "--rulebook", str(mine)).stdout.splitlines()
    assert (
        "    target_nearest (hops): the smallest distance that the target shows"
        in run("show", "target_place_known").stdout
    )


def test_show_says_what_became_of_an_old_rule() -> None:
    result = run("show", "own_firewall_ipv6")
    assert result.exit_code == 0
    assert result.stdout.startswith("own_firewall_ipv6 is now own_firewall.\n\nown_firewall: As the sender's own")


def test_observables_are_listed_with_thresholds_and_definitions(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[define.mine]\nmeaning = "my own"\nunit = "us"\nis = "rtt_us * 2"\n', encoding="utf-8")
    rows = json.loads(run("observables", "--format", "json", "--rulebook", str(mine)).stdout)
    by_name = {row["name"]: row for row in rows}
    assert len(by_name) == len(rows)
    assert by_name["mine"] == {
        "name": "mine",
        "type": "int",
        "source": "define",
        "unit": "us",
        "missing": "may be",
        "meaning": "my own",
    }
    assert by_name["hop_tolerance"]["source"] == "thresholds"
    assert by_name["hop_gap"]["missing"] == "may be"
    icmp = {row["name"] for row in json.loads(run("observables", "--icmp", "--format", "json").stdout)}
    assert "target_place_known" in icmp
    assert "mine" not in icmp


def test_a_folder_is_checked_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "1.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "2.toml").write_text('[define.x]\nmeaning = "m"\nis = "window > 1"\n', encoding="utf-8")
    assert f"{tmp_path}: ok" in run("check", str(tmp_path)).stdout
    (tmp_path / "2.toml").write_text('[define.x]\nmeaning = "m"\nis = """\nwindow\n> widow"""\n', encoding="utf-8")
    result = run("check", str(tmp_path))
    assert result.exit_code == 2
    assert f"{tmp_path}/2.toml: define 'x': is, line 2, column 3: unknown observable 'widow'" in result.stderr


def test_show_names_the_nearest_rule(mine: str) -> None:
    result = run("show", "my_rul\x1b", "--rulebook", mine)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "no rule 'my_rul\\x1b' (did you mean 'my_rule'?)\n"


def test_check_says_ok(mine: str) -> None:
    result = run("check", mine)
    assert result.exit_code == 0
    assert f"{mine}: ok" in result.stdout


def test_check_reports_all_problems_on_stderr(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(MINE.replace("250", "9999").replace("{window}", "{widow}"), encoding="utf-8")
    result = run("check", str(bad))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "weight: must be at most 2000" in result.stderr
    assert "say, column 9: unknown observable 'widow' (did you mean 'window'?)" in result.stderr


@pytest.mark.parametrize("command", [["list"], ["show", "my_rule"]])
def test_a_missing_rulebook_is_wrong_usage(command: list[str], tmp_path: Path) -> None:
    result = run(*command, "--rulebook", str(tmp_path / "none.toml"))
    assert result.exit_code == 2
    assert "none.toml: cannot be read: No such file or directory" in result.stderr


@pytest.mark.parametrize("command", ["list", "show", "check"])
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
