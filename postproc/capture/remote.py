"""Captures named by URL (s3://, https://, file:// ...), read through fsspec: a copy is judged, then let go."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from heuristics.errors import Problem, RstoriginError, visible
from postproc.capture.discovery import Source, Sources
from postproc.capture.file_type import Kind, kind_of, looks_like_capture
from postproc.runtime.errors import CaptureError
from postproc.runtime.temp_files import MAKE_ROOM, temporary_folder

_INSTALL = "pip install 'rstorigin[cluster]', and what fsspec needs for this kind of URL (s3fs, gcsfs ...)"
_EXPORTS = (".tsv", ".parquet")


class RemoteError(RstoriginError):
    """A URL that cannot be used. Its text says what to do."""


def is_url(name: str) -> bool:
    """Whether an argument names something behind fsspec rather than a path."""
    return "://" in name


def find_remote(url: str) -> Sources:
    """The captures and exports at a URL: itself, or those below it. Raises RemoteError."""
    system, path = _opened(url)
    try:
        if system.isfile(path):
            return Sources((_source(url, url),), ())
        below = sorted(system.find(path))
    except Exception as error:  # each file system has errors of its own
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


@contextmanager
def fetched(source: Source) -> Iterator[Source]:
    """The source with a local copy of its content, gone after the block; a local one as it is. Raises CaptureError."""
    if source.url is None:
        yield source
        return
    with temporary_folder() as folder:
        copy = Path(folder) / "capture"
        try:
            system, path = _opened(source.url)
            system.get_file(path, str(copy))
        except Exception as error:  # each file system has errors of its own
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            raise CaptureError(source.url, f"cannot be fetched: {error}", MAKE_ROOM if full else "") from None
        yield replace(source, path=copy, kind=kind_of(copy))


def under_its_name(problems: Sequence[Problem], copy: Source, source: Source) -> tuple[Problem, ...]:
    """What is wrong with a copy, said of what it is a copy of."""
    named = source.url or str(source.path)
    return tuple(replace(each, file=named) if each.file == str(copy.path) else each for each in problems)


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
    # What it is shows once it is fetched; until then a capture, for which a tshark is needed.
    return Source(Path(PurePosixPath(url).name), name, Kind.UNKNOWN, url=url)


def _wanted(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and (looks_like_capture(Path(path)) or path.suffix in _EXPORTS)
