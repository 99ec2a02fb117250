"""What a user named -> the files to read, in order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heuristics.errors import Problem
from postproc.capture.file_type import Kind, kind_of, looks_like_capture
from postproc.runtime import output_folder as about
from postproc.runtime.errors import CaptureError

_READ_IN_FOLDERS = (Kind.CAPTURE, Kind.EXPORT, Kind.PARQUET)
_NAME_SOMETHING = "name a capture, a fields export, or a folder that holds some"


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read. `name` is what the column `capture` calls it: relative to `case`, the folder given, if any.

    `url` is where it has to be fetched from, if it is not on this machine.
    """

    path: Path
    name: str
    kind: Kind
    case: Path | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """The files to read, and what could not be found."""

    files: tuple[Source, ...]
    problems: tuple[Problem, ...]


def find_sources(paths: Sequence[Path]) -> Sources:
    """The files at `paths` and, of folders, the captures and exports in them, at any depth.

    Files come in the order given, those of a folder by name and before its folders; each once, however often and by
    whatever link it was reached. Hidden files and folders are passed over inside a folder, not when
    named. So are tables that --out wrote.
    """
    found: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        if path.is_dir():
            inside = list(_in_folder(path, problems))
            found += inside
            if not inside:
                problems.append(Problem(str(path), "", "", "holds no captures or exports", _NAME_SOMETHING))
            continue
        try:
            found.append(Source(path, _name(path), kind_of(path)))
        except CaptureError as error:
            problems.append(error.problem)
    once: dict[Path, Source] = {}
    for source in found:
        once.setdefault(source.path.resolve(), source)
    return Sources(_unambiguous(list(once.values())), tuple(problems))


def _unambiguous(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Where two folders hold files of one name, those are called by their whole path."""
    names = Counter(source.name for source in sources)
    return tuple(replace(source, name=_name(source.path)) if names[source.name] > 1 else source for source in sources)


def _name(path: Path) -> str:
    """The path as text that can be written anywhere: bytes that are no UTF-8 as `\\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _in_folder(top: Path, problems: list[Problem]) -> Iterator[Source]:
    for path in _walk(top, problems):
        if path.name in about.FILES and about.is_about_us(path.parent):
            continue
        try:
            kind = kind_of(path)
        except CaptureError as error:
            problems.append(error.problem)
            continue
        if kind in _READ_IN_FOLDERS or looks_like_capture(path):
            yield Source(path, _name(path.relative_to(top)), kind, top)


def _walk(top: Path, problems: list[Problem]) -> Iterator[Path]:
    """Every file below `top` that is not hidden, by name. A folder is entered once: links may lead in circles."""

    def cannot_list(error: OSError) -> None:
        problems.append(Problem(str(error.filename), "", "", f"cannot be listed: {error.strerror}"))

    entered: set[Path] = set()
    for folder, folders, files in os.walk(top, followlinks=True, onerror=cannot_list):
        here = Path(folder)
        if here.resolve() in entered:
            folders.clear()
            continue
        entered.add(here.resolve())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = here / name
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):  # no pipes, sockets, devices
                yield path
