"""A file as a stream of bytes, unpacked where it is compressed the way tshark can read: gzip, Zstandard, LZ4."""

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

# What reading may raise where a file is damaged or cut short.
DAMAGES = (OSError, EOFError, zlib.error, zstandard.ZstdError, RuntimeError)

_GZIP, _ZSTANDARD, _LZ4 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """The same into `buffer`, as many as it holds; says how many there were."""


@contextmanager
def unpacked(path: Path) -> Iterator[Stream]:
    """The content of `path`. Opening and reading it raise one of DAMAGES."""
    with path.open("rb") as file:
        magic = file.peek(4)[:4]
        with _opened(file, magic) as stream:
            yield stream


def _opened(file: BufferedReader, magic: bytes) -> AbstractContextManager[Stream]:
    if magic.startswith(_GZIP):
        return gzip.open(file)
    if magic == _ZSTANDARD:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    if magic == _LZ4:
        unpacking: AbstractContextManager[Stream] = lz4.frame.open(file)
        return unpacking
    return file
