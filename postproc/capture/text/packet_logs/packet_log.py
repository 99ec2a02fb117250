"""A log with a packet on each line, whatever prints it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.packet_logs.log_clock import LogClock
from postproc.capture.text.packet_logs.segments import Segments
from postproc.capture.text.reading import Reading, Row


@dataclass(frozen=True, slots=True)
class PacketLog:
    """A form of such logs.

    `line` has the groups `prefix`, which holds the time, and `packet`. `row` makes a row of the latter, and raises
    NotUnderstoodError. `times` says how to log times that are fine enough.
    """

    line: re.Pattern[str]
    row: Callable[[str, Segments], Row]
    times: str

    def packets_in(self, sample: Sequence[str]) -> int:
        """How many packets these lines hold."""
        return sum(self.line.fullmatch(cleaned(line)[0]) is not None for line in sample)

    def rows(self, lines: Iterable[str], sample: Sequence[str], reading: Reading) -> Iterator[Row]:
        """The rows of the packets of a log. Other lines are counted in `reading`."""
        clock, segments = LogClock(), Segments()
        for line in lines:
            text, _ = cleaned(line)
            found = self.line.fullmatch(text)
            if found is not None:
                make_row = partial(self.row, found["packet"], segments)
                yield reading.packet(None, clock.time_us(found["prefix"]), text, make_row)
            elif text:
                reading.unread.add(line)
        if clock.coarse:
            reading.notes.append(("times of whole seconds are left out: no reset is judged by its time", self.times))
