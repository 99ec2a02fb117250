"""Small files that the program keeps for its user: what takes long to find out, and can be found out anew.

Nothing here may fail: what cannot be kept, or be read, is found out again. A file counts only if it is the user's own
and nobody else may write to it or to its folder, since it decides what the program does.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

# Elsewhere the owner of a file cannot be seen so easily, and nothing is kept.
_OWNERS_ARE_SEEN = hasattr(os, "geteuid") and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_NONBLOCK")
_MAX_BYTES = 2**24
_DIGEST_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """The folder of this program among the user's caches. Raises RuntimeError where the user has no home."""
    if sys.platform == "win32":
        return _absolute("LOCALAPPDATA", Path("AppData", "Local")) / "rstorigin"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "rstorigin"
    return _absolute("XDG_CACHE_HOME", Path(".cache")) / "rstorigin"


def _absolute(variable: str, usual: Path) -> Path:
    """The folder that a variable names, or else `usual` in the home. A relative one does not count (XDG)."""
    folder = Path(os.environ.get(variable, ""))
    return folder if folder.is_absolute() else Path.home() / usual


def kept(name: str, key: str) -> bytes | None:
    """What was kept under this name and key; None where that is missing, damaged, or may be somebody else's.

    `key` names everything that the content depends on. Each name has one content, that of the last key.
    """
    if not _OWNERS_ARE_SEEN:
        return None
    with suppress(OSError, RuntimeError):
        folder = cache_folder()
        if not _is_ours(folder.lstat(), stat.S_IFDIR):
            return None
        with open(folder / name, "rb", opener=_without_links) as file:
            if not _is_ours(os.fstat(file.fileno()), stat.S_IFREG):
                return None
            found = file.read(_MAX_BYTES)
        digest, content = found[:_DIGEST_BYTES], found[_DIGEST_BYTES:]
        return content if digest == _digest(key, content) else None
    return None


def keep(name: str, key: str, content: bytes) -> None:
    """Keep the content for `kept`, where that is possible. The file appears whole or not at all."""
    if not _OWNERS_ARE_SEEN:
        return
    with suppress(OSError, RuntimeError):
        folder = cache_folder()
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if there.stat().st_uid != os.geteuid():  # as under sudo: the user could not write to it later
            return
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_ours(folder.lstat(), stat.S_IFDIR):
            return
        number, temporary = tempfile.mkstemp(prefix=f"{name}.", suffix=".tmp", dir=folder)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(_digest(key, content) + content)
            Path(temporary).replace(folder / name)
        finally:
            Path(temporary).unlink(missing_ok=True)


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(f"{key}\0".encode() + content).digest()


def _is_ours(status: os.stat_result, kind: int) -> bool:
    """Whether it is of this kind, the user's own, and closed to the writing of others."""
    others_may_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid == os.geteuid() and not others_may_write


def _without_links(path: str, flags: int) -> int:
    """Opens a file; not what a link points to, and without waiting where it is a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
