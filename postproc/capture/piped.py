"""Inputs that can be read only once (stdin, pipes): a copy of each, as a capture is read several times."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from postproc.runtime.errors import CaptureError
from postproc.runtime.signals import first_interrupt
from postproc.runtime.temp_files import temporary_folder, writing_temporary

STDIN = "-"
STDIN_LABEL = "stdin"  # what results and messages call it
_DESCRIPTOR = re.compile(r"/dev/stdin|(?:/dev|/proc/self)/fd/(\d+)")  # a child process has others by these names
_COPIED = 1 << 20  # bytes at a time


def is_piped(name: str) -> bool:
    """Whether an argument names stdin, an open descriptor as of `<(command)`, or a pipe."""
    try:
        return name == STDIN or _DESCRIPTOR.fullmatch(name) is not None or Path(name).is_fifo()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return False


def label_of(name: str) -> str:
    """What results and messages call such an input."""
    return STDIN_LABEL if name == STDIN else name


@contextmanager
def whole_copy(name: str, warn: Callable[[str], None]) -> Iterator[Path]:
    """A copy of all that comes through `name`, deleted after the block.

    An interrupt while it is copied does not end the program: mostly it also ends the program that writes (`ssh host
    tcpdump -w -`), and what it wrote is worth a verdict. `warn` gets a message then. Raises CaptureError, NoRoomError.
    """
    label = label_of(name)
    with temporary_folder() as folder:
        copy = Path(folder) / "capture"
        try:
            with _opened(name, label) as source, first_interrupt(lambda: warn(_ENDING.format(label))):
                _copy(source, copy)
        except OSError as error:
            raise CaptureError(label, f"cannot be read: {error.strerror}") from None
        yield copy


@contextmanager
def text_file(name: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    """A log or trace as a file: itself, or a copy of what comes through it. Errors call it by its own name."""
    if not is_piped(str(name)):
        yield name
        return
    with whole_copy(str(name), warn) as copy:
        try:
            yield copy
        except CaptureError as error:
            if error.problem.file != str(copy):
                raise
            raise CaptureError(label_of(str(name)), error.problem.reason, error.problem.hint) from None


_ENDING = "interrupted: {} is judged up to here when its writer ends; press Ctrl-C again to give up"


def _opened(name: str, label: str) -> IO[bytes]:
    """The input, open for reading. Raises CaptureError, OSError."""
    found = _DESCRIPTOR.fullmatch(name)
    if name != STDIN and not found:
        return Path(name).open("rb")
    if found and found[1]:
        return os.fdopen(os.dup(int(found[1])), "rb")
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError(label, "is closed", _USAGE)
    if sys.stdin.isatty():
        raise CaptureError(label, "is a terminal, where nothing is piped into it", _USAGE)
    return sys.stdin.buffer


_USAGE = "pipe a capture into it: tcpdump -w - | rstorigin summarize -"


def _copy(source: IO[bytes], path: Path) -> None:
    with writing_temporary():
        target = path.open("xb", buffering=0)
    with target:
        while piece := source.read(_COPIED):
            with writing_temporary():
                target.write(piece)
