"""Keeps the messages of panics of Polars off the screen: it prints them before Python learns of the error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from postproc.runtime.errors import NoRoomError
from postproc.runtime.failures import DEBUG_VARIABLE
from postproc.runtime.temp_files import temporary_file

_STDERR = 2
_PANIC = b"panicked at"


@contextmanager
def panics_hidden() -> Iterator[None]:
    """In the block, what is printed on stderr is held back; afterwards it is printed, unless it is of a panic."""
    if os.environ.get(DEBUG_VARIABLE):
        yield
        return
    with ExitStack() as stack:
        with suppress(OSError, NoRoomError):  # where this is not possible: rather panics on the screen than no result
            stack.enter_context(_held_back(stack.enter_context(temporary_file())))
        yield


@contextmanager
def _held_back(held: IO[bytes]) -> Iterator[None]:
    before = os.dup(_STDERR)
    sys.stderr.flush()
    os.dup2(held.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(before, _STDERR)
        os.close(before)
        held.seek(0)
        printed = held.read()
        with suppress(OSError):
            os.write(_STDERR, b"" if _PANIC in printed else printed)
