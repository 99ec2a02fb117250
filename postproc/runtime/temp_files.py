"""Temporary files, and the error where they cannot be written, as on a full disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from postproc.runtime.errors import NoRoomError, why_not_written

MAKE_ROOM = "make room there, or set TMPDIR to another folder"


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A new folder, which is deleted when it is closed. Raises NoRoomError."""
    with writing_temporary():
        # A failure to delete must not hide the first error: the disk may have become read-only meanwhile.
        return tempfile.TemporaryDirectory(prefix="rstorigin-", ignore_cleanup_errors=True)


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
