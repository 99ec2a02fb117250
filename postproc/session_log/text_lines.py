"""A text file as batches of lines, in bounded memory: UTF-8 or UTF-16, decompressed where it is compressed."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postproc.capture.prefilter.decompress import READ_ERRORS, Stream, decompressed
from postproc.runtime.errors import CaptureError

_BLOCK = 2**22  # bytes read at once
_MAX_LINE = 2**20  # characters of the longest line that is kept whole; the rest of a longer one is dropped
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a file that follow each other; `first` is the number of the first of them, from 1."""

    first: int
    texts: list[str]


@contextmanager
def text_lines(path: Path) -> Iterator[Iterator[Lines]]:
    """The lines of a text file, in batches. Reading raises CaptureError where the file is binary, damaged or absent."""
    try:
        with decompressed(path) as stream:
            yield _batches(path, stream)
    except READ_ERRORS as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> CaptureError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return CaptureError(str(path), f"cannot be read: {reason}")


def _batches(path: Path, stream: Stream) -> Iterator[Lines]:
    number, rest, decoder = 1, "", None
    while True:
        block = stream.read(_BLOCK)
        if decoder is None:
            encoding = next((name for bom, name in _BOMS if block.startswith(bom)), "utf-8")
            if encoding != "utf-16" and b"\0" in block:
                raise CaptureError(str(path), "is a binary file, no text of a log", "captures go without --log")
            decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        texts = (rest + decoder.decode(block, final=not block)).split("\n")
        rest = texts.pop()[:_MAX_LINE] if block else ""
        if texts and texts[-1] == "" and not block:
            texts.pop()
        if texts:
            yield Lines(number, [text.rstrip("\r") for text in texts])
            number += len(texts)
        if not block:
            return
