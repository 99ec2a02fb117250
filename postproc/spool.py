"""Tables that may be too many for memory: on disk when there are more rows than a few."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

_IN_MEMORY = 250_000  # rows; some 100 MB


class Spool:
    """Packets tables, to be read again and again. Closed, it is empty."""

    def __init__(self) -> None:
        self._tables: list[pl.DataFrame] = []
        self._rows = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: list[Path] = []

    def __enter__(self) -> Spool:
        """To be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, table: pl.DataFrame) -> None:
        """Take in one more table. Raises OSError where the disk is full."""
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
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="rstorigin-")
        file = Path(self._folder.name) / f"{len(self._files)}.parquet"
        pl.concat(self._tables).write_parquet(file, compression="lz4", statistics=False)
        self._files.append(file)
        self._tables, self._rows = [], 0
