"""The chapter about session logs says what the program says."""

from __future__ import annotations

import re
from pathlib import Path

from support.command_line import run
from support.session_logs import CAPTURE, CONNTRACK_LOG, EXAMPLE

from postproc.report.session_log import SESSION_COLUMNS
from postproc.session_log.column_map import Claim, ColumnMap, Fields, known_formats, parsed

PAGE = (Path(__file__).parents[2] / "docs" / "session-logs.md").read_text(encoding="utf-8")


def test_every_format_is_named() -> None:
    table = PAGE.split("## Formats")[1].split("## ")[0]
    names = " ".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)[1:])  # the first row is the header
    assert sorted(re.findall(r"`([^`]+)`", names)) == known_formats()


def test_every_key_of_a_map_is_described() -> None:
    keys = PAGE.split("| key | meaning |")[1]
    for name in (*ColumnMap.model_fields, *Fields.model_fields):
        assert re.search(rf"[`\s,]{name}[`,]", keys), name
    for claim in Claim:
        assert f"`{claim}`" in keys


def test_the_map_in_the_chapter_is_good() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert parsed("example", example.encode()).claims()["client reset"] is Claim.RESET_BY_SRC


def test_the_columns_are_those_of_the_rows() -> None:
    (listed,) = re.findall(r"<!-- columns of a session.*?-->\n\n`(.*?)`", PAGE, re.DOTALL)
    assert tuple(re.split(r",\s+", listed)) == SESSION_COLUMNS


def test_the_table_of_the_example() -> None:
    shown = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```text\n(end reason.*?)```", shown, re.DOTALL)
    own_map = ("--log-format", EXAMPLE / "conntrack.toml")
    assert table in run("reconcile", "--no-cache", "--log", CONNTRACK_LOG, *own_map, CAPTURE).stdout
