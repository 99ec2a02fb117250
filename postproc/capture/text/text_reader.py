"""Text of packets, as a file -> the columns of a fields export, in frames of bounded size."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.file_type import GZIP, UTF16_MARKS
from postproc.capture.text import hexdump
from postproc.capture.text.forms import form_of
from postproc.capture.text.reading import MAKE_ANEW, Reading, Row, columns_of
from postproc.capture.text.tshark import trees
from postproc.capture.text.tshark.trees import Stream, tree_form_of
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.capture.tshark.tsv_reader import check_values
from postproc.runtime.errors import CaptureError

_HEAD = 8192  # bytes that show whether a text is a tree of fields
_ROWS = 20_000  # packets in a frame
_LONGEST_LINE = 1024 * 1024  # bytes
_SURVEYED = 1024 * 1024  # characters at the beginning, which show the form of a text and how it is laid out
_SCHEMA = dict.fromkeys(FIELDS, pl.String())


def read_text(path: Path, tshark: Tshark | None, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    """The columns FIELDS of the packets in the text at `path`, while it is read.

    A packet that is not understood, or is no IP packet, has its number and time only. What was not understood is added
    to `problems` at the end. tshark decodes bytes where they are printed; without `tshark`, it is looked for then.
    Raises CaptureError.
    """
    file = str(path)
    with _opened(path) as stream:
        tree_rows = tree_form_of(stream.read(_HEAD))
    reading = Reading()
    with _opened(path) as stream:
        if tree_rows is None:
            yield from _from_lines(path, stream, reading, tshark, problems)
        else:
            for frame in _in_frames(tree_rows(stream, file, reading)):
                check_values(frame, file, trees.MAKE_ANEW)
                yield frame
    problems += [Problem(file, "", "", reason, fix) for reason, fix in reading.problems()]


def _from_lines(
    path: Path, stream: Stream, reading: Reading, tshark: Tshark | None, problems: list[Problem]
) -> Iterator[pl.DataFrame]:
    """The packets of a text whose form is one of lines. Raises CaptureError."""
    file = str(path)
    with _opened(path) as first:
        sample = _sample(_lines(first, file))
    form = form_of(sample)
    if form is None and hexdump.packets_in(sample):
        dumps = hexdump.dumps_alone(_lines(stream, file), reading)
        yield from hexdump.frames(dumps, tshark or find_tshark(), problems)
        return
    if form is None:
        raise CaptureError(file, "no packets are found in this text", MAKE_ANEW)
    reading.hop_limits = form.hop_limits
    lines = _lines(stream, file)
    if form.dumps is not None and form.has_dumps(sample):
        yield from hexdump.frames(form.dumps(lines, sample, reading), tshark or find_tshark(), problems)
    else:
        yield from _in_frames(form.rows(lines, sample, reading))


def _in_frames(rows: Iterator[Row]) -> Iterator[pl.DataFrame]:
    while some := list(islice(rows, _ROWS)):
        yield pl.DataFrame(columns_of(some), schema=_SCHEMA)


def _sample(lines: Iterable[str]) -> list[str]:
    """The first of these lines."""
    sample: list[str] = []
    characters = 0
    for line in lines:
        characters += len(line)
        if characters > _SURVEYED:
            break
        sample.append(line)
    return sample


@contextmanager
def _opened(path: Path) -> Iterator[Stream]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise CaptureError(str(path), f"cannot be read: {error.strerror}") from None
    with file:
        head = file.read(len(GZIP))
        file.seek(0)
        if head == GZIP:
            with gzip.open(file) as decompressed:
                yield decompressed
        elif head in UTF16_MARKS:  # `>` in Windows PowerShell 5
            yield _Utf16(io.TextIOWrapper(file, "utf-16", "replace", newline="\n"))
        else:
            yield file


class _Utf16:
    """A stream of UTF-16 as one of UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int = -1, /) -> bytes:
        """The next characters, at most `size` of them."""
        return self._text.read(size).encode()

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, at most `size` characters of it."""
        return self._text.readline(size).encode()


def _lines(stream: Stream, file: str) -> Iterator[str]:
    """The lines of a text. Raises CaptureError."""
    try:
        while line := stream.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise CaptureError(file, f"has a line of more than {_LONGEST_LINE:,} bytes", MAKE_ANEW)
            yield line.decode("utf-8", "replace")
    except EOFError:
        raise CaptureError(file, "the compressed file is cut short", MAKE_ANEW) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CaptureError(file, f"cannot be decompressed: {error}", MAKE_ANEW) from None
    except OSError as error:
        raise CaptureError(file, f"cannot be read: {error.strerror}") from None
