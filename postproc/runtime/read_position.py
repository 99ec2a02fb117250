"""How far a file has been read, by this process or a child such as tshark, as the kernel knows it. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")


class ReadPosition:
    """How much of the work on a file is done. A capture is read twice at most: to find resets, then what they need."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        self._last = 0
        self._again = False

    def bytes_read(self) -> int:
        """Bytes of the current reading; the last ones known where nobody has the file open just now."""
        found = max(_positions(self._path), default=None)
        if found is not None:
            self._again = self._again or found < self._last
            self._last = min(found, self.size)
        return self._last

    def done(self) -> float:
        """The part of the work that is done, from 0 to 1, as of the last `bytes_read`."""
        share = self._last / self.size if self.size else 1.0
        return (1 + share) / 2 if self._again else share / 2


def _positions(path: Path) -> Iterator[int]:
    """Where in the file this process and its children are that have it open."""
    try:
        wanted = path.stat()
    except OSError:
        return
    for process in ("self", *_children()):
        with suppress(OSError):  # the process has ended, or there is no /proc
            for descriptor in (_PROCESSES / process / "fd").iterdir():
                with suppress(OSError, ValueError):
                    if os.path.samestat(descriptor.stat(), wanted):
                        info = (_PROCESSES / process / "fdinfo" / descriptor.name).read_text(encoding="ascii")
                        yield int(info.split(maxsplit=2)[1])  # "pos:", then the number


def _children() -> list[str]:
    """The process ids of our children."""
    found: list[str] = []
    with suppress(OSError):
        for thread in (_PROCESSES / "self" / "task").iterdir():
            with suppress(OSError):
                found += (thread / "children").read_text(encoding="ascii").split()
    return found
