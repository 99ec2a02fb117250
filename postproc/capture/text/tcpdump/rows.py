"""Text of tcpdump -> a row for each packet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from heuristics.protocol.tshark_fields import RST
from postproc.capture.text.hexdump import Dump
from postproc.capture.text.reading import INCOMPARABLE, NO_BYTES, NotUnderstoodError, Reading, Row, Unread
from postproc.capture.text.tcpdump.clock import Clock, Meaning, meaning_of
from postproc.capture.text.tcpdump.packet import read_packet
from postproc.capture.text.tcpdump.records import Layout, Record, layout_of, records
from postproc.capture.text.tcpdump.sequence_numbers import SequenceNumbers


def packets_in(sample: Sequence[str]) -> int:
    """How many packets of tcpdump these lines hold."""
    layout = layout_of(sample)
    return 0 if layout is None else sum(1 for _ in records(sample, layout, Unread()))


def timed_records(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[tuple[Record, int | None]]:
    """The packets of a text that begins with `sample`, each with its time (us), None where the text does not tell."""
    layout = layout_of(sample) or Layout(timed=True, indent=0)
    clock = Clock(meaning_of(record.time for record in records(sample, layout, Unread())))
    for record in records(lines, layout, reading.unread):
        yield record, clock.time_us(record.time)
    if clock.meaning is Meaning.UNKNOWN:
        reading.notes.append(("times may be differences (-ttt) or not: left out", "run tcpdump with -tttt"))


def rows(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Row]:
    """The rows of the packets of a text that begins with `sample`."""
    numbers = SequenceNumbers()
    for record, time_us in timed_records(lines, sample, reading):
        yield reading.packet(record.number, time_us, record.body, partial(_row, record.body, numbers))


def _row(body: str, numbers: SequenceNumbers) -> Row | None:
    """The row of one packet, None for one that is no IP packet.

    A segment whose numbers cannot be compared with others has none; a reset is refused then. Raises NotUnderstoodError.
    """
    packet = read_packet(body)
    if packet is None:
        return None
    row, segment = packet
    if segment is None:
        return row
    found = numbers.absolute(segment)
    if found is None:
        if segment.flags & RST:
            raise NotUnderstoodError(INCOMPARABLE)
        return None
    row["tcp.seq_raw"], row["tcp.ack_raw"] = (None if number is None else str(number) for number in found)
    return row


def dumps(lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Dump]:
    """The bytes of the packets of a text that begins with `sample`. A packet without is counted in `reading`."""
    for record, time_us in timed_records(lines, sample, reading):
        number = reading.frame(record.number)
        if record.dump:
            yield number, time_us, record.dump
        else:
            reading.failed(NO_BYTES, record.body)


def has_dumps(sample: Sequence[str]) -> bool:
    """Whether most packets in these lines have their bytes printed too."""
    layout = layout_of(sample)
    dumped = [bool(record.dump) for record in records(sample, layout, Unread())] if layout else []
    return sum(dumped) * 2 > len(dumped)
