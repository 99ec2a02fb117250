"""What a reader notes while it reads a text: how many packets, which of them it did not understand, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from heuristics.protocol.tshark_fields import FIELDS
from postproc.runtime.text import plural

Row = dict[str, str | None]  # the raw columns of one packet; a column that is not there is None

MAKE_ANEW = "make it anew: tcpdump -nnvv -S -e -tttt -r CAPTURE; better still, give the capture itself"
_SHOWN = 3  # lines that a message repeats
_CUT = 160  # characters of a line that a message repeats
_SECOND = 1_000_000  # microseconds
_NUMBER = re.compile(r"[0-9]{1,10}")


class NotUnderstoodError(Exception):
    """A packet that cannot be read. The text says why, in one of the words below."""


# Why a packet of a text has no row.
QUICK, NAMES, TUNNEL, UNDECODED = "quick", "names", "tunnel", "undecoded"
BROKEN, NO_BYTES, INCOMPARABLE = "broken", "no bytes", "incomparable"
_REASONS = {
    QUICK: ("{} without TCP flags: not read", "run tcpdump without -q, with -nnvv"),
    NAMES: ("{} with names instead of addresses or ports: not read", "run tcpdump with -nn"),
    TUNNEL: ("{} with another packet inside, which is not read", "give the capture itself"),
    UNDECODED: ("{} that tcpdump does not decode", "give the capture itself"),
    BROKEN: ("{} not understood", MAKE_ANEW),
    NO_BYTES: ("{} without bytes: not read, as those of other packets are here", "print the bytes of all or of none"),
    INCOMPARABLE: ("{} left out: sequence numbers are relative to a packet not here", "run tcpdump with -S"),
}


@dataclass(slots=True)
class Unread:
    """Lines that were not understood: how many, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Count one line."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append(line.strip()[: _CUT + 1])


@dataclass(slots=True)
class Reading:
    """The state of a text while its packets are read. `notes` are reasons, each with what helps, that forms add.

    `read` packets have a row with addresses, `without_hop_limit` of them no hop limit. `hop_limits` is how to get it.
    """

    hop_limits: str = "run tcpdump with -nnvv"
    unread: Unread = field(default_factory=Unread)
    broken: Unread = field(default_factory=Unread)
    failures: Counter[str] = field(default_factory=Counter)
    notes: list[tuple[str, str]] = field(default_factory=list)
    read: int = 0
    without_hop_limit: int = 0
    _frame: int = 0
    _renumbered: int = 0

    def packet(self, number: int | None, time_us: int | None, text: str, read: Callable[[], Row | None]) -> Row:
        """The row of the next packet. `number` is as printed, if it is; `text` is shown if `read` cannot read it.

        A packet that `read` refuses, by NotUnderstoodError or None, has its number and time only.
        """
        about: Row = {"frame.number": str(self.frame(number)), "frame.time_epoch": epoch_text(time_us)}
        try:
            row = read()
        except NotUnderstoodError as failure:
            self.failed(str(failure), text)
            return about
        if row is None:
            return about
        self.read += 1
        self.without_hop_limit += row.get("ip.ttl") is None and row.get("ipv6.hlim") is None
        return row | about

    def exported(self, row: Row) -> Row:
        """The row of the next packet, read from named fields; without a number of its own it gets the next one."""
        number = row.get("frame.number") or ""
        row["frame.number"] = str(self.frame(int(number) if _NUMBER.fullmatch(number) else None))
        self.read += 1
        return row

    def failed(self, failure: str, text: str) -> None:
        """Count a packet that could not be read."""
        self.failures[failure] += 1
        if failure == BROKEN:
            self.broken.add(text)

    def frame(self, number: int | None) -> int:
        """The frame number of the next packet: the one that is printed if it increases, else the next one."""
        if number is not None and number <= self._frame:
            self._renumbered += 1
        self._frame = number if number is not None and number > self._frame else self._frame + 1
        return self._frame

    def problems(self) -> Iterator[tuple[str, str]]:
        """What a user has to know of this text: reasons, each with what helps."""
        for failure, count in sorted(self.failures.items()):
            reason, fix = _REASONS[failure]
            what = plural(count, "reset" if failure == INCOMPARABLE else "packet")
            yield reason.format(what) + (_quoted(self.broken.first) if failure == BROKEN else ""), fix
        if self.unread.count:
            reason = f"{plural(self.unread.count, 'line')} not understood{_quoted(self.unread.first)}"
            yield reason, "nothing is lost if these are no packets"
        if self.without_hop_limit:
            all_of_them = self.without_hop_limit == self.read
            which = "this text has" if all_of_them else f"{plural(self.without_hop_limit, 'packet')} of this text have"
            yield f"{which} no hop limits: resets are judged by times and form alone, seldom surely", self.hop_limits
        if self._renumbered:
            reason = f"{plural(self._renumbered, 'packet')} with a number that does not increase: counted on instead"
            yield reason, "give two texts as two files"
        yield from self.notes


def epoch_text(time_us: int | None) -> str | None:
    """A time (microseconds since the epoch) as tshark prints `frame.time_epoch`."""
    return None if time_us is None else f"{time_us // _SECOND}.{time_us % _SECOND:06}"


def columns_of(rows: Sequence[Row]) -> dict[str, list[str | None]]:
    """The columns FIELDS of these rows."""
    return {name: [row.get(name) for row in rows] for name in FIELDS}


def _quoted(lines: Sequence[str]) -> str:
    """The first of some lines, for a message. Problems are made safe to show where they are printed."""
    shown = (line if len(line) <= _CUT else f"{line[:_CUT]} ..." for line in lines)
    return f", first: {' | '.join(shown)}"
