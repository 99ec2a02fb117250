"""A text file as batches of lines, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postproc.capture.text_stream import TextStream, text_stream
from postproc.runtime.errors import CaptureError

_BLOCK = 2**22  # bytes read at once
_MAX_LINE = 2**20  # characters of the longest line that is kept whole; the rest of a longer one is dropped


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a file that follow each other; `first` is the number of the first of them, from 1."""

    first: int
    texts: list[str]


@contextmanager
def text_lines(path: Path) -> Iterator[Iterator[Lines]]:
    """The lines of a text file, in batches. Reading raises CaptureError where the file is binary, damaged or absent."""
    with text_stream(path) as stream:
        yield _batches(path, stream)


def _batches(path: Path, stream: TextStream) -> Iterator[Lines]:
    number, rest, decoder = 1, "", codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        block = stream.read(_BLOCK)
        if number == 1 and b"\0" in block:
            raise CaptureError(str(path), "is a binary file, no text of a log", "captures go without --log")
        texts = (rest + decoder.decode(block, final=not block)).split("\n")
        rest = texts.pop()[:_MAX_LINE] if block else ""
        if texts and texts[-1] == "" and not block:
            texts.pop()
        if texts:
            yield Lines(number, [text.rstrip("\r") for text in texts])
            number += len(texts)
        if not block:
            return
