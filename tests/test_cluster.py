"""The task on a Dask cluster: a real scheduler and two workers, on loopback; a worker that dies costs only time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cases import PROGRAM, environment, small_case
from commandline import FORGED, run

WAIT_S = 60


@dataclass
class Cluster:
    """A scheduler's address, and its two workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


def start(folder: Path, *arguments: str, tshark: str = "tshark") -> subprocess.Popen[bytes]:
    """`dask ARGUMENTS`, quietly."""
    command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(folder / "scheduler.json")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env=environment(RSTORIGIN_TSHARK=tshark), **quiet)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Its workers use a tshark that notes whom it worked for, and takes its time."""
    script = tmp_path / "tshark"
    text = f'#!/bin/sh\ncase "$*" in *-r*) echo $PPID >> "{tmp_path}/reads"; sleep 0.5 ;; esac\nexec tshark "$@"\n'
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)
    scheduler = start(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    workers = [start(tmp_path, "worker", *options, tshark=str(script)) for _ in range(2)]
    try:
        deadline = time.monotonic() + WAIT_S
        while not (tmp_path / "scheduler.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads((tmp_path / "scheduler.json").read_text(encoding="utf-8"))["address"]
        both_there(address)
        yield Cluster(address, workers)
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def both_there(address: str) -> None:
    from distributed import Client

    with Client(address, timeout=WAIT_S) as client:
        client.wait_for_workers(2, timeout=WAIT_S)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    case = small_case(tmp_path / "case")
    for number in range(5):
        shutil.copy(FORGED, case / f"{number}.pcap")
    (case / "bad.pcap").write_bytes(b"\0no capture")
    return case


def rows(case: Path | str, *more: str) -> str:
    result = run("summarize", case, "--format", "json", "--no-reconcile", *more)
    assert result.exit_code == 1
    assert "bad.pcap" in result.stderr
    return result.stdout


def workers_of(folder: Path) -> set[int]:
    return {int(line) for line in (folder / "reads").read_text(encoding="utf-8").split()}


def test_two_workers_say_what_one_process_says(cluster: Cluster, case: Path, tmp_path: Path) -> None:
    alone = rows(case, "--no-cache", "-j", "1")
    assert rows(case, "--cluster", cluster.address) == alone
    assert workers_of(tmp_path) == {worker.pid for worker in cluster.workers}
    assert len(list((case / ".rstorigin" / "results").rglob("[0-9a-f]*.parquet"))) == 8
    cluster.workers[0].kill()
    (tmp_path / "reads").unlink()
    assert rows(case, "--cluster", cluster.address) == alone  # all is kept but the capture that could not be read
    assert len((tmp_path / "reads").read_text(encoding="utf-8").split()) <= 1


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster: Cluster, case: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "summarize", str(case), "--format", "json", "--no-reconcile", "--cluster", cluster.address]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and running.poll() is None:
        if (tmp_path / "reads").exists() and len(workers_of(tmp_path)) == 2:
            break
        time.sleep(0.02)
    os.kill(cluster.workers[1].pid, signal.SIGKILL)
    assert running.poll() is None, "it was to be killed in the middle"
    out, err = running.communicate(timeout=2 * WAIT_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    assert out == rows(case, "--no-cache", "-j", "1")


def test_captures_may_be_named_by_url(cluster: Cluster, case: Path) -> None:
    by_url = json.loads(rows(f"file://{case}", "--cluster", cluster.address))
    assert by_url["resets"] == json.loads(rows(case, "--no-cache", "-j", "1"))["resets"]
    assert [problem["file"] for problem in by_url["problems"]] == [f"file://{case}/bad.pcap"]


def test_without_a_cluster_urls_are_read_here(case: Path) -> None:
    assert json.loads(rows(f"file://{case}", "-j", "1"))["totals"] == json.loads(rows(case, "-j", "1"))["totals"]
    one = run("summarize", f"file://{case}/forged.pcap", "--format", "csv")
    assert f"file://{case}/forged.pcap,2,".removeprefix("file://") in one.stdout


def test_local_starts_one_here(case: Path) -> None:
    assert rows(case, "--cluster", "local", "--no-cache") == rows(case, "--no-cache", "-j", "1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cluster", "nonsense://x"], "no Dask scheduler at nonsense://x"),
        (["nosuch://bucket/x"], "nosuch://bucket/x"),
        (["memory://nothing"], "memory://nothing: holds no captures"),
    ],
)
def test_what_cannot_be_reached_is_told(case: Path, arguments: list[str], said: str) -> None:
    paths = [] if "://" in arguments[0] else [case]
    result = run("summarize", *paths, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
