"""Captures and exports through stdin and pipes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.case_folders import PROGRAM, environment
from support.command_line import FORGED, GENUINE, run
from support.waiting import until

FORMAT = ("--format", "jsonl")


def program(*arguments: str | Path, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    """`rstorigin ARGUMENTS` as a process of its own, with `stdin` as a pipe."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment())


def rows(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def as_it_is(_: Path) -> bytes:
    return FORGED.read_bytes()


def as_export(folder: Path) -> bytes:
    run("export", FORGED, "-o", folder / "a.tsv")
    return (folder / "a.tsv").read_bytes()


def as_zip(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        file.write(FORGED, "inner.pcap")
    return (folder / "a.zip").read_bytes()


@pytest.mark.parametrize(("make", "name"), [(as_it_is, "stdin"), (as_export, "stdin"), (as_zip, "stdin/inner.pcap")])
def test_stdin_is_an_input(tmp_path: Path, make: Callable[[Path], bytes], name: str) -> None:
    result = program("summarize", "-", *FORMAT, stdin=make(tmp_path))
    assert (result.returncode, result.stderr) == (0, b"")
    plain = rows(run("summarize", FORGED, *FORMAT).stdout.encode())
    assert rows(result.stdout) == [row | {"capture": name} for row in plain]


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_stdin_by_its_other_names(name: str) -> None:
    result = program("summarize", name, *FORMAT, stdin=GENUINE.read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert {row["capture"] for row in rows(result.stdout)} == {name}


def test_stdin_that_is_a_file() -> None:
    command = [*PROGRAM, "summarize", "/dev/stdin", *FORMAT]
    with FORGED.open("rb") as file:
        result = subprocess.run(command, stdin=file, capture_output=True, check=False, env=environment())
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(rows(result.stdout)) == 3


def test_other_inputs_beside_stdin() -> None:
    result = program("summarize", GENUINE, "-", "-", *FORMAT, stdin=FORGED.read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert [row["capture"] for row in rows(result.stdout)] == 3 * [str(GENUINE)] + 3 * ["stdin"]


@pytest.mark.parametrize("command", ["summarize", "explain", "export"])
def test_a_named_pipe(tmp_path: Path, command: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(FORGED.read_bytes(),))
    writer.start()
    wide = ("--wide",) if command == "summarize" else ()  # names of other lengths would break lines elsewhere
    result = run(command, pipe, *wide)
    writer.join()
    assert (result.exit_code, result.stderr) == (0, "")
    shown, expected = result.stdout, run(command, FORGED, *wide).stdout
    again = re.compile(r".*all evidence: rstorigin explain.*\n")  # a pipe cannot be read a second time
    assert shown.replace(str(pipe), "CAPTURE") == again.sub("", expected).replace(str(FORGED), "CAPTURE")


def test_explain_and_export_read_stdin() -> None:
    story = program("explain", "-", stdin=FORGED.read_bytes())
    assert (story.returncode, story.stderr) == (0, b"")
    assert b"Frame 2 of stdin: a TCP reset" in story.stdout
    export = program("export", "-", stdin=FORGED.read_bytes())
    assert (export.returncode, export.stderr) == (0, b"")
    assert export.stdout.decode() == run("export", FORGED).stdout


def test_reconcile_takes_one_end_from_stdin() -> None:
    lab = FORGED.parents[1] / "lab"
    result = program(
        *("reconcile", "-", lab / "02_reject_syn_r1.server.pcap", *FORMAT),
        stdin=(lab / "02_reject_syn_r1.client.pcap").read_bytes(),
    )
    assert result.returncode == 0
    assert b"No result for 8 resets of stdin by" in result.stderr
    expected = run("reconcile", lab / "02_reject_syn_r1.client.pcap", lab / "02_reject_syn_r1.server.pcap", *FORMAT)
    assert [row["frame"] for row in rows(result.stdout)] == [row["frame"] for row in rows(expected.stdout.encode())]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", b"stdin: is empty ("),
        (b"hello\n", b"stdin: is a text file, not a capture ("),
        (FORGED.read_bytes()[:-20], b"stdin: the capture is cut short in the middle of a packet"),
        (FORGED.read_bytes()[:30], b"stdin: is cut short before its first packet ends ("),
    ],
)
def test_what_is_wrong_with_stdin_is_said_by_its_name(content: bytes, message: bytes) -> None:
    result = program("summarize", "-", stdin=content)
    assert result.returncode == 1
    assert message in result.stderr


def test_a_terminal_is_no_capture() -> None:
    ours, its = os.openpty()
    result = subprocess.run(
        [*PROGRAM, "summarize", "-"], stdin=its, capture_output=True, check=False, env=environment(), timeout=60
    )
    os.close(ours)
    os.close(its)
    assert result.returncode == 2
    assert result.stderr.startswith(b"stdin: is a terminal, where nothing is piped into it (pipe a capture into it: ")


def test_no_stdin_at_all() -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "summarize", "-"]
    result = subprocess.run(command, capture_output=True, check=False, env=environment())
    assert result.returncode == 2
    assert result.stderr.startswith(b"stdin: is closed (")


@pytest.mark.parametrize("command", [("report", "-o", "report.html"), ("reconcile",)])
def test_captures_and_a_log_cannot_both_be_stdin(command: tuple[str, ...]) -> None:
    result = program(*command, "-", "--log", "-", stdin=FORGED.read_bytes())
    assert result.returncode == 2
    assert b"stdin holds captures or the log, not both" in result.stderr


def started(tmp_path: Path) -> subprocess.Popen[bytes]:
    """`rstorigin summarize -` that has read all but the end of a capture."""
    content = FORGED.read_bytes()
    process = subprocess.Popen(
        [*PROGRAM, "summarize", "-", *FORMAT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(tmp_path)),
        # Where a script runs the tests in the background, they ignore interrupts, and so would the program.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(content)
    process.stdin.flush()
    # Only then it reads stdin, with its handler of signals in place.
    until(lambda: any(tmp_path.glob("rstorigin-*/capture")), "the copy of stdin")
    return process


def test_an_interrupt_ends_the_capture_and_not_the_judging(tmp_path: Path) -> None:
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"interrupted: stdin is judged up to here when its writer ends; press")
    output, messages = process.communicate()
    assert (process.returncode, messages) == (0, b"")
    assert len(rows(output)) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_second_interrupt_gives_up(tmp_path: Path) -> None:
    process = started(tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.wait()
    assert process.returncode == 130
    assert process.stderr.read() == b"interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_a_request_to_end_leaves_no_copy(tmp_path: Path) -> None:
    process = started(tmp_path)
    process.terminate()
    process.wait()
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []
