"""Zip archives of captures: what is inside, and one member at a time as a file.

An archive may come from anybody. A member's name is shown and compared, and never used as a path. Only methods of
compression whose memory is bounded are read. Whatever a header promises, no more than that is written.
"""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from postproc.capture.file_type import HEAD, TYPES_IN_FOLDERS, FileType, looks_like_capture, type_of_content
from postproc.runtime.errors import CaptureError
from postproc.runtime.temp_files import writing_temporary

MOST_FILES = 10_000  # in one archive
MOST_BYTES = 32_000_000_000  # that the captures of one archive hold, unpacked
_COPIED = 1 << 20  # bytes at a time
_ENCRYPTED = 0x1  # bit 0 of the general purpose flags (APPNOTE.TXT, 4.4.4)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAME_FOLDER = "unpack it, and name the folder"
# Errors of zipfile on what is damaged, or made to look so.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, LookupError, OSError),  # IndexError: a member without a name
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name there, and its type; or why it cannot be read, if `obstacle` is not empty."""

    name: str
    file_type: FileType
    obstacle: str = ""


def members(archive: Path, label: str) -> list[Member]:
    """The files in an archive, by name, without hidden ones. `label` is what messages call the archive.

    Raises CaptureError for a damaged archive, and for one that holds more than MOST_FILES or MOST_BYTES.
    """
    with _opened(archive, label) as opened:
        infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
        if len(infos) > MOST_FILES:
            raise CaptureError(label, f"holds {len(infos):,} files, more than {MOST_FILES:,}", _NAME_FOLDER)
        found = {
            name: _member(opened, info)
            for name, info in sorted(infos.items())
            if not any(part == "__MACOSX" or re.match(r"\.[^.]", part) for part in PurePosixPath(name).parts)
        }
    size = sum(infos[name].file_size for name, member in found.items() if is_wanted(member))
    if size > MOST_BYTES:
        raise CaptureError(label, f"unpacks to {size:,} bytes, more than {MOST_BYTES:,}", _NAME_FOLDER)
    return [*found.values()]


def is_wanted(member: Member) -> bool:
    """Whether a member is an input: by its content, or because it is named like a capture."""
    return member.file_type in TYPES_IN_FOLDERS or looks_like_capture(Path(member.name))


def unpack(archive: Path, member: str, target: Path, label: str) -> None:
    """Write one member to the file `target`. Raises CaptureError, NoRoomError."""
    with _opened(archive, label) as opened, opened.open(member) as packed, _created(target) as file:
        while piece := packed.read(_COPIED):
            with writing_temporary():
                file.write(piece)


@contextmanager
def _opened(archive: Path, label: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except _DAMAGED as error:
        reason = f"is a damaged zip archive, or none: {str(error) or type(error).__name__}"
        raise CaptureError(label, reason, "copy it again, or unpack it and name the folder") from None


def _created(path: Path) -> IO[bytes]:
    with writing_temporary():
        return path.open("xb", buffering=0)


def _member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    if info.flag_bits & _ENCRYPTED:
        return Member(info.filename, FileType.UNKNOWN, "is encrypted")
    if info.compress_type not in _METHODS:
        return Member(info.filename, FileType.UNKNOWN, "is compressed by another method than deflate")
    try:
        with opened.open(info) as packed:
            file_type = type_of_content(packed.read(HEAD))
    except _DAMAGED:
        return Member(info.filename, FileType.UNKNOWN, "is damaged")
    return Member(info.filename, file_type, "is an archive itself" if file_type is FileType.ARCHIVE else "")
