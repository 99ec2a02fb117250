"""Output files appear complete or not at all, and never replace an input."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from postproc.runtime.errors import OutputError

_OTHER_PLACE = "choose another place with -o"


@contextmanager
def whole_file(
    target: Path, inputs: Iterable[Path] = (), hint: str = _OTHER_PLACE, *, follow: bool = True
) -> Iterator[IO[bytes]]:
    """A file to write to. It becomes `target` when the block ends well, and disappears when it does not.

    Replaces the target of a symbolic link, or with `follow=False` the link itself. Writes to a device or pipe directly.
    Raises OutputError when `target` is among `inputs` or cannot be written; `hint` then says what to do.
    """
    check_not_input(target, inputs)
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
            os.replace(temporary, target)  # noqa: PTH105 - only this name promises to be atomic
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(target), f"cannot be written: {error.strerror}", hint) from None


def check_not_input(target: Path, inputs: Iterable[Path]) -> None:
    """Raises OutputError when `target` is among `inputs`."""
    for path in inputs:
        with suppress(OSError):  # one of them does not exist, so they differ
            if target.samefile(path):
                raise OutputError(str(target), "is an input and would be overwritten", _OTHER_PLACE)
