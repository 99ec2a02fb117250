"""What captures of a case show about one another is kept, of interrupted runs too, while both are in the case."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command_line import CAPTURES, run

from heuristics.rulebook.model import load
from postproc.batch.cache import Cache, pair_key
from postproc.batch.job import content_hash
from postproc.batch.result_store import ReportProgress
from postproc.case.case_file import CaseFile
from postproc.case.run import CaseRun, RunOptions, inputs_at
from postproc.verdicts.reconcile_result import ReconcileResult

SCENARIOS = ("01_closed_port", "02_reject_syn_r1", "03_reject_midstream_r1")
COMPARING = "comparing captures"


class Watching:
    """A monitor that counts the steps of comparing, and interrupts the run after `stop` of them."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.steps = 0

    def warn(self, message: str) -> None:
        assert "stored" in message

    @contextmanager
    def progress(self, task: str, total: int, file: Path | None = None) -> Iterator[ReportProgress]:
        def report(done: int) -> None:
            if task == COMPARING:
                self.steps = done
                if done == self.stop:
                    raise KeyboardInterrupt

        yield report


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    folder.mkdir()
    for scenario in SCENARIOS:
        for end in ("client", "server"):
            shutil.copy(CAPTURES / "lab" / f"{scenario}.{end}.pcap", folder)
    return folder


def judge(case: Path, monitor: Watching) -> None:
    with inputs_at([str(case)], monitor) as found:
        CaseRun(load(), CaseFile(), RunOptions(jobs=1), monitor).judge(found.files)


def stored(case: Path) -> dict[str, ReconcileResult]:
    """The comparisons that the cache of the case holds."""
    (folder,) = (case / ".rstorigin" / "results").iterdir()
    cache = Cache.open(case, folder.name)
    return {key: result for key in cache._pairs if (result := cache.find_pair(key)) is not None}


def test_an_interrupted_run_keeps_what_it_compared(case: Path) -> None:
    whole = case.with_name("whole")
    shutil.copytree(case, whole)
    all_steps = Watching()
    judge(whole, all_steps)
    with pytest.raises(KeyboardInterrupt):
        judge(case, Watching(stop=all_steps.steps - 1))
    kept = stored(case)
    assert kept
    assert kept.items() < stored(whole).items()
    rest = Watching()
    judge(case, rest)
    assert 0 < rest.steps < all_steps.steps
    assert stored(case) == stored(whole)
    again = Watching()
    judge(case, again)
    assert again.steps == 0


def test_comparisons_of_captures_that_are_gone_are_dropped(case: Path) -> None:
    assert run("summarize", case).exit_code == 0
    before = stored(case)
    gone = case / f"{SCENARIOS[0]}.client.pcap"
    content = content_hash(gone)
    gone.unlink()
    assert run("summarize", case).exit_code == 0
    left = {key: result for key, result in before.items() if content not in key.split()}
    assert left.keys() < before.keys()
    assert stored(case) == left


def test_many_comparisons_are_written_before_the_end(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path, "0" * 32)
    written = []
    for number in range(1, 2001):
        cache.store_pair(pair_key("a", "b", [str(number)]), ReconcileResult((), number))
        written.append(number - len(cache.new_pairs))
        if len(cache.new_pairs) == 0:
            assert len(Cache.open(tmp_path, "0" * 32)._pairs) == number
    assert sorted(set(written)) == [0, 256, 512, 1024]


def test_what_another_run_wrote_meanwhile_is_not_dropped(tmp_path: Path) -> None:
    ours, theirs = Cache.open(tmp_path, "0" * 32), Cache.open(tmp_path, "0" * 32)
    assert ours.find_pair("x") is None
    theirs.store_pair(pair_key("new", "b", []), ReconcileResult((), 1))
    theirs.write_pairs({"new", "b"})
    ours.store_pair(pair_key("a", "b", []), ReconcileResult((), 2))
    ours.write_pairs({"a", "b"})
    last = Cache.open(tmp_path, "0" * 32)
    assert [last.find_pair(pair_key(of, "b", [])) for of in ("new", "a")] == [
        ReconcileResult((), 1),
        ReconcileResult((), 2),
    ]
