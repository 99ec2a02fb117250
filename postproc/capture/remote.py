"""Captures named by URL (s3://, https://, file:// ...): fsspec finds and fetches them."""

from __future__ import annotations

import errno
from pathlib import Path, PurePosixPath
from typing import Any

from heuristics.errors import Problem, RstoriginError, visible
from postproc.capture.discovery import Source, Sources
from postproc.capture.file_type import FileType, looks_like_capture
from postproc.runtime.errors import CaptureError
from postproc.runtime.temp_files import MAKE_ROOM

_INSTALL = "pip install 'rstorigin[cluster]', and what fsspec needs for this kind of URL (s3fs, gcsfs ...)"
_EXPORTS = (".tsv", ".parquet")


class RemoteError(RstoriginError):
    """A URL that cannot be read. Its text says what to do."""


def is_url(name: str) -> bool:
    """Whether an argument is a URL for fsspec rather than a path."""
    return "://" in name


def find_remote_sources(url: str) -> Sources:
    """The captures and exports at a URL: the file itself, or all files below it. Raises RemoteError."""
    system, path = _opened(url)
    try:
        if system.isfile(path):
            return Sources((_source(url, url),), ())
        below = sorted(system.find(path))
    except Exception as error:  # every file system raises its own errors
        raise RemoteError(visible(f"{url}: cannot be listed: {error}")) from None
    top = PurePosixPath(path)
    files = tuple(
        _source(system.unstrip_protocol(each), PurePosixPath(each).relative_to(top).as_posix())
        for each in below
        if _wanted(PurePosixPath(each).relative_to(top))
    )
    if not files:
        return Sources(
            (), (Problem(url, "", "", "holds no captures or exports", "name a capture or a folder of some"),)
        )
    return Sources(files, ())


def fetch(url: str, target: Path) -> None:
    """Write what is at the URL to the file `target`. Raises CaptureError."""
    try:
        system, path = _opened(url)
        system.get_file(path, str(target))
    except Exception as error:  # every file system raises its own errors
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        raise CaptureError(url, f"cannot be fetched: {error}", MAKE_ROOM if full else "") from None


def _opened(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    except ImportError:
        raise RemoteError(visible(f"{url}: fsspec is not installed: {_INSTALL}")) from None
    try:
        system, path = url_to_fs(url)
    except Exception as error:
        raise RemoteError(visible(f"{url}: {error}: {_INSTALL}")) from None
    return system, str(path)


def _source(url: str, name: str) -> Source:
    # The type is unknown until the file is fetched. Until then it counts as a capture, which needs tshark.
    return Source(Path(PurePosixPath(url).name), name, FileType.UNKNOWN, url=url)


def _wanted(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (looks_like_capture(Path(path)) or path.suffix in _EXPORTS)
