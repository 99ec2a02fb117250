"""Times: from the text that tools print, and for people (in UTC or in the time zone of this machine)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_DAY, _SECOND = "%Y-%m-%d", "%H:%M:%S"


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
        return f"{time:{_DAY} {_SECOND}}{'.' if fraction else ''}{fraction} {time.tzname()}"

    def span(self, first: float, last: float) -> str:
        """When a series of events was: "on 2026-11-30 from 13:02:01 to 13:09:44 UTC"."""
        start, end = self._time(first), self._time(last)
        if start is None or end is None or start.replace(microsecond=0) == end.replace(microsecond=0):
            return f"at {self.moment(first)}"
        if start.date() == end.date():
            return f"on {start:{_DAY}} from {start:{_SECOND}} to {end:{_SECOND}} {end.tzname()}"
        return f"from {self.moment(first)} to {self.moment(last)}"

    def in_table(self, seconds: float) -> str:
        """Date and time without the zone, which the heading names: "2026-11-30 13:02:01"."""
        time = self._time(seconds)
        return f"{seconds:.0f}" if time is None else f"{time:{_DAY} {_SECOND}}"

    @property
    def zone(self) -> str:
        """The name of the time zone, for the heading of a table."""
        return (datetime.now().astimezone().tzname() or "local time") if self.local else "UTC"

    def _time(self, seconds: float) -> datetime | None:
        """None: no year that a calendar has, which pcapng allows."""
        try:
            time = datetime.fromtimestamp(seconds, UTC)
            return time.astimezone() if self.local else time
        except (OverflowError, ValueError, OSError):
            return None


IN_UTC = Clock()


def seconds_to_us(text: str) -> int:
    """Decimal seconds in microseconds: "12.5" is 12,500,000. More than six decimals are cut off.

    Raises ValueError for what is no number.
    """
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6])
