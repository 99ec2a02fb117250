"""Times: from the text that tools print, and for people (in UTC or in the time zone of this machine).

Text of packets may name no date, or no year: such times are of 1970, when no packet was captured. They are shown
without what is not known, and without a zone, as they were printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_DAY, _SECOND = "%Y-%m-%d", "%H:%M:%S"
_DAY_OF_YEAR = "%m-%d"
_SECONDS_A_DAY = 86_400
_DAYS_WITHOUT_DATE = 7  # how long a text without dates may be, at most
_SECONDS_OF_1970 = 365 * _SECONDS_A_DAY


def has_date(seconds: float) -> bool:
    """Whether a capture time has a date, or only a time of day."""
    return not 0 <= seconds < _DAYS_WITHOUT_DATE * _SECONDS_A_DAY


def has_year(seconds: float) -> bool:
    """Whether a capture time has a year."""
    return not 0 <= seconds < _SECONDS_OF_1970


@dataclass(frozen=True, slots=True)
class Clock:
    """Writes capture times (seconds since 1970). `local`: in the time zone of this machine, otherwise in UTC."""

    local: bool = False

    def moment(self, seconds: float, decimals: int = 0) -> str:
        """Date, time and zone: "2026-11-30 13:02:01 UTC", or with up to six `decimals` of the second."""
        time = self._time(seconds)
        if time is None:
            return f"{seconds:.6f} s after 1970"
        fraction = f"{time.microsecond:06}"[:decimals]
        return f"{time:{_day_and(seconds)}}{'.' if fraction else ''}{fraction}{_zone(seconds, time)}"

    def span(self, first: float, last: float) -> str:
        """When a series of events was: "on 2026-11-30 from 13:02:01 to 13:09:44 UTC"."""
        start, end = self._time(first), self._time(last)
        if start is None or end is None or start.replace(microsecond=0) == end.replace(microsecond=0):
            return f"at {self.moment(first)}"
        if start.date() == end.date():
            day = "" if not has_date(first) else f"on {start:{_day(first)}} "
            return f"{day}from {start:{_SECOND}} to {end:{_SECOND}}{_zone(last, end)}"
        return f"from {self.moment(first)} to {self.moment(last)}"

    def in_table(self, seconds: float) -> str:
        """Date and time without the zone, which the heading names: "2026-11-30 13:02:01"."""
        time = self._time(seconds)
        return f"{seconds:.0f}" if time is None else f"{time:{_day_and(seconds)}}"

    @property
    def zone(self) -> str:
        """The name of the time zone, for the heading of a table."""
        return (datetime.now().astimezone().tzname() or "local time") if self.local else "UTC"

    def _time(self, seconds: float) -> datetime | None:
        """None: no year that a calendar has, which pcapng allows."""
        try:
            time = datetime.fromtimestamp(seconds, UTC)
            return time.astimezone() if self.local and has_year(seconds) else time
        except (OverflowError, ValueError, OSError):
            return None


def _day(seconds: float) -> str:
    """The form of a day, as far as it is known."""
    return _DAY if has_year(seconds) else _DAY_OF_YEAR


def _day_and(seconds: float) -> str:
    """The form of a day, if it is known, and of the time of day."""
    return f"{_day(seconds)} {_SECOND}" if has_date(seconds) else _SECOND


def _zone(seconds: float, time: datetime) -> str:
    if has_year(seconds):
        return f" {time.tzname()}"
    return " (no year)" if has_date(seconds) else " (no date)"


IN_UTC = Clock()


def seconds_to_us(text: str) -> int:
    """Decimal seconds in microseconds: "12.5" is 12,500,000. More than six decimals are cut off.

    Raises ValueError for what is no number.
    """
    seconds, _, fraction = text.partition(".")
    if not seconds.isdecimal():
        raise ValueError(text)
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6])
