"""Text of packets, as a file -> the columns of a fields export, in frames of bounded size."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS, RST
from postproc.capture.file_type import GZIP
from postproc.capture.text.clock import Clock, Meaning, epoch_text, meaning_of
from postproc.capture.text.ip_header import BROKEN, NAMES, NO_HOP_LIMIT, TUNNEL, UNDECODED, NotUnderstoodError
from postproc.capture.text.records import SHOWN, Record, Unread, layout_of, records
from postproc.capture.text.sequence_numbers import SequenceNumbers
from postproc.capture.text.tcp_header import Segment
from postproc.capture.text.tcpdump import Row, read_packet
from postproc.runtime.errors import CaptureError
from postproc.runtime.text import plural

MAKE_ANEW = "make it anew: tcpdump -nnvv -S -e -tttt -r CAPTURE; better still, give the capture itself"

_ROWS = 20_000  # packets in a frame
_LONGEST_LINE = 1024 * 1024  # bytes
_SURVEYED = 1024 * 1024  # characters at the beginning, which show how the text is laid out
_CUT = 160  # characters of a line that a message repeats
_REASONS = {
    NO_HOP_LIMIT: ("without hop limit: not read", "a verdict needs hop limits: run tcpdump with -nnvv"),
    NAMES: ("with names instead of addresses or ports: not read", "run tcpdump with -nn"),
    TUNNEL: ("with another packet inside, which is not read", "give the capture itself"),
    UNDECODED: ("that tcpdump does not decode", "give the capture itself"),
    BROKEN: ("not understood", MAKE_ANEW),
}


def read_text(path: Path, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    """The columns FIELDS of the packets in the text at `path`, while it is read.

    A packet that is not understood, or is no IP packet, has its number and time only. What was not understood is added
    to `problems` at the end. Raises CaptureError.
    """
    file = str(path)
    with _opened(path) as stream:
        sample = _sample(_lines(stream, file))
    layout = layout_of(sample)
    if layout is None:
        raise CaptureError(file, "no packets of tcpdump are found in this text", MAKE_ANEW)
    unread = Unread()
    clock = Clock(meaning_of(record.time for record in records(sample, layout, Unread())))
    reading = _Reading(clock)
    with _opened(path) as stream:
        packets = records(_lines(stream, file), layout, unread)
        while rows := [reading.row(record) for record in islice(packets, _ROWS)]:
            columns = {name: [row.get(name) for row in rows] for name in FIELDS}
            yield pl.DataFrame(columns, schema=dict.fromkeys(FIELDS, pl.String()))
    if not reading.read and reading.failures[NO_HOP_LIMIT]:
        raise CaptureError(file, "this text has no hop limits, which a verdict needs", "run tcpdump with -nnvv")
    if not reading.read and reading.failures[NAMES]:
        raise CaptureError(file, "this text has names instead of addresses or ports", "run tcpdump with -nnvv")
    problems += [Problem(file, "", "", reason, fix) for reason, fix in reading.problems(unread)]


@dataclass(slots=True)
class _Reading:
    """The state of a text while its packets are read."""

    clock: Clock
    numbers: SequenceNumbers = field(default_factory=SequenceNumbers)
    frame: int = 0
    read: int = 0
    incomparable: int = 0
    renumbered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def row(self, record: Record) -> Row:
        """The raw columns of one packet."""
        time_us = self.clock.time_us(record.time)
        about: Row = {
            "frame.number": str(self._frame(record.number)),
            "frame.time_epoch": None if time_us is None else epoch_text(time_us),
        }
        try:
            packet = read_packet(record.body)
        except NotUnderstoodError as failure:
            self._failed(str(failure), record.body)
            return about
        if packet is None:
            return about
        row, segment = packet
        if segment is not None and not self._add_numbers(row, segment):
            return about
        self.read += 1
        return row | about

    def problems(self, unread: Unread) -> Iterator[tuple[str, str]]:
        """What a reader has to know of this text: reasons, each with what helps."""
        for failure, count in sorted(self.failures.items()):
            reason, fix = _REASONS[failure]
            yield f"{plural(count, 'packet')} {reason}{_quoted(self.broken) if failure == BROKEN else ''}", fix
        if unread.count:
            reason = f"{plural(unread.count, 'line')} not understood{_quoted(unread.first)}"
            yield reason, "nothing is lost if these are no packets"
        if self.incomparable:
            reason = (
                f"{plural(self.incomparable, 'reset')} left out: sequence numbers are relative to a packet not here"
            )
            yield reason, "run tcpdump with -S"
        if self.renumbered:
            reason = f"{plural(self.renumbered, 'packet')} with a number that does not increase: counted on instead"
            yield reason, "give two texts as two files"
        if self.clock.meaning is Meaning.UNKNOWN:
            yield "times may be differences (-ttt) or not: left out", "run tcpdump with -tttt"

    def _frame(self, number: int | None) -> int:
        """The number of the next packet: the one that is printed (-#) if it increases, else the next one."""
        if number is not None and number <= self.frame:
            self.renumbered += 1
        self.frame = number if number is not None and number > self.frame else self.frame + 1
        return self.frame

    def _add_numbers(self, row: Row, segment: Segment) -> bool:
        """Add the sequence numbers to `row`. False for a segment whose numbers cannot be compared with others.

        A segment of which no number is known is left as an IP packet without TCP.
        """
        numbers = self.numbers.absolute(segment)
        if numbers is None:
            self.incomparable += segment.flags & RST != 0
            return False
        seq, ack = numbers
        row["tcp.seq_raw"] = None if seq is None else str(seq)
        row["tcp.ack_raw"] = None if ack is None else str(ack)
        return True

    def _failed(self, failure: str, body: str) -> None:
        self.failures[failure] += 1
        if failure == BROKEN and len(self.broken) < SHOWN:
            self.broken.append(body)


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


def _quoted(lines: Sequence[str]) -> str:
    """The first of some lines, for a message. Problems are made safe to show where they are printed."""
    shown = (line if len(line) <= _CUT else f"{line[:_CUT]} ..." for line in lines)
    return f", first: {' | '.join(shown)}"


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise CaptureError(str(path), f"cannot be read: {error.strerror}") from None
    with file:
        compressed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if compressed:
            with gzip.open(file) as decompressed:
                yield decompressed
        else:
            yield file


def _lines(stream: IO[bytes] | gzip.GzipFile, file: str) -> Iterator[str]:
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
