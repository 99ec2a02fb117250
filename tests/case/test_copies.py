"""A capture that a case holds twice counts once, and every output says so."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from support.command_line import FORGED, GENUINE, run

ORIGINAL = "a.pcap"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with a capture, three copies of it, and another capture."""
    folder = tmp_path_factory.mktemp("case")
    shutil.copy(FORGED, folder / ORIGINAL)
    shutil.copy(FORGED, folder / "b.pcap")
    (folder / "c.pcap.gz").write_bytes(gzip.compress(FORGED.read_bytes()))
    subprocess.run(["editcap", "-F", "pcapng", FORGED, folder / "d.pcapng"], check=True, capture_output=True)
    shutil.copy(GENUINE, folder / "e.pcap")
    return folder


def test_copies_count_once(case: Path) -> None:
    result = run("summarize", case, "--format", "json", "--out", case.parent / "tables", "--no-cache")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    alone = json.loads(run("summarize", FORGED, GENUINE, "--format", "json").stdout)
    for counted in ("captures", "packets", "resets", "by_verdict", "flows"):
        assert content["totals"][counted] == alone["totals"][counted]
    copies = {capture["name"]: capture["copy_of"] for capture in content["captures"]}
    assert copies == {ORIGINAL: "", "b.pcap": ORIGINAL, "c.pcap.gz": ORIGINAL, "d.pcapng": ORIGINAL, "e.pcap": ""}
    with (case.parent / "tables" / "captures.csv").open(newline="") as file:
        assert {row["capture"]: row["copy_of"] for row in csv.DictReader(file)} == copies


def test_the_reader_is_told(case: Path) -> None:
    result = run("summarize", case, "--no-cache")
    assert "3 captures are copies of others and are not counted." in " ".join(result.stdout.split())
    assert "is a copy of" in result.stdout


def test_each_copy_has_its_rows(case: Path) -> None:
    rows = [json.loads(line) for line in run("summarize", case, "--no-cache", "--format", "jsonl").stdout.splitlines()]
    captures = Counter(row["capture"] for row in rows)
    assert captures["b.pcap"] == captures["d.pcapng"] == captures[ORIGINAL] > 0


def test_a_part_of_a_capture_is_no_copy(tmp_path: Path) -> None:
    shutil.copy(FORGED, tmp_path / ORIGINAL)
    last = len(run("summarize", FORGED, "--format", "csv").stdout.splitlines())
    subprocess.run(["editcap", FORGED, tmp_path / "b.pcap", "1"], check=True, capture_output=True)
    result = run("summarize", tmp_path, "--format", "csv", "--no-cache")
    assert len(result.stdout.splitlines()) > last
