"""All versions of Wireshark agree: the plugin gives the same rows in each, and postproc from the packets of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from support.parity import Rows, captures, differences, export, listed, postproc_rows, run_plugin
from support.public_captures import SKIPPED
from support.random_captures import NEVER, random_capture
from support.wiresharks import Wireshark, available

from heuristics.rulebook.model import load

pytestmark = pytest.mark.versions

# Seed, number of packets, one odd conversation in so many, one damaged packet in so many.
RANDOM = [
    *((seed, 150, NEVER, NEVER) for seed in range(5)),
    *((seed, 150, 2, NEVER) for seed in range(5, 10)),
    *((seed, 150, 4, 3) for seed in range(10, 15)),
]


def check(capture: Path) -> None:
    """The rows of `capture` by every version of Wireshark on this machine."""
    with ThreadPoolExecutor() as pool:
        seen = list(pool.map(lambda wireshark: agreed(capture, wireshark), available()))
    for wireshark, rows in zip(available(), seen, strict=True):
        found = differences(f"{capture.name}: {wireshark} for {available()[0]}", rows, seen[0])
        assert not found, listed(found)


def agreed(capture: Path, wireshark: Wireshark) -> Rows:
    """The rows that both engines make of `capture` with one version of Wireshark."""
    run = run_plugin(capture, wireshark, load())
    assert (run.errors, run.stderr) == ((), ""), wireshark
    found = differences(f"{capture.name} on {wireshark}", run.rows, postproc_rows(export(capture, wireshark), load()))
    assert not found, listed(found)
    return run.rows


def test_there_are_several_versions() -> None:
    assert len({wireshark.version[:2] for wireshark in available()}) >= 2


@pytest.mark.parametrize("capture", [*captures(), *SKIPPED], ids=lambda capture: capture.name)
def test_versions_agree_on_real_captures(capture: Path) -> None:
    check(capture)


@pytest.mark.parametrize("shape", RANDOM, ids=lambda shape: f"seed{shape[0]}")
def test_versions_agree_on_random_captures(shape: tuple[int, int, int, int], tmp_path: Path) -> None:
    seed, *numbers = shape
    capture = tmp_path / f"seed{seed}.pcap"
    capture.write_bytes(random_capture(Random(seed), *numbers, cut_one_in=NEVER))
    check(capture)


@pytest.mark.parametrize("seed", range(20, 25))
def test_each_version_agrees_on_captures_with_short_packets(seed: int, tmp_path: Path) -> None:
    """Of a TCP header cut by the snap length, 4.6 shows the captured fields, 4.0 and 4.4 only the ports."""
    capture = tmp_path / f"seed{seed}.pcap"
    capture.write_bytes(random_capture(Random(seed), 150, 4, NEVER, cut_one_in=1))
    for wireshark in available():
        agreed(capture, wireshark)
