"""What was found out about the captures of a case folder, kept in `CASE/.rstorigin/` as Parquet, one file a capture.

A result holds as long as the capture's content and everything that has a say in it stay the same: rulebook, program,
tshark, options. Size and time of change stand for the content; where they differ, its SHA-256 decides. Files appear
whole or not at all, so any number of runs may share a cache, and an interrupted one loses only what it was about. At
the end of a run all results are written together as well, for the next one to read at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from postproc.atomic import whole_file
from postproc.errors import OutputError
from postproc.reconcile import Reconciled
from postproc.records import DAMAGED_PARQUET, from_plain, schema_of, to_plain
from postproc.sources import Source
from postproc.stored import STORED, from_row, to_row
from postproc.task import Done, Judged, Stamp, content_hash, file_stamp
from postproc.tshark import Tshark, Version, asked_version, find

FOLDER = ".rstorigin"
_RESULTS = "results"
_KEPT = 4  # settings whose results are kept: trying another rulebook does not cost the results of the last one
_SETTINGS = re.compile("[0-9a-f]{32}")  # a folder of ours among the results (postproc.settings.settings_key)
_TOGETHER = "together.parquet"
# Of the file that a result comes from: its name, and its stamp when it was put together with others.
_STAMP: dict[str, pl.DataType] = {"kept_as": pl.String(), "kept_size": pl.Int64(), "kept_ns": pl.Int64()}
_PAIR_SCHEMA = schema_of(Reconciled)


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
        return cls(folder, {row["path"]: row for row in rows}, scattered, trouble)

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
        stamps = _stamps(self.folder)  # before reading: what changes meanwhile does not count as together
        rows = pl.concat([pl.DataFrame(schema=STORED), *_read_each([self.folder / name for name in stamps])])
        kept = pl.DataFrame([(name, *stamp) for name, stamp in stamps.items()], schema=_STAMP, orient="row")
        named = rows.with_columns(kept_as=pl.Series(map(_place, rows["path"]), dtype=pl.String))
        with suppress(OutputError, *DAMAGED_PARQUET), whole_file(self.folder / _TOGETHER, follow=False) as file:
            named.join(kept, on="kept_as").write_parquet(file)

    def find_pair(self, key: str) -> Reconciled | None:
        """What is known of two captures that were compared."""
        rows = _read_one(self.folder / f"pair-{key}.parquet", _PAIR_SCHEMA)
        return from_plain(Reconciled, rows[0]) if rows else None

    def store_pair(self, key: str, reconciled: Reconciled) -> None:
        """Keep what came of comparing two captures."""
        self._write(f"pair-{key}.parquet", to_plain(reconciled), _PAIR_SCHEMA)

    def _keep(self, row: dict[str, Any]) -> None:
        self._write(_place(row["path"]), row, STORED)
        self.scattered = True

    def _write(self, name: str, row: dict[str, Any], schema: dict[str, pl.DataType]) -> None:
        if self.trouble:
            return
        try:
            with whole_file(self.folder / name, follow=False) as file:
                pl.DataFrame([row], schema=schema).write_parquet(file)
        except (OutputError, pl.exceptions.PolarsError) as error:
            self.trouble = str(error)


def remembered_tshark(case: Path) -> Tshark:
    """tshark, without asking the program for its version when the case remembers it. Raises TsharkError."""
    if (case / FOLDER).is_symlink():  # would lead out of the case
        return find()
    return find(lambda program: _remembered_version(case / FOLDER / "tshark.json", program, asked_version))


def _remembered_version(memory: Path, program: Path, ask: Callable[[Path], Version]) -> Version:
    status = program.stat()
    identity = [str(program.resolve()), status.st_size, status.st_mtime_ns]
    with suppress(OSError, ValueError, KeyError, TypeError):
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered["program"] == identity:
            major, minor, micro = map(int, remembered["version"])
            return major, minor, micro
    version = ask(program)
    with suppress(OutputError), whole_file(memory, follow=False) as file:  # else it is asked again next time
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


def _read(folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """All rows, and whether any of them is not in the file that holds them together, or no longer as it is there."""
    stamps = _stamps(folder)
    together = _read_one(folder / _TOGETHER, STORED | _STAMP) if stamps else []
    rows = {row["kept_as"]: row for row in together if (row["kept_size"], row["kept_ns"]) == stamps.get(row["kept_as"])}
    left = [folder / name for name in stamps if name not in rows]
    return [*rows.values(), *(row for table in _read_each(left) for row in table.to_dicts())], bool(left)


def _read_each(paths: list[Path]) -> list[pl.DataFrame]:
    """The tables in these files, but for those that are damaged or have just been let go."""
    try:
        return [pl.read_parquet(paths, schema=STORED)] if paths else []
    except DAMAGED_PARQUET:
        if len(paths) == 1:
            return []
        return [table for path in paths for table in _read_each([path])]


def _stamps(folder: Path) -> dict[str, Stamp]:
    """Size and time of change of every file with the result of one capture."""
    found = ((path.name, file_stamp(path)) for path in sorted(folder.glob("[0-9a-f]*.parquet")))
    return {name: stamp for name, stamp in found if stamp}


def _read_one(path: Path, schema: dict[str, pl.DataType]) -> list[dict[str, Any]]:
    try:
        return pl.read_parquet(path, schema=schema).to_dicts()
    except DAMAGED_PARQUET:
        return []


def _place(name: str) -> str:
    """The name of the file that holds the result of the capture at this path within the case."""
    return f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.parquet"
