"""Output files appear whole or not at all, and never in the place of an input."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from postproc.runtime.errors import OutputError

_ELSEWHERE = "choose another place with -o"


@contextmanager
def whole_file(
    target: Path, inputs: Iterable[Path] = (), hint: str = _ELSEWHERE, *, follow: bool = True
) -> Iterator[IO[bytes]]:
    """A file to write to, which becomes `target` when the block ends well and vanishes when it does not.

    Of a symbolic link, what it points to is replaced, or with `follow=False` the link itself. A device or pipe is
    written directly. Raises OutputError when `target` is among `inputs`, or cannot be written: then `hint` says what
    to do.
    """
    spare(target, inputs)
    try:
        if follow:
            target = target.resolve()
            if target.exists() and not target.is_file() and not target.is_dir():
                with target.open("wb") as file:
                    yield file
                return
        temporary = target.with_name(f".rstorigin-{secrets.token_hex(6)}.tmp")
        try:
            with temporary.open("xb") as file:
                yield file
            if target.is_dir() and not target.is_symlink():
                raise OutputError(str(target), "is a folder", "name a file")
            os.replace(temporary, target)  # noqa: PTH105 - the name that says that it is atomic
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(target), f"cannot be written: {error.strerror}", hint) from None


def spare(target: Path, inputs: Iterable[Path]) -> None:
    """Raises OutputError when `target` is among `inputs`."""
    for path in inputs:
        with suppress(OSError):  # one of them does not exist: nothing to spare
            if target.samefile(path):
                raise OutputError(str(target), "is an input and would be overwritten", _ELSEWHERE)
