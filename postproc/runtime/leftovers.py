"""Temporary files of runs that were killed: the next run finds and removes them.

Whoever writes one holds a lock on it, which the system releases when the process ends, however it ends. What nobody
holds is a leftover. Where there are no such locks (Windows), nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"  # in a temporary folder, the file that is held
_OLD_S = 60  # younger ones may belong to a run that is about to hold them


def hold(descriptor: int) -> None:
    """Hold an open file, until all copies of the descriptor are closed."""
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


@cache  # once for each folder: a run over a case writes many files to one
def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove the files and folders of this user in `folder`, named like `pattern`, that nobody holds. Never fails."""
    if fcntl is None:
        return
    with suppress(OSError):
        for path in folder.glob(pattern):
            with suppress(OSError):
                status = path.lstat()
                if status.st_uid == os.getuid() and time.time() - status.st_mtime > _OLD_S:
                    _remove(path, status.st_mode)


def _remove(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode) and _nobody_holds(path / LOCK):
        shutil.rmtree(path, ignore_errors=True)
    elif stat.S_ISREG(mode) and _nobody_holds(path):
        path.unlink(missing_ok=True)


def _nobody_holds(path: Path) -> bool:
    """Raises OSError where there is no such file, or something else in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
