"""The job on a Dask cluster: a real scheduler and two workers on loopback. A worker that dies costs only time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from distributed import Client
from support.case_folders import PROGRAM, environment, small_case
from support.command_line import FORGED, run, shell_script
from support.waiting import PATIENCE_S, until

NUMBERS = count()


@dataclass
class Cluster:
    """A scheduler with two workers. `reads` is the file in which they note the process of each tshark."""

    address: str
    reads: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def pids(self) -> list[int]:
        """The workers' processes."""
        return [worker.pid for worker in self.workers.values()]

    def complete(self) -> None:
        """Start workers until there are two, in place of killed ones, too."""
        self.workers = {name: worker for name, worker in self.workers.items() if worker.poll() is None}
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        while len(self.workers) < 2:
            name = f"worker-{next(NUMBERS)}"
            tshark = str(self.reads.with_name("tshark"))
            self.workers[name] = start(self.reads.parent, "worker", *options, "--name", name, tshark=tshark)
        self.settle()

    def kill(self, name: str) -> None:
        """Kill a worker, and wait until the scheduler knows."""
        worker = self.workers.pop(name)
        worker.kill()
        worker.wait()
        self.settle()

    def settle(self) -> None:
        """Wait until the scheduler knows exactly the workers that run."""
        with Client(self.address, timeout=PATIENCE_S) as client:
            until(lambda: names_of(client) == self.workers.keys(), "the workers that there are, and no other,")


def names_of(client: Client) -> set[str]:
    """The workers that the scheduler knows."""
    return {worker["name"] for worker in client.scheduler_info()["workers"].values()}


def start(folder: Path, *arguments: str, tshark: str = "tshark") -> subprocess.Popen[bytes]:
    """`dask ARGUMENTS` without output."""
    command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(folder / "scheduler.json")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env=environment(RSTORIGIN_TSHARK=tshark), **quiet)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose workers use a slow tshark that notes the process that started it."""
    folder = tmp_path_factory.mktemp("cluster")
    slow = f'case "$*" in *-r*) echo $PPID >> "{folder}/reads"; sleep 0.5 ;; esac\nexec tshark "$@"'
    shell_script(folder / "tshark", slow)
    scheduler = start(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    cluster = Cluster("", folder / "reads")
    try:
        until((folder / "scheduler.json").exists, "the scheduler's address")
        cluster.address = json.loads((folder / "scheduler.json").read_text(encoding="utf-8"))["address"]
        yield cluster
    finally:
        for process in (*cluster.workers.values(), scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """The cluster, with no trace of other tests."""
    running.complete()
    running.reads.unlink(missing_ok=True)
    return running


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures for every test: eight that can be read and one that cannot."""
    folder = small_case(tmp_path_factory.mktemp("captures") / "case")
    for number in range(5):
        shutil.copy(FORGED, folder / f"{number}.pcap")
    (folder / "bad.pcap").write_bytes(b"\0no capture")
    return folder


@pytest.fixture
def case(captures: Path, tmp_path: Path) -> Path:
    """A case of the test's own, with an empty cache."""
    return shutil.copytree(captures, tmp_path / "case")


@pytest.fixture(scope="module")
def rows_of_one_process(captures: Path) -> str:
    """The rows of the captures, judged by one process."""
    return rows(captures, "--no-cache", "-j", "1")


@pytest.fixture
def alone(rows_of_one_process: str, captures: Path, case: Path) -> str:
    """The rows of the case, judged by one process."""
    return rows_of_one_process.replace(str(captures), str(case))


def rows(case: Path | str, *more: str) -> str:
    result = run("summarize", case, "--format", "json", "--no-reconcile", *more)
    assert result.exit_code == 1
    assert "bad.pcap" in result.stderr
    return result.stdout


def worked(cluster: Cluster) -> list[int]:
    """The processes that started tshark, one per capture."""
    return [int(line) for line in cluster.reads.read_text(encoding="utf-8").split()] if cluster.reads.exists() else []


def test_two_workers_have_the_results_of_one_process(cluster: Cluster, case: Path, alone: str) -> None:
    assert rows(case, "--cluster", cluster.address) == alone
    assert set(worked(cluster)) == set(cluster.pids)
    assert len(list((case / ".rstorigin" / "results").rglob("[0-9a-f]*.parquet"))) == 8
    cluster.kill(next(iter(cluster.workers)))
    cluster.reads.unlink()
    assert rows(case, "--cluster", cluster.address) == alone  # all is cached except the unreadable capture
    assert len(worked(cluster)) <= 1


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster: Cluster, case: Path, alone: str) -> None:
    command = [*PROGRAM, "summarize", str(case), "--format", "json", "--no-reconcile", "--cluster", cluster.address]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    until(lambda: running.poll() is not None or len(set(worked(cluster))) >= 2, "work of both workers")
    os.kill(cluster.pids[1], signal.SIGKILL)
    assert running.poll() is None, "it was to be killed in the middle"
    out, err = running.communicate(timeout=2 * PATIENCE_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    assert out == alone


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.3])
def test_a_worker_may_die_as_soon_as_it_is_asked_who_it_is(
    cluster: Cluster, case: Path, alone: str, after_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = cluster.pids[0]

    def identity() -> object:  # sent to the workers as it stands here
        import os
        import signal
        import threading

        if os.getpid() == doomed:
            threading.Timer(after_s, os.kill, (doomed, signal.SIGKILL)).start()
            threading.Event().wait(0 if after_s else 5)
        from postproc.batch.dask_cluster import _identity

        return _identity()

    monkeypatch.setattr("postproc.batch.dask_cluster._identity", identity)
    assert rows(case, "--cluster", cluster.address) == alone
    cluster.workers[next(iter(cluster.workers))].wait(timeout=PATIENCE_S)


def test_captures_may_be_named_by_url(cluster: Cluster, case: Path, alone: str) -> None:
    by_url = json.loads(rows(f"file://{case}", "--cluster", cluster.address))
    assert by_url["resets"] == json.loads(alone)["resets"]
    assert [problem["file"] for problem in by_url["problems"]] == [f"file://{case}/bad.pcap"]


def test_without_a_cluster_urls_are_read_here(case: Path, alone: str) -> None:
    assert json.loads(rows(f"file://{case}", "-j", "1"))["totals"] == json.loads(alone)["totals"]
    one = run("summarize", f"file://{case}/forged.pcap", "--format", "csv")
    assert f"file://{case}/forged.pcap,2,".removeprefix("file://") in one.stdout


def test_local_starts_one_here(case: Path, alone: str) -> None:
    assert rows(case, "--cluster", "local", "--no-cache") == alone


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cluster", "nonsense://x"], "no Dask scheduler at nonsense://x"),
        (["nosuch://bucket/x"], "nosuch://bucket/x"),
        (["memory://nothing"], "memory://nothing: holds no captures"),
    ],
)
def test_an_unusable_cluster_is_reported(case: Path, arguments: list[str], message: str) -> None:
    paths = [] if "://" in arguments[0] else [case]
    result = run("summarize", *paths, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
