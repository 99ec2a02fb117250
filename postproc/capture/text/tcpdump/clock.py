"""The times that tcpdump prints -> microseconds since the epoch.

`-tt` and `-tttt` hold the date. Without it, the day is 1970-01-01 and the next one begins where the time falls back by
hours. Times are taken as UTC. tcpdump prints local time, so `-tttt` may be off by the time zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import pairwise

from postproc.runtime.clock import seconds_to_us

_OF_DAY = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d) )?(\d\d):(\d\d):(\d\d)\.(\d{1,9})")
_SECOND, _DAY = 1_000_000, 86_400_000_000  # in microseconds
# Differences fall about every second time. This many times that only grow are no differences: by chance once in 40,000.
_ENOUGH = 8


class Meaning(Enum):
    """What times without a date mean: the time of day, the difference to the packet before, or nothing certain."""

    OF_DAY = auto()
    DIFFERENCE = auto()
    UNKNOWN = auto()


def microseconds(text: str) -> int | None:
    """The time that a packet is printed with, or None where it is no time."""
    found = _OF_DAY.fullmatch(text)
    if found is None:
        return seconds_to_us(text) if text.partition(".")[0].isdecimal() else None
    year, month, day, hours, minutes, seconds, fraction = found.groups()
    of_day = (int(hours) * 3600 + int(minutes) * 60) * _SECOND + seconds_to_us(f"{seconds}.{fraction}")
    if year is None:
        return of_day
    try:
        midnight = datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        return None
    return round(midnight.timestamp()) * _SECOND + of_day


def meaning_of(texts: Iterable[str]) -> Meaning:
    """What the times of a text mean that begins with these. -ttt prints differences, -ttttt times since the first."""
    times = [time for text in texts if "-" not in text and ":" in text and (time := microseconds(text)) is not None]
    falls = sum(0 < earlier - later < _DAY // 2 for earlier, later in pairwise(times))
    if times and times[0] == 0:
        if falls == 0 and len(times) < _ENOUGH:
            return Meaning.UNKNOWN if len(times) > 2 else Meaning.OF_DAY
        return Meaning.DIFFERENCE if falls else Meaning.OF_DAY
    small = all(time < _DAY // 24 for time in times)
    return Meaning.DIFFERENCE if small and falls >= 2 and falls * 4 > len(times) else Meaning.OF_DAY


@dataclass(slots=True)
class Clock:
    """Makes times of what is printed, packet by packet."""

    meaning: Meaning
    day_us: int = 0
    last_us: int | None = None
    sum_us: int = 0

    def time_us(self, text: str) -> int | None:
        """The time of the next packet, None where the text does not tell."""
        time = microseconds(text) if text else None
        if time is None or "-" in text or ":" not in text:
            return time
        match self.meaning:
            case Meaning.UNKNOWN:
                return None
            case Meaning.DIFFERENCE:
                self.sum_us += time
                return self.sum_us
        if self.last_us is not None and self.last_us - time > _DAY // 2:
            self.day_us += _DAY
        self.last_us = time
        return self.day_us + time
