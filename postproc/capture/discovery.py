"""Finds the input files at the paths that a user names, in order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heuristics.errors import Problem
from postproc.capture.file_type import FileType, file_type_of, looks_like_capture
from postproc.runtime.errors import CaptureError
from postproc.runtime.output_folder import OUTPUT_FILES, holds_our_tables

_TYPES_IN_FOLDERS = (FileType.CAPTURE, FileType.EXPORT, FileType.PARQUET)
_NAME_INPUT = "name a capture, a fields export, or a folder that holds some"


@dataclass(frozen=True, slots=True)
class Source:
    """One input file. `name` is its value of the column `capture`: relative to the folder `case` that holds it, if any.

    `url` is where to fetch the file from, where it is not on this machine.
    """

    path: Path
    name: str
    file_type: FileType
    case: Path | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """The input files, and the problems met while looking for them."""

    files: tuple[Source, ...]
    problems: tuple[Problem, ...]


def find_sources(paths: Sequence[Path]) -> Sources:
    """The files at `paths`, and the captures and exports inside folders, at any depth.

    Files come in the order of `paths`; inside a folder by name, files before folders. Each file comes once, even if
    several paths or links lead to it. Inside a folder, hidden files and folders and the tables of --out are left out;
    a hidden file that is named itself is read.
    """
    found: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        if path.is_dir():
            inside = list(_in_folder(path, problems))
            found += inside
            if not inside:
                problems.append(Problem(str(path), "", "", "holds no captures or exports", _NAME_INPUT))
            continue
        try:
            found.append(Source(path, _name(path), file_type_of(path)))
        except CaptureError as error:
            problems.append(error.problem)
    once: dict[Path, Source] = {}
    for source in found:
        once.setdefault(source.path.resolve(), source)
    return Sources(_unambiguous(list(once.values())), tuple(problems))


def _unambiguous(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Where two folders hold a file of the same name, each gets its whole path as name."""
    names = Counter(source.name for source in sources)
    return tuple(replace(source, name=_name(source.path)) if names[source.name] > 1 else source for source in sources)


def _name(path: Path) -> str:
    """The path as text that every output can hold: bytes that are not UTF-8 become `\\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _in_folder(top: Path, problems: list[Problem]) -> Iterator[Source]:
    for path in _walk(top, problems):
        if path.name in OUTPUT_FILES and holds_our_tables(path.parent):
            continue
        try:
            file_type = file_type_of(path)
        except CaptureError as error:
            problems.append(error.problem)
            continue
        if file_type in _TYPES_IN_FOLDERS or looks_like_capture(path):
            yield Source(path, _name(path.relative_to(top)), file_type, top)


def _walk(top: Path, problems: list[Problem]) -> Iterator[Path]:
    """Every file below `top` that is not hidden, by name. Enters a folder once, since links may form a circle."""

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
