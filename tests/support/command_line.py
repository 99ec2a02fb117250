"""Runs rstorigin in tests, and makes small captures for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap
from typer.testing import CliRunner, Result

from postproc.cli.app import app
from postproc.handover.launch import verdict_path

CAPTURES = Path(__file__).parents[1] / "captures"
SITUATIONS = CAPTURES / "situations"
LAB = CAPTURES / "lab"
FORGED = SITUATIONS / "injector-answers-syn.pcap"  # 3 resets, frame 2 forged
GENUINE = SITUATIONS / "ordinary-teardown.pcap"  # 3 resets, all genuine


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    """`rstorigin ARGUMENTS`, with `input` on stdin."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)


def without_cache_message(messages: str) -> str:
    """The messages of a run, but not the one of the run that makes the cache of a case."""
    lines = messages.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("results are stored in "))


def rows(*arguments: str | Path) -> list[dict[str, str]]:
    """The resets table of `rstorigin summarize ARGUMENTS`."""
    return list(csv.DictReader(io.StringIO(run("summarize", *arguments, "--format", "csv").stdout)))


def verdicts(*arguments: str | Path) -> list[dict[str, str]]:
    """The same without the column that names the file."""
    return [row | {"capture": ""} for row in rows(*arguments)]


def reset(payload: bytes = b"", port: int = 80) -> Packet:
    """One reset with a text in it."""
    ip = IP(src="192.0.2.1", dst="203.0.113.1", ttl=60)
    return (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / ip
        / TCP(sport=port, dport=443, flags="R")
        / Raw(payload)
    )


def capture(path: Path, packets: Sequence[Packet]) -> Path:
    """A pcap of `packets`."""
    wrpcap(str(path), list(packets))
    return path


def shell_script(path: Path, text: str) -> Path:
    """A program that runs these lines of shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def fake_tshark(folder: Path, says: str) -> Path:
    """A program that prints `says`, whatever its arguments."""
    return shell_script(folder / "tshark", f"echo '{says}'")


def handed_over(capture: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *others: Path) -> Path:
    """The file of verdicts that `rstorigin open` writes in `folder` for a capture, judged with `others`.

    Root may open too, since the Wiresharks of the tests run as another user.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("postproc.capture.tshark.program.is_root", lambda: False)
    result = run("open", "--print", "--tshark", "--no-cache", capture, *others, "--show", capture)
    assert result.exit_code == 0, result.output
    return verdict_path(capture)
