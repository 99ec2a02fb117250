"""Errors that nobody foresaw: what a user reads, and the traceback for whoever mends the program."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from heuristics.errors import RstoriginError, visible
from postproc.runtime.errors import CaptureError

DEBUG_VARIABLE = "RSTORIGIN_DEBUG"  # workers inherit it
REPORT = "this is a bug of rstorigin, please report it with the traceback that --debug shows"
_ENDING = (KeyboardInterrupt, SystemExit, GeneratorExit)  # end the program, or a generator, and are no failure
_SHOWN = 300  # characters of an error that a message repeats


@contextmanager
def debugging() -> Iterator[None]:
    """In the block, `show_traceback` shows tracebacks, in workers that are started in it, too."""
    before = os.environ.get(DEBUG_VARIABLE)
    os.environ[DEBUG_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[DEBUG_VARIABLE]
        else:
            os.environ[DEBUG_VARIABLE] = before


def input_failure(file: str, error: BaseException) -> CaptureError:
    """The error of one input, for any error that stopped the work on it.

    Shows the traceback of an error that nobody foresaw, where that is asked for. Raises `error` again where it ends the
    program. Polars' panics are no `Exception`, so callers have to catch BaseException.
    """
    if isinstance(error, _ENDING):
        raise error
    if isinstance(error, CaptureError):
        return error
    if isinstance(error, RstoriginError):
        return CaptureError(file, str(error))
    show_traceback(error)
    return CaptureError(file, *reason_and_hint(error))


def reason_and_hint(error: BaseException) -> tuple[str, str]:
    """What an error that nobody foresaw means for a user, and what to do."""
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it", "give it more, or try --jobs 1"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}", ""
    first_line = str(error).partition("\n")[0][:_SHOWN]
    return f"rstorigin failed: {': '.join(filter(None, (type(error).__name__, first_line)))}", REPORT


def show_traceback(error: BaseException) -> None:
    """Print the traceback of `error` on stderr, where --debug or $RSTORIGIN_DEBUG asks for it."""
    if os.environ.get(DEBUG_VARIABLE):
        lines = "".join(traceback.format_exception(error)).splitlines()
        sys.stderr.write("".join(f"{visible(line)}\n" for line in lines))
        sys.stderr.flush()
