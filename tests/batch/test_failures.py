"""Whatever goes wrong with one input stays with it: the rest is done, and the exit status is 1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.case_folders import PROGRAM, environment, small_case, tagged
from support.command_line import FORGED, LAB, fake_tshark, run

from postproc.runtime.failures import DEBUG_VARIABLE
from postproc.verdicts import judge_resets

REPORT = "this is a bug of rstorigin, please report it with the traceback that --debug shows"


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


FAILURES: dict[str, tuple[Callable[[], None], str]] = {
    "ValueError": (raising(ValueError("odd\x1b[31m")), rf"rstorigin failed: ValueError: odd\x1b[31m ({REPORT})"),
    "no text": (raising(AssertionError()), f"rstorigin failed: AssertionError ({REPORT})"),
    "memory": (raising(MemoryError()), "there is not enough memory to read it (give it more, or try --jobs 1)"),
    "depth": (raising(RecursionError("too deep")), f"rstorigin failed: RecursionError: too deep ({REPORT})"),
    "disk": (raising(OSError(5, "Input/output error")), "cannot be read: Input/output error"),
    "panic": (
        raising(pl.exceptions.PanicException("index out of bounds")),
        f"rstorigin failed: PanicException: index out of bounds ({REPORT})",
    ),
}


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return small_case(tmp_path / "case")


def fail_at(name: str, fail: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the judging of the capture `name` fail."""
    judged = judge_resets.judged_resets

    def judging(capture: str, *arguments: Any, **options: Any) -> Any:
        if capture == name:
            fail()
        return judged(capture, *arguments, **options)

    monkeypatch.setattr(judge_resets, "judged_resets", judging)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_a_problem_of_its_input(failure: str, case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail, message = FAILURES[failure]
    fail_at("forged.pcap", fail, monkeypatch)
    result = run("summarize", case, "-j", "1", "--format", "json")
    assert (result.exit_code, result.stderr) == (1, f"{case / 'forged.pcap'}: {message}\n")
    assert {row["capture"] for row in json.loads(result.stdout)["resets"]} == {"genuine.pcap"}
    monkeypatch.undo()
    assert run("summarize", case, "-j", "1").exit_code == 0  # what failed was not kept


def test_an_input_that_kills_its_process_costs_no_other(case: Path, tmp_path: Path) -> None:
    (case / "cut.tsv").write_bytes(b"frame.number\n")
    deadly = fake_tshark(tmp_path / "bin", "")
    real = shutil.which("tshark")
    script = f'#!/bin/sh\ncase "$*" in *-r*) kill -9 $PPID ;; esac\nexec "{real}" "$@"\n'
    deadly.write_text(script, encoding="utf-8")
    for path in ("forged.pcap", "genuine.pcap", "deeper/quiet.pcap"):
        (case / path).write_bytes(FORGED.read_bytes())  # no tshark needed
    (case / "deadly.pcap").write_bytes(tagged(FORGED))
    command = [*PROGRAM, "summarize", str(case), "-j", "2", "--format", "json"]
    done = subprocess.run(command, capture_output=True, check=False, env=environment(RSTORIGIN_TSHARK=str(deadly)))
    assert done.returncode == 1
    assert f"{case / 'deadly.pcap'}: the process that read it died (perhaps out of memory: try" in done.stderr.decode()
    assert "cut.tsv: " in done.stderr.decode()
    judged = {row["capture"] for row in json.loads(done.stdout)["resets"]}
    assert judged == {"forged.pcap", "genuine.pcap", "deeper/quiet.pcap"}


def test_debug_shows_the_traceback(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_at("forged.pcap", FAILURES["ValueError"][0], monkeypatch)
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    result = run("summarize", "--debug", case, "-j", "1")
    assert result.exit_code == 1
    assert "Traceback (most recent call last):\n" in result.stderr
    assert "\x1b" not in result.stderr
    assert DEBUG_VARIABLE not in os.environ  # the option is for one run


def test_a_failure_of_the_whole_is_no_traceback_either(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postproc.case.run.rescored_by_baselines", lambda *_: FAILURES["ValueError"][0]())
    result = run("summarize", case, "-j", "1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == rf"rstorigin failed: ValueError: odd\x1b[31m ({REPORT})" + "\n"
    assert "Traceback" in run("summarize", case, "-j", "1", "--debug").stderr


def test_a_failed_comparison_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for side in ("client", "server"):
        (tmp_path / f"{side}.pcap").write_bytes((LAB / f"03_reject_midstream_r1.{side}.pcap").read_bytes())
    assert run("summarize", tmp_path, "-j", "1", "--no-cache").exit_code == 0
    monkeypatch.setattr("postproc.case.pair_runner.reconcile", lambda *_: FAILURES["ValueError"][0]())
    result = run("summarize", tmp_path, "-j", "1", "--no-cache", "--format", "json")
    assert result.exit_code == 1
    assert "of captures could not be compared: rstorigin failed: ValueError" in result.stderr
    assert len(json.loads(result.stdout)["resets"]) > 0
