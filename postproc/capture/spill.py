"""Packets that may be too many for memory: on disk when there are more than a few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import polars as pl

from postproc.capture.packet_table import ENDS, by_frame, empty_table
from postproc.runtime.temp_files import temporary_folder, writing_temporary

_IN_MEMORY = 250_000  # rows; some 100 MB
_FLOWS_AT_ONCE = 2048  # to follow a flow takes some 8 KB, and as much again for its packets
_PACKETS_AT_ONCE = 131_072  # that wait to be sorted by flow
_FULL = (OSError, pl.exceptions.PolarsError)  # what Polars makes of a full disk


class _OnDisk:
    """What keeps files in a temporary folder of its own, made when the first is needed."""

    _folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """To be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()

    def _file(self, name: str) -> Path:
        if self._folder is None:
            self._folder = temporary_folder()
        return Path(self._folder.name) / name


class Spool(_OnDisk):
    """Packets tables, to be read again and again. Closed, it is empty."""

    def __init__(self) -> None:
        self._tables: list[pl.DataFrame] = []
        self._rows = 0
        self._files: list[Path] = []

    def add(self, table: pl.DataFrame) -> None:
        """Take in one more table. Raises NoRoomError."""
        self._tables.append(table)
        self._rows += table.height
        if self._rows > _IN_MEMORY:
            self._write()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """All tables, in the order in which they came."""
        for file in self._files:
            yield pl.read_parquet(file)
        yield from self._tables

    def _write(self) -> None:
        file = self._file(f"{len(self._files)}.parquet")
        with writing_temporary(_FULL):
            pl.concat(self._tables).write_parquet(file, compression="lz4", statistics=False)
        self._files.append(file)
        self._tables, self._rows = [], 0


class Apart(_OnDisk):
    """The packets of flows that are followed and of which nothing else is asked: some flows at a time, each whole.

    `flows` are the ends of these flows in both directions. Closed, it is empty.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Have no flows."""
        self.begin(empty_table().select(ENDS))

    def begin(self, flows: pl.DataFrame) -> None:
        """Begin anew, with these flows."""
        self.flows = flows
        self._batches = 1 + flows.height // 2 // _FLOWS_AT_ONCE
        self._tables: list[pl.DataFrame] = []
        self._files: list[list[Path]] = [[] for _ in range(self._batches)]

    def add(self, table: pl.DataFrame) -> None:
        """Take in some of their packets. Raises NoRoomError."""
        self._tables.append(table)
        if self._batches > 1 and sum(waiting.height for waiting in self._tables) > _PACKETS_AT_ONCE:
            self._write()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Packets tables, sorted by frame, each with all packets of some of the flows. Raises NoRoomError."""
        if self.flows.is_empty():
            return
        if self._batches > 1:
            self._write()
        for files in self._files:
            tables = [empty_table(), *self._tables, *map(pl.read_ipc, files)]
            yield by_frame([pl.concat(tables, how="diagonal")])

    def _write(self) -> None:
        if not self._tables:
            return
        addresses = pl.col("src").hash() ^ pl.col("dst").hash()  # the same in both directions
        batch = (addresses % 2**32 + pl.col("sport") + pl.col("dport")) % self._batches
        sorted_out = pl.concat(self._tables).drop("error").with_columns(batch=batch.cast(pl.Int64))
        for (number,), part in sorted_out.partition_by("batch", as_dict=True, include_key=False).items():
            file = self._file(f"{number}-{len(self._files[number])}.arrow")
            with writing_temporary(_FULL):
                part.write_ipc(file, compression="lz4")  # of so few rows written and read in half the time of Parquet
            self._files[number].append(file)
        self._tables = []
