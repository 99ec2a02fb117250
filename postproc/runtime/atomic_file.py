"""Output files appear complete or not at all, and never replace an input."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from postproc.runtime.errors import OutputError
from postproc.runtime.leftovers import hold, remove_leftovers

_OTHER_PLACE = "choose another place with -o"
_TEMPORARY = ".rstorigin-{}.tmp"
# Names of what this process has open already: opened anew, a file behind one would be emptied.
_OPEN_FILE = re.compile(r"/dev/std(?P<name>out|err)|/(?:dev|proc/self)/fd/(?P<number>[0-9]{1,9})")
_NUMBERS = {"out": 1, "err": 2}


@contextmanager
def whole_file(
    target: Path, inputs: Iterable[Path] = (), hint: str = _OTHER_PLACE, *, follow: bool = True
) -> Iterator[IO[bytes]]:
    """A file to write to. It becomes `target` when the block ends well, and disappears when it does not.

    Replaces the target of a symbolic link, or with `follow=False` the link itself. Writes to a device, a pipe or
    something like /dev/stdout directly. Raises OutputError when `target` is among `inputs` or cannot be written; `hint`
    then says what to do. Errors of the system in the block count as errors of writing, unless they name another file.
    """
    check_not_input(target, inputs)
    try:
        if follow and (direct := _direct(target)) is not None:
            with direct as file:
                yield file
            return
        if follow:
            target = Path(os.path.realpath(target))  # Path.resolve raises other errors for circles of links
        remove_leftovers(target.parent, _TEMPORARY.format("*"))
        temporary = target.with_name(_TEMPORARY.format(secrets.token_hex(6)))
        try:
            with temporary.open("xb") as file:
                hold(file.fileno())
                yield file
            if target.is_dir() and not target.is_symlink():
                raise OutputError(str(target), "is a folder", "name a file")
            os.replace(temporary, target)  # noqa: PTH105 - only this name promises to be atomic
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error.filename, str | bytes) and Path(os.fsdecode(error.filename)).parent != target.parent:
            raise
        raise OutputError(str(target), f"cannot be written: {error.strerror}", hint) from None


def check_not_input(target: Path, inputs: Iterable[Path]) -> None:
    """Raises OutputError when `target` is among `inputs`."""
    for path in inputs:
        with suppress(OSError):  # one of them does not exist, so they differ
            if target.samefile(path):
                raise OutputError(str(target), "is an input and would be overwritten", _OTHER_PLACE)


def _direct(target: Path) -> IO[bytes] | None:
    """What to write to at once, where `target` is no place for a file. Raises OSError."""
    open_file = _OPEN_FILE.fullmatch(os.path.abspath(target))  # noqa: PTH100 - does not follow links
    if open_file is not None:
        number = int(open_file["number"]) if open_file["number"] else _NUMBERS[open_file["name"]]
        return os.fdopen(os.dup(number), "wb")
    if target.exists() and not target.is_file() and not target.is_dir():
        return target.open("wb")
    return None
