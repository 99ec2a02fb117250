"""The laboratory itself: three quick scenarios on a real path, where namespaces can be had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lab.sandbox import why_not

ROOT = Path(__file__).parents[1]
SCENARIOS = ("closed-port", "reject-syn-middle", "hop-copying-in-path-client")


def namespaces() -> list[str]:
    """The network namespaces outside the laboratory."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the captures of three scenarios."""
    if reason := why_not():
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("lab")
    before = namespaces()
    command = [
        sys.executable,
        "-m",
        "tests.lab",
        "--seed",
        "3",
        "--out",
        out,
        "--rewrapped",
        "1",
        "--scenario",
        *SCENARIOS,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert namespaces() == before
    return out


def labels(folder: Path, name: str) -> dict[str, object]:
    """A capture's labels."""
    return json.loads((folder / f"{name}.labels.json").read_text())


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("closed-port.client", "endpoint"),
        ("reject-syn-middle.client", "middlebox"),
        ("hop-copying-in-path-client.client", "middlebox"),
    ],
)
def test_each_scenario_shows_what_it_is_for(captures: Path, name: str, origin: str) -> None:
    told = labels(captures, name)
    assert origin in {event["origin"] for event in told["events"] if event["direction"] == "in"}
    assert told["inconsistent"] == []


def test_both_sides_are_captured_and_the_rewrapped_ones_labelled(captures: Path) -> None:
    for path in captures.glob("*.pcap"):
        assert path.with_suffix(".labels.json").exists()
    names = {path.name.split("-")[0] for path in captures.glob("*.pcap")}
    assert {"closed", "reject", "mirrored", "vlan", "gre", "vxlan"} <= names
