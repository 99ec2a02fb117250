"""A file as a stream of bytes, decompressed where tshark can decompress it, too: gzip, Zstandard, LZ4."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import lz4.frame
import zstandard

from postproc.capture.file_type import GZIP, LZ4, ZSTANDARD

# What reading may raise where a file is damaged or cut short.
READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError, RuntimeError)


class Stream(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Write the next bytes to `buffer`, at most as many as it holds. Returns how many."""


@contextmanager
def decompressed(path: Path) -> Iterator[Stream]:
    """The content of `path`. Opening and reading it raise READ_ERRORS."""
    with path.open("rb") as file:
        magic = file.peek(4)[:4]
        with _opened(file, magic) as stream:
            yield stream


def _opened(file: BufferedReader, magic: bytes) -> AbstractContextManager[Stream]:
    if magic.startswith(GZIP):
        return gzip.open(file)
    if magic == ZSTANDARD:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    if magic == LZ4:
        lz4_file: AbstractContextManager[Stream] = lz4.frame.open(file)
        return lz4_file
    return file
