"""The fuzzers themselves: the seeds are read, and a fault is found and kept."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

import fuzz.__main__ as runner
from fuzz import targets
from fuzz.differential import capture_of, disagreements
from fuzz.mutate import mutated


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_target_reads_its_seeds(name: str) -> None:
    target = targets.TARGETS[name]
    assert len(target.seeds()) > 0
    for seed in target.seeds():
        target.read(seed)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_target_survives_some_odd_inputs(name: str) -> None:
    target, random = targets.TARGETS[name], Random(name)
    for _ in range(15):
        target.read(mutated(target.seeds(), random))


def test_a_fault_is_found_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(targets.TARGETS, "case", targets.Target(lambda content: int(content), lambda: [b"1"]))
    monkeypatch.setattr(
        sys, "argv", ["fuzz", "--seconds", "0.5", "--only", "case", "--keep", str(tmp_path), "--seed", "1"]
    )
    assert runner.main() == 1
    kept = list(tmp_path.glob("case-*"))
    assert len(kept) > 0
    assert f"FOUND {kept[0]}" in capsys.readouterr().out or len(kept) > 1


def test_ways_of_reading_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "capture.pcap"
    content, _ = capture_of(Random(3))
    path.write_bytes(content)
    assert list(disagreements(path, engines=False)) == []
    monkeypatch.setattr("fuzz.differential._judged", lambda path, prefilter: f"read with {prefilter}")
    assert list(disagreements(path, engines=False)) == ["the fast path: read with True; tshark: read with False"]
