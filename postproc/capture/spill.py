"""Packets that may not fit in memory: beyond a few they are spilled to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import polars as pl

from postproc.capture.packet_table import ENDS, by_frame, empty_table
from postproc.runtime.temp_files import TemporaryFolder, temporary_folder, writing_temporary

_IN_MEMORY = 250_000  # rows; about 100 MB
_FLOWS_AT_ONCE = 2048  # following a flow takes about 8 KB, and its packets as much again
_PACKETS_AT_ONCE = 131_072  # packets that wait in memory to be sorted by flow
_DISK_ERRORS = (OSError, pl.exceptions.PolarsError)  # Polars raises its own for a full disk


class _OnDisk:
    """Has files in a temporary folder of its own, which is made when the first file is needed."""

    _folder: TemporaryFolder | None = None

    def __enter__(self) -> Self:
        """Return itself; the block's end removes the files."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()

    def _file(self, name: str) -> Path:
        if self._folder is None:
            self._folder = temporary_folder()
        return Path(self._folder.name) / name


class SpilledTables(_OnDisk):
    """Packets tables that are read several times. Empty after the `with` block."""

    def __init__(self) -> None:
        self._tables: list[pl.DataFrame] = []
        self._rows = 0
        self._files: list[Path] = []

    def add(self, table: pl.DataFrame) -> None:
        """Add a table. Raises NoRoomError."""
        self._tables.append(table)
        self._rows += table.height
        if self._rows > _IN_MEMORY:
            self._write()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """All tables, in the order in which they were added."""
        for file in self._files:
            yield pl.read_parquet(file)
        yield from self._tables

    def _write(self) -> None:
        file = self._file(f"{len(self._files)}.parquet")
        with writing_temporary(_DISK_ERRORS):
            pl.concat(self._tables).write_parquet(file, compression="lz4", statistics=False)
        self._files.append(file)
        self._tables, self._rows = [], 0


class SpilledFlows(_OnDisk):
    """The packets of flows that are only followed. Iterating gives some flows at a time, each with all its packets.

    `flows` are the ends of these flows, in both directions. Empty after the `with` block.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop all flows."""
        self.start(empty_table().select(ENDS))

    def start(self, flows: pl.DataFrame) -> None:
        """Drop all flows and start again with these."""
        self.flows = flows
        self._batches = 1 + flows.height // 2 // _FLOWS_AT_ONCE
        self._tables: list[pl.DataFrame] = []
        self._files: list[list[Path]] = [[] for _ in range(self._batches)]

    def add(self, table: pl.DataFrame) -> None:
        """Add some packets of these flows. Raises NoRoomError."""
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
        by_batch = pl.concat(self._tables).drop("error").with_columns(batch=batch.cast(pl.Int64))
        for (number,), part in by_batch.partition_by("batch", as_dict=True, include_key=False).items():
            file = self._file(f"{number}-{len(self._files[number])}.arrow")
            with writing_temporary(_DISK_ERRORS):
                part.write_ipc(file, compression="lz4")  # for so few rows twice as fast as Parquet, written and read
            self._files[number].append(file)
        self._tables = []
