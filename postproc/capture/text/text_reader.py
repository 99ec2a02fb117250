"""Text of packets, as a file -> the columns of a fields export, in frames of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.text import hexdump
from postproc.capture.text.forms import form_of
from postproc.capture.text.reading import MAKE_ANEW, Reading, Row, columns_of
from postproc.capture.text.tshark import trees
from postproc.capture.text.tshark.trees import Stream, tree_form_of
from postproc.capture.text_stream import text_stream
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.capture.tshark.values import check_values
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
    with text_stream(path, MAKE_ANEW) as stream:
        tree_rows = tree_form_of(stream.read(_HEAD))
    reading = Reading()
    with text_stream(path, MAKE_ANEW) as stream:
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
    with text_stream(path, MAKE_ANEW) as first:
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


def _lines(stream: Stream, file: str) -> Iterator[str]:
    """The lines of a text. Raises CaptureError."""
    while line := stream.readline(_LONGEST_LINE):
        if len(line) >= _LONGEST_LINE:
            raise CaptureError(file, f"has a line of more than {_LONGEST_LINE:,} bytes", MAKE_ANEW)
        yield line.decode("utf-8", "replace")
