"""Work over several processes: nothing is lost with a process that dies, and nothing is left behind by an interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import PROGRAM, environment, small_case, tagged
from commandline import FORGED

from postproc.parallel import WorkerDiedError, interrupts_held, over_processes


def doubled(number: int) -> int:
    return 2 * number


def deadly(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def failing(number: int) -> int:
    raise ValueError(f"no {number}")


@pytest.mark.parametrize("processes", [1, 3])
def test_every_item_is_worked_on_once(processes: int) -> None:
    assert dict(over_processes(doubled, range(10), processes)) == {number: 2 * number for number in range(10)}


def test_an_item_that_kills_its_process_costs_no_other() -> None:
    results = dict(over_processes(deadly, range(8), 2))
    assert isinstance(results.pop(3), WorkerDiedError)
    assert results == {number: 2 * number for number in range(8) if number != 3}


def test_an_error_comes_through() -> None:
    with pytest.raises(ValueError, match="no "):
        dict(over_processes(failing, range(4), 2))


@pytest.mark.parametrize("threads", [0, 3])
def test_an_interrupt_waits_for_the_end_of_the_block(threads: int) -> None:
    ended = threading.Event()
    for _ in range(threads):  # to any of them the signal may come
        threading.Thread(target=ended.wait, daemon=True).start()
    reached = []

    def interrupted() -> None:
        with interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            reached.append("end")

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        ended.set()
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.fixture
def slow_case(tmp_path: Path) -> Iterator[Path]:
    """A case of many captures, and a tshark that takes its time over them."""
    case = small_case(tmp_path / "case")
    for number in range(12):
        (case / f"{number}.pcap").write_bytes(tagged(FORGED))
    script = tmp_path / "tshark"
    script.write_text(
        '#!/bin/sh\ncase "$*" in *-r*) sleep ${SECONDS_MORE:-2} ;; esac\nexec tshark "$@"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    yield case
    said = subprocess.run(["pgrep", "-f", str(script)], capture_output=True, text=True, check=False).stdout
    assert said == "", "a tshark was left behind"


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0])
def test_an_interrupt_at_any_moment_is_no_traceback(slow_case: Path, tmp_path: Path, after_s: float) -> None:
    command = [*PROGRAM, "summarize", str(slow_case), "-j", "2"]
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark")),
        start_new_session=True,
    )
    time.sleep(0.1 + after_s)  # before that, it is the interpreter that starts, not we
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to everyone of them
    out, err = run.communicate(timeout=30)
    assert "Traceback" not in err
    assert "Error" not in err
    assert (run.returncode, out) == (130, "")
    assert err in ("", "interrupted\n")


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("after_s", [1.0, 2.5, 4.0])
def test_what_is_told_to_end_leaves_nothing_behind(
    slow_case: Path, tmp_path: Path, processes: str, after_s: float
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), TMPDIR=str(temporary))
    run = subprocess.Popen(
        [*PROGRAM, "summarize", str(slow_case), "-j", processes], stderr=subprocess.PIPE, text=True, env=ours
    )
    time.sleep(after_s)
    run.terminate()  # it alone: its workers are its own business
    assert "Traceback" not in run.communicate(timeout=30)[1]
    assert run.returncode == 128 + signal.SIGTERM
    assert not list(temporary.iterdir())


def test_after_an_interrupt_only_the_rest_is_done(slow_case: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "summarize", str(slow_case), "-j", "2", "--format", "csv"]
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), SECONDS_MORE="0.4")
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ours, start_new_session=True)
    kept = slow_case / ".rstorigin" / "results"
    deadline = time.monotonic() + 60
    while len(list(kept.rglob("[0-9a-f]*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=30) == 130
    done = len(list(kept.rglob("[0-9a-f]*.parquet")))
    assert 3 <= done < 15
    again = subprocess.run(command, capture_output=True, text=True, check=True, env=ours)
    assert len(again.stdout.splitlines()) == 1 + 6 + 12 * 3
    assert len(list(kept.rglob("[0-9a-f]*.parquet"))) == 15
