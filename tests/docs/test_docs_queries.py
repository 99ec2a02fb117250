"""The queries of docs/case-folders.md run as they stand there, and its example of a case.toml is right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from support.case_folders import ROOT, small_case
from support.command_line import run

from postproc.case.case_file import load_case

TEXT = (ROOT / "docs" / "case-folders.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    case = small_case(tmp_path / "case")
    assert run("summarize", case, "-j", "1", "--out", tmp_path / "tables").exit_code == 0
    return tmp_path


def test_polars(tables: Path) -> None:
    (code,) = blocks("python")
    said = subprocess.run([sys.executable, "-c", code], cwd=tables, capture_output=True, text=True, check=True).stdout
    assert said.count("shape: (") == 2
    assert "shape: (0," not in said


def test_duckdb(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tables)
    (code,) = blocks("sql")
    forged, ends, unreadable = (duckdb.sql(query).fetchall() for query in code.split(";") if query.strip())
    assert sum(row[-1] for row in forged) == sum(row[-1] for row in ends) == 1
    assert unreadable == []


def test_case_file(tmp_path: Path) -> None:
    (code,) = blocks("toml")
    (tmp_path / "case.toml").write_text(code, encoding="utf-8")
    case = load_case(tmp_path)
    assert case.point_of("a/b.server.pcap") is not None
    assert case.name is not None
