"""The progress bar on a terminal: how much of one capture is read, how many of several are done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from support.case_folders import PROGRAM, environment
from support.command_line import FORGED, GENUINE, shell_script

_SLOW = 'case $1 in -h) ;; *) sleep 2 ;; esac\nexec {tshark} "$@"'


def on_a_terminal(folder: Path, *arguments: str | Path) -> str:
    """What `rstorigin summarize ARGUMENTS` writes to a terminal as messages; its tshark is slow."""
    program = shell_script(folder / "slow" / "tshark", _SLOW.format(tshark=shutil.which("tshark")))
    ours, its = os.openpty()
    command = [*PROGRAM, "summarize", *map(str, arguments), "--no-prefilter", "--format", "csv"]
    environ = environment(RSTORIGIN_TSHARK=str(program), TERM="xterm", COLUMNS="100")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its, env=environ)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the program has closed the terminal
        pass
    os.close(ours)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_one_capture_shows_its_bytes(tmp_path: Path) -> None:
    shown = on_a_terminal(tmp_path, FORGED)
    assert "judging resets" in shown
    assert re.search(r"0\.0 of 0\.0 MB time left", shown)


def test_several_captures_show_how_many_are_done(tmp_path: Path) -> None:
    shown = on_a_terminal(tmp_path, FORGED, GENUINE, "-j", "1")
    assert re.search(r"[01]/2", shown)
    assert "MB" not in shown
