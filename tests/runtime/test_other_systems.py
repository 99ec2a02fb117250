"""Without what only POSIX systems have, the program is imported, judges, explains and installs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import FORGED

# Python's own modules need some of it on this system, and take it before it is hidden.
_HIDE = """
import asyncio, multiprocessing.popen_spawn_posix, multiprocessing.resource_tracker, os, shutil, signal, subprocess, sys
import concurrent.futures.process, tempfile, types
subprocess.signal = types.SimpleNamespace(**vars(signal))
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"):
    sys.modules[name] = None
for name in (
    "fork", "forkpty", "getuid", "getgid", "getpgid", "getppid", "killpg", "mkfifo", "nice", "sched_getaffinity",
    "setsid", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "fchmod", "fchown", "chown", "wait4",
):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGPIPE", "SIGHUP", "SIGALRM", "SIGCHLD", "SIGUSR1", "pthread_sigmask", "setitimer", "alarm"):
    delattr(signal, name)
from postproc.__main__ import main
sys.argv = ["rstorigin", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], "explain"),
        (["summarize", "-j", "1", "--no-cache", FORGED], "1 of 3 resets is forged"),
        (["explain", FORGED, "--frame", "2"], "forged"),
        (["plugin", "install", "--dry-run"], "would write"),
        (["plugin", "install"], "wrote"),
        (["rules", "check", "heuristics/rulebook/default"], ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_without_posix(arguments: list[str | Path], words: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", _HIDE, *map(str, arguments)],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert words in " ".join(result.stdout.split())
