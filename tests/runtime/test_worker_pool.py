"""Work in several processes: a process that dies costs no result, and an interrupt leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.case_folders import PROGRAM, environment, small_case, tagged
from support.command_line import FORGED, shell_script
from support.waiting import until

from postproc.runtime.signals import ending_in_order
from postproc.runtime.worker_pool import WorkerDiedError, map_over_processes, signals_held

# Prints when the command line is about to load: before that, only the interpreter starts.
TELLING = (
    sys.executable,
    "-c",
    "import sys\n"
    "def hear(event, args): event == 'import' and args[0] == 'postproc.cli' and print('loading', flush=True)\n"
    "sys.addaudithook(hear)\n"
    "from postproc.__main__ import main; main()",
)
INTERRUPTED_AS_IT_FORKS = """
import os, signal, sys, time
from postproc.runtime.worker_pool import map_over_processes
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
try:
    list(map_over_processes(time.sleep, [30] * 4, 2))
except KeyboardInterrupt:
    print("interrupted")
"""


def doubled(number: int) -> int:
    return 2 * number


def deadly(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def ended_by_sigterm(number: int) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)


def failing(number: int) -> int:
    raise ValueError(f"no {number}")


@pytest.fixture(autouse=True)
def at_a_terminal() -> Iterator[None]:
    """A shell that runs the tests in the background makes them, and all that they start, ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("processes", [1, 3])
def test_every_item_is_worked_on_once(processes: int) -> None:
    assert dict(map_over_processes(doubled, range(10), processes)) == {number: 2 * number for number in range(10)}


def test_an_item_that_kills_its_process_costs_no_other() -> None:
    results = dict(map_over_processes(deadly, range(8), 2))
    assert isinstance(results.pop(3), WorkerDiedError)
    assert results == {number: 2 * number for number in range(8) if number != 3}


def test_an_error_comes_through() -> None:
    with pytest.raises(ValueError, match="no "):
        dict(map_over_processes(failing, range(4), 2))


@pytest.mark.parametrize("threads", [0, 3])
def test_an_interrupt_waits_for_the_end_of_the_block(threads: int) -> None:
    ended = threading.Event()
    for _ in range(threads):  # the signal may come to any of them
        threading.Thread(target=ended.wait, daemon=True).start()
    reached = []

    def interrupted() -> None:
        with signals_held(signal.SIGINT):
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


def test_what_is_ignored_holds_nothing_else_back() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a script

    def told_twice() -> None:
        with ending_in_order(), signals_held(signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit):
        told_twice()


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_is_not_lost_where_exceptions_are_dropped(
    number: signal.Signals, raised: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    class Thing:
        pass

    def dropped() -> None:
        thing = Thing()
        reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
        del thing
        assert reference() is None  # the callback has run
        time.sleep(10)

    with pytest.raises(raised), ending_in_order():
        dropped()
    assert capsys.readouterr().err == ""


def test_a_worker_that_gets_sigterm_returns_no_result() -> None:
    assert all(isinstance(result, WorkerDiedError) for _, result in map_over_processes(ended_by_sigterm, range(3), 2))


def test_workers_may_get_sigterm_before_they_start() -> None:
    command = [sys.executable, "-c", INTERRUPTED_AS_IT_FORKS]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=25, env=environment())
        assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.fixture
def slow_case(tmp_path: Path) -> Iterator[Path]:
    """A case of many captures, and a slow tshark."""
    case = small_case(tmp_path / "case")
    for number in range(12):
        (case / f"{number}.pcap").write_bytes(tagged(FORGED))
    slow = 'case "$*" in *-r*) sleep ${SECONDS_MORE:-2} ;; esac\nexec tshark "$@"'
    script = shell_script(tmp_path / "tshark", slow)
    yield case
    ends = time.monotonic() + _KILLED_S
    while (left := _running(script)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not left, "a tshark was left behind"


_KILLED_S = 1  # on a busy machine, a killed process is gone a moment later; the script takes twice as long by itself


def _running(script: Path) -> list[psutil.Process]:
    return [run for run in psutil.process_iter(["cmdline"]) if str(script) in (run.info["cmdline"] or [])]


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.5, 4.0])
def test_an_interrupt_at_any_moment_is_no_traceback(slow_case: Path, tmp_path: Path, after_s: float) -> None:
    command = [*TELLING, "summarize", str(slow_case), "-j", "2"]
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark")),
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "loading\n"
    time.sleep(after_s)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to each process
    out, err = run.communicate(timeout=30)
    assert "Traceback" not in err
    assert "Error" not in err
    assert (run.returncode, out) == (130, "")
    assert err in ("", "interrupted\n")


def test_in_the_background_of_a_script_interrupts_are_ignored(slow_case: Path, tmp_path: Path) -> None:
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), SECONDS_MORE="0.2")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = subprocess.Popen(
        [*PROGRAM, "summarize", str(slow_case), "-j", "2", "--no-cache"], stderr=subprocess.PIPE, env=ours
    )
    for _ in range(8):
        time.sleep(0.2)
        run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60)[1] == b""
    assert run.returncode == 0


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("after_s", [1.0, 2.5, 4.0])
def test_a_run_that_gets_sigterm_leaves_nothing_behind(
    slow_case: Path, tmp_path: Path, processes: str, after_s: float
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), TMPDIR=str(temporary))
    run = subprocess.Popen(
        [*PROGRAM, "summarize", str(slow_case), "-j", processes], stderr=subprocess.PIPE, text=True, env=ours
    )
    time.sleep(after_s)
    run.terminate()  # to it alone: it has to end its workers
    assert "Traceback" not in run.communicate(timeout=30)[1]
    assert run.returncode == 128 + signal.SIGTERM
    assert not list(temporary.iterdir())


def test_workers_of_one_that_was_killed_leave_nothing_behind(slow_case: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), TMPDIR=str(temporary))
    run = subprocess.Popen([*PROGRAM, "summarize", str(slow_case), "-j", "2"], stderr=subprocess.PIPE, env=ours)
    until(lambda: any(temporary.iterdir()), "a temporary file")
    run.kill()
    run.communicate(timeout=30)  # until the last worker has ended: they all hold its stderr
    assert not list(temporary.iterdir())


def test_after_an_interrupt_only_the_rest_is_done(slow_case: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "summarize", str(slow_case), "-j", "2", "--format", "csv"]
    ours = environment(RSTORIGIN_TSHARK=str(tmp_path / "tshark"), SECONDS_MORE="0.4")
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ours, start_new_session=True)
    kept = slow_case / ".rstorigin" / "results"
    until(lambda: len(list(kept.rglob("[0-9a-f]*.parquet"))) >= 3, "a third result")
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=30) == 130
    done = len(list(kept.rglob("[0-9a-f]*.parquet")))
    assert 3 <= done < 15
    again = subprocess.run(command, capture_output=True, text=True, check=True, env=ours)
    assert len(again.stdout.splitlines()) == 1 + 6 + 12 * 3
    assert len(list(kept.rglob("[0-9a-f]*.parquet"))) == 15
