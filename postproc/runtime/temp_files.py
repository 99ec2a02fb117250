"""Temporary files, and the error where they cannot be written, as on a full disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from postproc.runtime.errors import NoRoomError, why_not_written
from postproc.runtime.leftovers import LOCK, hold, remove_leftovers

_PREFIX = "rstorigin-"
MAKE_ROOM = "make room there, or set TMPDIR to another folder"


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A folder that is deleted when it is closed; if this process is killed before, by the next run."""

    def __init__(self) -> None:
        # A failure to delete must not hide the first error: the disk may have become read-only meanwhile.
        super().__init__(prefix=_PREFIX, ignore_cleanup_errors=True)
        self._lock = (Path(self.name) / LOCK).open("wb")
        hold(self._lock.fileno())

    def cleanup(self) -> None:
        """Delete it."""
        self._lock.close()
        super().cleanup()


def temporary_folder() -> TemporaryFolder:
    """A new folder, which is deleted when it is closed. Raises NoRoomError."""
    with writing_temporary():
        remove_leftovers(Path(tempfile.gettempdir()), f"{_PREFIX}*")
        return TemporaryFolder()


def temporary_file() -> IO[bytes]:
    """A new file without a name, which is deleted when it is closed. Raises NoRoomError."""
    with writing_temporary():
        return tempfile.TemporaryFile()


@contextmanager
def writing_temporary(failures: tuple[type[Exception], ...] = (OSError,)) -> Iterator[None]:
    """For a block that only writes temporary files: turns the errors in `failures` into NoRoomError."""
    try:
        yield
    except failures as error:
        folder = f" in {tempfile.tempdir}" if tempfile.tempdir else ""  # None: no folder is usable, as the error says
        reason = f"no temporary file can be written{folder}: {why_not_written(error)}"
        raise NoRoomError("", reason, MAKE_ROOM) from None
