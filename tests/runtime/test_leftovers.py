"""Temporary files of killed runs are removed by the next one, and those of running ones are not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.case_folders import environment

from postproc.runtime.atomic_file import whole_file
from postproc.runtime.leftovers import remove_leftovers
from postproc.runtime.temp_files import temporary_folder

LONG_AGO = time.time() - 3600
HOLDS = """
import sys, time
from pathlib import Path
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.temp_files import temporary_folder
with temporary_folder(), whole_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    remove_leftovers.cache_clear()


def left(folder: Path) -> list[Path]:
    """The temporary files there, made old."""
    found = [*folder.glob(".rstorigin-*"), *folder.glob("tmp/rstorigin-*")]
    for path in found:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return found


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", HOLDS, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(TMPDIR=str(tmp_path / "tmp"))) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(left(tmp_path)) == 2
        with temporary_folder(), whole_file(out) as file:  # the other one still runs
            file.write(b"whole")
        assert len(left(tmp_path)) == 2
        process.kill()
    assert len(left(tmp_path)) == 2
    remove_leftovers.cache_clear()
    with temporary_folder(), whole_file(out) as file:
        file.write(b"whole")
    assert left(tmp_path) == []
    assert out.read_bytes() == b"whole"


def test_what_is_young_or_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / ".rstorigin-young.tmp").touch()
    (tmp_path / "tmp" / "rstorigin-without-lock").mkdir()
    secret = tmp_path / "secret"
    secret.touch()
    (tmp_path / ".rstorigin-link.tmp").symlink_to(secret)
    (tmp_path / "tmp" / "rstorigin-link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / ".rstorigin-fifo.tmp")
    for path in (secret, tmp_path / "tmp" / "rstorigin-without-lock", tmp_path / ".rstorigin-fifo.tmp"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    before = sorted(tmp_path.rglob("*"))
    with temporary_folder(), whole_file(tmp_path / "out"):
        pass
    (tmp_path / "out").unlink()
    assert sorted(tmp_path.rglob("*")) == before
