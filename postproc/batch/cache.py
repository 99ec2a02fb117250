"""What was found out about the captures of a case folder, kept in `CASE/.rstorigin/` as Parquet, one file a capture.

A result holds as long as the capture's content and everything that has a say in it stay the same: rulebook, program,
tshark, options. Size and time of change stand for the content; where they differ, its SHA-256 decides. Files appear
whole or not at all, so any number of runs may share a cache, and an interrupted one loses only what it was about. At
the end of a run all results are written together as well, for the next one to read at once: as JSON, since to import
what reads Parquet takes longer than all else that an unchanged case asks for.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postproc.batch.job import Done, Judged, Stamp, content_hash, file_stamp
from postproc.batch.result_codec import from_row, to_row
from postproc.capture.discovery import Source
from postproc.capture.tshark.program import Tshark, Version, asked_version, find
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.dataclass_codec import from_plain, to_plain
from postproc.runtime.errors import OutputError
from postproc.verdicts.reconcile_result import Reconciled

FOLDER = ".rstorigin"
_Kept = tuple[str, Stamp, dict[str, Any]]  # the name of the file with a result, its stamp, and the result
_RESULTS = "results"
_INSTEAD = "make room there, or use --no-cache"
_KEPT = 4  # settings whose results are kept: trying another rulebook does not cost the results of the last one
_SETTINGS = re.compile("[0-9a-f]{32}")  # a folder of ours among the results (postproc.settings.settings_key)
_TOGETHER = "together.json.gz"  # a line for each result, with the name and stamp of the file that it is from
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, TypeError)  # raised by reading it where it is not as we wrote it


@dataclass
class Cache:
    """The cache of one case folder, for one key of settings. `known` are its rows, by the path within the case.

    `scattered`: not all of them are in the file that holds results together. `trouble` says why nothing can be kept,
    where that is so.
    """

    folder: Path
    known: dict[str, dict[str, Any]]
    scattered: bool = False
    trouble: str = ""

    @classmethod
    def open(cls, case: Path, settings: str) -> Cache:
        """Read what the case's cache knows. Never fails: what cannot be read is not known."""
        folder = case / FOLDER / _RESULTS / settings
        trouble = _made(case, folder)
        rows, scattered = _read(folder)
        return cls(folder, {row["path"]: row for _, _, row in rows}, scattered, trouble)

    def find(self, source: Source) -> Judged | None:
        """What is known of a source whose file has not changed, to judge by size and time of change."""
        row = self.known.get(source.name)
        if row is None or (row["size"], row["mtime_ns"]) != file_stamp(source.path):
            return None
        return from_row(row, source)

    def find_content(self, source: Source) -> Judged | None:
        """What is known of a file of the same content, whatever its name and time; kept under the new ones.

        Reads the file only where one of its size is known.
        """
        stamp = file_stamp(source.path)
        alike = {row["content"]: row for row in self.known.values() if stamp and row["size"] == stamp[0]}
        try:
            row = alike.get(content_hash(source.path)) if alike else None
        except OSError:  # gone meanwhile: whoever reads it next will say so
            return None
        if row is None or stamp is None:
            return None
        size, mtime_ns = stamp
        self._keep(row | {"path": source.name, "size": size, "mtime_ns": mtime_ns})
        return from_row(row, source)

    def store(self, source: Source, done: Done) -> None:
        """Keep a result. What could not be read is tried again next time; so is what changed while it was read."""
        if not done.judged.readable or done.stamp is None or done.stamp != file_stamp(source.path):
            return
        self._keep(to_row(source.name, done))

    def forget_missing(self, names: set[str]) -> None:
        """Remove the results of files that are no longer in the case."""
        for name in self.known.keys() - names:
            with suppress(OSError):
                (self.folder / _place(name)).unlink(missing_ok=True)

    def gather(self) -> None:
        """Write all results together, those of other runs too: one file is read sooner than hundreds."""
        if self.trouble or not self.scattered:
            return
        rows, _ = _read(self.folder)
        with (
            suppress(OutputError),
            whole_file(self.folder / _TOGETHER, follow=False) as file,
            gzip.open(file, "wb", compresslevel=1) as packed,
        ):
            packed.writelines(json.dumps([name, *stamp, row]).encode() + b"\n" for name, stamp, row in rows)

    def find_pair(self, key: str) -> Reconciled | None:
        """What is known of two captures that were compared."""
        file = self.folder / f"pair-{key}.parquet"
        if not file.exists():
            return None
        from postproc.batch.parquet_rows import PAIRS, read_rows  # slow to import

        rows = read_rows([file], PAIRS)
        return from_plain(Reconciled, rows[0]) if rows else None

    def store_pair(self, key: str, reconciled: Reconciled) -> None:
        """Keep what came of comparing two captures."""
        from postproc.batch.parquet_rows import PAIRS, one_row  # slow to import

        self._write(f"pair-{key}.parquet", one_row(to_plain(reconciled), PAIRS))

    def _keep(self, row: dict[str, Any]) -> None:
        from postproc.batch.parquet_rows import STORED, one_row  # slow to import

        self._write(_place(row["path"]), one_row(row, STORED))
        self.scattered = True

    def _write(self, name: str, content: bytes) -> None:
        if self.trouble:
            return
        try:
            with whole_file(self.folder / name, hint=_INSTEAD, follow=False) as file:
                file.write(content)
        except OutputError as error:
            self.trouble = str(error)


def remembered_tshark(case: Path) -> Tshark:
    """tshark, without asking the program for its version when the case remembers it. Raises TsharkError."""
    if (case / FOLDER).is_symlink():  # would lead out of the case
        return find()
    return find(lambda program: _remembered_version(case / FOLDER / "tshark.json", program))


def _remembered_version(memory: Path, program: Path) -> Version:
    status = program.stat()
    identity = [str(program.resolve()), status.st_size, status.st_mtime_ns]
    with suppress(OSError, ValueError, KeyError, TypeError):
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered["program"] == identity:
            major, minor, micro = map(int, remembered["version"])
            return major, minor, micro
    version = asked_version(program)
    with suppress(OSError, OutputError):  # else it is asked again next time
        memory.parent.mkdir(exist_ok=True)  # the first run comes here before its results do
        with whole_file(memory, follow=False) as file:
            file.write(json.dumps({"program": identity, "version": version}).encode())
    return version


def _made(case: Path, folder: Path) -> str:
    """Make the folder, and let old settings' results go; what is in the way, if anything."""
    for path in (case / FOLDER, folder.parent, folder):
        if path.is_symlink():  # would lead out of the case
            return f"{path} is a symbolic link"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return f"{folder} cannot be written to"
        os.utime(folder)
        ours = (path for path in folder.parent.iterdir() if _SETTINGS.fullmatch(path.name) and not path.is_symlink())
        for old in sorted(ours, key=lambda path: path.stat().st_mtime_ns, reverse=True)[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return ""


def _read(folder: Path) -> tuple[list[_Kept], bool]:
    """All results, and whether any of them is not in the file that holds them together, or no longer as it is there."""
    stamps = _stamps(folder)  # before reading: what changes meanwhile does not count as together
    kept = [each for each in _read_together(folder) if stamps.get(each[0]) == each[1]] if stamps else []
    left = sorted(stamps.keys() - {name for name, _, _ in kept})
    return [*kept, *_read_each(folder, left, stamps)], bool(left)


def _read_together(folder: Path) -> list[_Kept]:
    try:
        with gzip.open(folder / _TOGETHER) as file:
            lines = [json.loads(line) for line in file.readlines()]  # all, to have its checksum looked at first
        return [(name, (size, changed_ns), row) for name, size, changed_ns, row in lines]
    except _DAMAGED:
        return []


def _read_each(folder: Path, names: list[str], stamps: Mapping[str, Stamp]) -> list[_Kept]:
    if not names:
        return []
    from postproc.batch.parquet_rows import STORED, read_rows  # slow to import

    rows = read_rows([folder / name for name in names], STORED)
    return [(name, stamps[name], row) for row in rows if (name := _place(row["path"])) in stamps]


def _stamps(folder: Path) -> dict[str, Stamp]:
    """Size and time of change of every file with the result of one capture."""
    found = ((path.name, file_stamp(path)) for path in sorted(folder.glob("[0-9a-f]*.parquet")))
    return {name: stamp for name, stamp in found if stamp}


def _place(name: str) -> str:
    """The name of the file that holds the result of the capture at this path within the case."""
    return f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.parquet"
