"""-o takes what a shell offers: files, pipes, and what is open already. Errors name what they are of."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from support.case_folders import PROGRAM, environment
from support.command_line import FORGED, run

from postproc.runtime.panics import panics_hidden

EXPECTED = run("summarize", FORGED).stdout


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_output_to_what_is_open_already(name: str, tmp_path: Path) -> None:
    command = [*PROGRAM, "summarize", str(FORGED), "-o", name]
    piped = subprocess.run(command, capture_output=True, check=True, env=environment())
    assert piped.stdout.decode() == EXPECTED
    log = tmp_path / "log"
    log.write_text("before\n", encoding="utf-8")
    with log.open("ab") as file:
        subprocess.run(command, stdout=file, check=True, env=environment())
    assert log.read_text(encoding="utf-8") == f"before\n{EXPECTED}"


def test_output_to_a_named_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    assert run("summarize", FORGED, "-o", pipe).exit_code == 0
    reader.join(10)
    assert got == [EXPECTED]


def test_an_output_in_a_circle_of_links_replaces_the_link(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    result = run("summarize", FORGED, "-o", tmp_path / "a")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "a").read_text(encoding="utf-8") == EXPECTED


def test_a_full_device_is_an_output_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "summarize", str(FORGED)], stdout=full, stderr=subprocess.PIPE, check=False, env=environment()
        )
    assert (done.returncode, done.stderr) == (2, b"stdout: cannot be written: No space left on device\n")


@pytest.mark.parametrize("command", ["summarize", "explain", "export"])
def test_a_name_that_is_too_long_is_an_input_error(command: str) -> None:
    name = "a" * 5000
    result = run(command, name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{name}: ")
    assert "File name too long" in result.stderr


def test_messages_of_panics_are_kept_off_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    with panics_hidden():
        os.write(2, b"a warning\n")
    with panics_hidden():
        os.write(2, b"\nthread '<unnamed>' panicked at lib.rs:1:1:\noh\nnote: run with `RUST_BACKTRACE=1`\n")
    assert capfd.readouterr().err == "a warning\n"
