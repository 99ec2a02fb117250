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
