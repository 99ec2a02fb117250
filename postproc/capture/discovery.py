"""Finds the input files at the paths that a user names, in order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

from heuristics.errors import Problem
from postproc.capture import archive
from postproc.capture.file_type import (
    TYPES_IN_FOLDERS,
    FileType,
    begins_with_packet,
    file_type_of,
    looks_like_capture,
    named_like_input,
)
from postproc.runtime.errors import CaptureError
from postproc.runtime.output_folder import OUTPUT_FILES, holds_our_tables

_NAME_INPUT = "name a capture, a fields export, or a folder that holds some"


@dataclass(frozen=True, slots=True)
class Source:
    """One input file. `name` is its value of the column `capture`: relative to the folder `case` that holds it, if any.

    `url` is where to fetch the file from, where it is not on this machine. `member` is its name in the zip archive
    `path`. `given` is what the user calls it, where `path` is a copy that we made.
    """

    path: Path
    name: str
    file_type: FileType
    case: Path | None = None
    url: str | None = None
    member: str | None = None
    given: str | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        label = self.url or self.given or str(self.path)
        return label if self.member is None else f"{label}/{self.member}"

    def labelled(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems, of which those of the file `path` call it by its label."""
        return tuple(replace(each, file=self.label) if each.file == str(self.path) else each for each in problems)


@dataclass(frozen=True, slots=True)
class Sources:
    """The input files, and the problems met while looking for them."""

    files: tuple[Source, ...]
    problems: tuple[Problem, ...]


def find_sources(paths: Sequence[Path], given: Mapping[Path, str] | None = None) -> Sources:
    """The files at `paths`, the captures, exports and packet text inside folders, at any depth, and inside archives.

    `given` has what the user calls those paths that are copies of ours. A member of an archive is a path too:
    `a.zip/b.pcap`.

    Files come in the order of `paths`; inside a folder by name, files before folders. Each file comes once, even if
    several paths or links lead to it. Inside a folder, hidden files and folders and the tables of --out are left out;
    a hidden file that is named itself is read.
    """
    found: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises errors, for a name that is too long
            inside = list(_in_folder(path, problems))
            found += inside
            if not inside:
                problems.append(Problem(str(path), "", "", "holds no captures or exports", _NAME_INPUT))
            continue
        try:
            found += _named(path, (given or {}).get(path), problems)
        except CaptureError as error:
            problems.append(error.problem)
    once: dict[tuple[Path, str | None], Source] = {}
    for source in found:
        once.setdefault((source.path.resolve(), source.member), source)
    return Sources(_unambiguous(list(once.values())), tuple(problems))


def _named(path: Path, given: str | None, problems: list[Problem]) -> list[Source]:
    """The input at a path that is no folder, or those in an archive there. Raises CaptureError."""
    if (above := _archive_above(path)) is not None:
        of_all: list[Problem] = []
        inside = _members(Source(above, _name(above), FileType.ARCHIVE), of_all)
        found = [each for each in inside if each.name == _name(path)]
        of_this = [each for each in of_all if each.file == str(path)]
        if not found and not of_this:
            raise CaptureError(str(path), f"is not in the archive {above}", _NAME_INPUT)
        problems += of_this
        return found
    source = Source(path, given or _name(path), file_type_of(path), given=given)
    if source.file_type is not FileType.ARCHIVE:
        return [source]
    inside = _members(source, problems)
    if not inside:
        raise CaptureError(source.label, "is a zip archive that holds no captures or exports to read", _NAME_INPUT)
    return inside


def _archive_above(path: Path) -> Path | None:
    """The archive in which `path` names a member, if there is one."""
    with suppress(OSError, ValueError):  # ValueError: a NUL in the path
        file = next(filter(Path.is_file, path.parents), None)
        return file if file and file_type_of(file) is FileType.ARCHIVE else None
    return None


def _members(source: Source, problems: list[Problem]) -> list[Source]:
    """The inputs in an archive. Raises CaptureError."""
    found = archive.members(source.path, source.label)
    for member in found:
        if member.obstacle and named_like_input(Path(member.name)):
            file = f"{source.label}/{member.name}"
            problems.append(Problem(file, "", "", member.obstacle, "unpack it, and name the file"))
    return [
        replace(source, name=f"{source.name}/{member.name}", file_type=member.file_type, member=member.name)
        for member in found
        if archive.is_wanted(member) and not member.obstacle
    ]


def _unambiguous(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Where two folders hold a file of the same name, each gets its whole path as name."""
    names = Counter(source.name for source in sources)
    return tuple(replace(source, name=_whole_name(source)) if names[source.name] > 1 else source for source in sources)


def _whole_name(source: Source) -> str:
    return _name(source.path) if source.member is None else f"{_name(source.path)}/{source.member}"


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
        source = Source(path, _name(path.relative_to(top)), file_type, top)
        if file_type is FileType.ARCHIVE:
            yield from _in_archive(source, problems)
        elif file_type in TYPES_IN_FOLDERS or looks_like_capture(path) or _is_text_alone(path, file_type):
            yield source


def _in_archive(source: Source, problems: list[Problem]) -> list[Source]:
    """The inputs in an archive in a folder, where many other files are zip archives too, as those of an office."""
    try:
        return _members(source, problems)
    except CaptureError as error:
        if source.path.suffix.lower() == ".zip":
            problems.append(error.problem)
        return []


def _is_text_alone(path: Path, file_type: FileType) -> bool:
    """Whether this is packet text that is no note and no copy: a capture of the same name holds the same packets."""
    if file_type is not FileType.PACKET_TEXT or not begins_with_packet(path):
        return False
    name = path.name.partition(".")[0]
    return not any(looks_like_capture(other) for other in path.parent.glob(f"{escape(name)}.*"))


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
            if not name.startswith(".") and (path.is_file() or not path.exists()):  # no pipes, sockets, devices
                yield path
