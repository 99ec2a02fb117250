"""A file as a stream of bytes, decompressed where tshark can decompress it, too: gzip, Zstandard, LZ4."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Protocol

import lz4.frame
import zstandard

from postproc.capture.file_type import GZIP, LZ4, ZSTANDARD

# What reading may raise where a file is damaged or cut short.
READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError, RuntimeError)


_CHUNK = 131_072  # bytes of compressed data at a time


class GzipStream(io.RawIOBase):
    """The content of a gzip file. What follows the compressed data is an error, which gzip.open does not tell of zeros.

    Wireshark takes it for data of the capture.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._compressed = b""

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read the next bytes into `buffer`. Raises READ_ERRORS."""
        view = memoryview(buffer).cast("B")
        while True:
            self._compressed = self._compressed or self._file.read(_CHUNK)
            if self._member.eof:
                if not self._compressed:
                    return 0
                self._next_member()
            elif not self._compressed:
                raise EOFError("the compressed file is cut short")
            content = self._member.decompress(self._compressed, len(view))
            self._compressed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if content:
                view[: len(content)] = content
                return len(content)

    def _next_member(self) -> None:
        self._compressed += self._file.read(_CHUNK) if len(self._compressed) < len(GZIP) else b""
        if not self._compressed.startswith(GZIP):
            raise EOFError("something else follows the compressed data")
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)


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
        return io.BufferedReader(GzipStream(file), _CHUNK)
    if magic == ZSTANDARD:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    if magic == LZ4:
        lz4_file: AbstractContextManager[Stream] = lz4.frame.open(file)
        return lz4_file
    return file
