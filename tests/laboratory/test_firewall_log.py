"""The firewall of the laboratory logs sessions that are its captures', and its log is contradicted where it must be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab.firewall_log import HTTP
from lab.sandbox import why_not
from support.command_line import run
from support.session_logs import EXAMPLE

ROOT = Path(__file__).parents[2]


def test_the_log_beside_a_real_firewall(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    if shutil.which("conntrack") is None:
        pytest.skip("conntrack is not installed")
    command = [sys.executable, "-m", "tests.lab", "--firewall-log", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    log = ("--log", tmp_path / "conntrack.log", "--log-format", EXAMPLE / "conntrack.toml")
    for capture in ("client.pcap", "server.pcap"):
        content = json.loads(run("reconcile", "--no-cache", *log, "--format", "json", tmp_path / capture).stdout)
        assert content["sessions"] == len(content["rows"]) == 18
        contradicted = [row["dport"] for row in content["rows"] if row["result"] == "contradicted"]
        assert contradicted == [HTTP] * 4
        assert content["by_result"]["not decidable"] == 0
