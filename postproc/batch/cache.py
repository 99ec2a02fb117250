"""The cache of a case folder: the results of its captures in `CASE/.rstorigin/`, as Parquet, one file per capture.

A result is valid as long as the capture's content and everything else that matters stay the same: rulebook, program,
tshark, options. Size and time of change stand for the content; where they differ, the SHA-256 of the file decides.
Files appear complete or not at all, so any number of runs may share a cache, and an interrupted run loses only the
result in work. At the end of a run all results are also written to one combined file, for the next run to read at
once: as JSON, since importing what reads Parquet takes longer than everything else in a run over an unchanged case.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import stat
import time
import zlib
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from postproc.batch.job import CaptureResult, Stamp, StampedResult, content_hash, file_stamp
from postproc.batch.result_codec import from_row, to_row
from postproc.capture.discovery import Source
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.dataclass_codec import from_plain, to_plain
from postproc.runtime.errors import OutputError
from postproc.verdicts.reconcile_result import ReconcileResult

FOLDER = ".rstorigin"
_CachedRow = tuple[str, Stamp, dict[str, Any]]  # the name of the file with a result, its stamp, the result
_RESULTS = "results"
_HINT = "make room there, or use --no-cache"
_SETTINGS_KEPT = 4  # so that a trial of another rulebook does not delete the results of the last one
_SETTINGS = re.compile("[0-9a-f]{32}")  # the name of a folder of results: a `settings_key`
_COMBINED = "together.json.gz"  # one line per result, with the name and stamp of its own file
_PAIRS = "pairs.json.gz"  # one line per comparison of two captures, with its key
_FIRST_PAIRS = 256  # so many comparisons are written together at first
_MAX_UNPACKED = 100  # times the size of the combined file; ours takes some 10 times
_FOUND_BY = {"path": str, "size": int, "mtime_ns": int, "content": str}  # columns of a row, by which it is found
# Errors of reading a file that is not as we wrote it.
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, TypeError, RecursionError)


def pair_key(capture: str, peer: str, options: Sequence[str]) -> str:
    """A name for everything that a comparison depends on: the contents of both captures, and options."""
    return " ".join((capture, peer, hashlib.sha256("\0".join(options).encode()).hexdigest()[:32]))


def _is_about(key: str, contents: Set[str]) -> bool:
    """Whether a `pair_key` names two of these contents."""
    return contents >= {*key.split(" ")[:2]}


@dataclass
class Cache:
    """The cache of one case folder for one settings key. `rows` are its results, by the path within the case.

    `combined_is_stale`: the combined file lacks some of them. `write_problem` says why nothing can be written, where
    that is so. `damaged` are results that could not be read, which are judged anew. `new_pairs` are comparisons that
    are still to be written.
    """

    folder: Path
    rows: dict[str, dict[str, Any]]
    combined_is_stale: bool = False
    write_problem: str = ""
    damaged: int = 0
    new_pairs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, case: Path, settings: str) -> Cache:
        """Read the case's cache. Never fails: a result that cannot be read is missing."""
        folder = case / FOLDER / _RESULTS / settings
        if link := next((path for path in (case / FOLDER, folder.parent, folder) if path.is_symlink()), None):
            return cls(folder, {}, write_problem=f"{link} is a symbolic link")  # it would lead out of the case
        write_problem = _prepare(folder)
        rows, combined_is_stale, damaged = _read(folder)
        return cls(folder, {row["path"]: row for _, _, row in rows}, combined_is_stale, write_problem, damaged)

    def find(self, source: Source) -> CaptureResult | None:
        """The result of a source whose file has not changed, judged by its size and time of change."""
        row = self.rows.get(source.name)
        if row is None or (row["size"], row["mtime_ns"]) != file_stamp(source.path):
            return None
        return self._result(row, source)

    def find_content(self, source: Source) -> CaptureResult | None:
        """The result of a file with the same content, whatever its name and time. Stored under the new ones.

        Reads the file only where the cache has a result for a file of the same size. Members of archives are not
        looked for: all of them would have to be unpacked.
        """
        if source.member is not None:
            return None
        stamp = file_stamp(source.path)
        alike = {row["content"]: row for row in self.rows.values() if stamp and row["size"] == stamp[0]}
        try:
            row = alike.get(content_hash(source.path)) if alike else None
        except OSError:  # the file is gone by now: reading it will report that
            return None
        result = None if row is None else self._result(row, source)
        if row is not None and result is not None and stamp is not None:
            size, mtime_ns = stamp
            self._write_row(row | {"path": source.name, "size": size, "mtime_ns": mtime_ns})
        return result

    def store(self, source: Source, stamped: StampedResult) -> None:
        """Store a result, unless the next run should try again: something was wrong, or the file changed meanwhile."""
        if stamped.result.is_partial:
            return
        if stamped.stamp is None or stamped.stamp != file_stamp(source.path):
            return
        self._write_row(to_row(source.name, stamped))

    def forget_missing(self, names: set[str]) -> None:
        """Delete the results of files that are no longer in the case."""
        for name in self.rows.keys() - names:
            with suppress(OSError):
                (self.folder / _file_name(name)).unlink(missing_ok=True)

    def write_combined(self) -> None:
        """Write all results, those of other runs too, to one file: it is read faster than hundreds."""
        if self.write_problem or not self.combined_is_stale:
            return
        rows, _, _ = _read(self.folder)
        with (
            suppress(OutputError),
            whole_file(self.folder / _COMBINED, follow=False) as file,
            gzip.open(file, "wb", compresslevel=1) as packed,
        ):
            packed.writelines(json.dumps([name, *stamp, row]).encode() + b"\n" for name, stamp, row in rows)

    def find_pair(self, key: str) -> ReconcileResult | None:
        """The stored comparison of two captures."""
        if key not in self._pairs:
            return None
        try:
            return from_plain(ReconcileResult, self._pairs[key])
        except ValueError:
            self.damaged += 1
            return None

    def store_pair(self, key: str, result: ReconcileResult) -> None:
        """Store the comparison of two captures. Writes those so far whenever their number has doubled.

        So a run that is killed loses at most half of them, and writing them takes linear time.
        """
        self.new_pairs[key] = to_plain(result)
        if len(self.new_pairs) >= max(_FIRST_PAIRS, len(self._pairs)):
            self.write_pairs()

    def write_pairs(self, contents: Set[str] | None = None) -> None:
        """Write all comparisons to one file, with those that other runs wrote meanwhile.

        `contents` are those of the captures of the run: what this run read about other captures is left out.
        """
        gone = set() if contents is None else {key for key in self._pairs if not _is_about(key, contents)}
        if not self.new_pairs and not gone:
            return
        pairs = _read_pairs(self.folder)[0] | self.new_pairs
        lines = (json.dumps([key, row]).encode() + b"\n" for key, row in pairs.items() if key not in gone)
        self._write(_PAIRS, gzip.compress(b"".join(lines), 1))
        self._pairs.update(self.new_pairs)
        self.new_pairs = {}

    @cached_property
    def _pairs(self) -> dict[str, Any]:
        """The comparisons that were written, by earlier runs and by this one, as rows, by their key."""
        pairs, damaged = _read_pairs(self.folder)
        self.damaged += damaged
        return pairs

    def _result(self, row: Mapping[str, Any], source: Source) -> CaptureResult | None:
        """The result in a row; None where anything in the row is wrong."""
        try:
            return from_row(row, source)
        except ValueError:
            self.damaged += 1
            return None

    def _write_row(self, row: dict[str, Any]) -> None:
        from postproc.batch.parquet_rows import STORED, one_row  # slow to import

        self._write(_file_name(row["path"]), one_row(row, STORED))
        self.combined_is_stale = True

    def _write(self, name: str, content: bytes) -> None:
        if self.write_problem:
            return
        try:
            with whole_file(self.folder / name, hint=_HINT, follow=False) as file:
                file.write(content)
        except OutputError as error:
            self.write_problem = str(error)


def _prepare(folder: Path) -> str:
    """Make the folder, and delete the results of old settings. Returns what prevents writing, if anything."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return f"{folder} cannot be written to"
        now = time.time_ns()
        os.utime(folder, ns=(now, now))  # by itself, the file system counts in steps of some milliseconds
        ours = (path for path in folder.parent.iterdir() if _SETTINGS.fullmatch(path.name) and not path.is_symlink())
        for old in sorted(ours, key=lambda path: path.stat().st_mtime_ns, reverse=True)[_SETTINGS_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    return ""


def _read(folder: Path) -> tuple[list[_CachedRow], bool, int]:
    """All results, whether the combined file lacks any of them or has an older one, and how many cannot be read."""
    stamps = _stamps(folder)  # taken before reading, so a file that changes meanwhile counts as changed
    combined = [each for each in _read_combined(folder) if stamps.get(each[0]) == each[1]] if stamps else []
    left = sorted(stamps.keys() - {name for name, _, _ in combined})
    each = _read_each(folder, left, stamps)
    return [*combined, *each], bool(left), len(left) - len({name for name, _, _ in each})


def _read_combined(folder: Path) -> list[_CachedRow]:
    try:
        rows = [(name, (size, changed_ns), row) for name, size, changed_ns, row in _packed_lines(folder / _COMBINED)]
    except _DAMAGED:
        return []
    return [each for each in rows if _is_row(each[2]) and each[0] == _file_name(each[2]["path"])]


def _read_pairs(folder: Path) -> tuple[dict[str, Any], int]:
    """The stored comparisons as rows, by their key; and whether the file that holds them is damaged (1)."""
    try:
        return {str(key): row for key, row in _packed_lines(folder / _PAIRS)}, 0
    except FileNotFoundError:
        return {}, 0
    except _DAMAGED:
        return {}, 1


def _packed_lines(file: Path) -> list[Any]:
    """The values in a compressed file of JSON lines. Raises one of _DAMAGED."""
    content = _content(file)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    text = unpacker.decompress(content, _MAX_UNPACKED * (1 + len(content)))
    if not unpacker.eof:
        raise ValueError("cut short, or made to fill the memory")
    return [*map(json.loads, text.splitlines())]


def _is_regular(path: Path) -> bool:
    """Whether there is a file, not a link, which might lead out of the case, nor a pipe, which might wait for ever."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _content(file: Path) -> bytes:
    """The content of a file of the cache, which may be somebody else's. Raises OSError for anything but a file."""
    if not _is_regular(file):
        raise FileNotFoundError
    with file.open("rb") as opened:
        return opened.read()


def _read_each(folder: Path, names: list[str], stamps: Mapping[str, Stamp]) -> list[_CachedRow]:
    if not names:
        return []
    from postproc.batch.parquet_rows import STORED, read_rows  # slow to import

    rows = read_rows([folder / name for name in names], STORED)
    return [(name, stamps[name], row) for row in rows if _is_row(row) and (name := _file_name(row["path"])) in stamps]


def _is_row(row: Any) -> bool:
    """Whether a row has what it is found by. The rest is checked when it is found."""
    return isinstance(row, dict) and all(type(row.get(name)) is type_ for name, type_ in _FOUND_BY.items())


def _stamps(folder: Path) -> dict[str, Stamp]:
    """The stamp of every file with the result of one capture."""
    files = filter(_is_regular, sorted(folder.glob("[0-9a-f]*.parquet")))
    found = ((path.name, file_stamp(path)) for path in files)
    return {name: stamp for name, stamp in found if stamp}


def _file_name(name: str) -> str:
    """The name of the file with the result of the capture at this path within the case."""
    return f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.parquet"
