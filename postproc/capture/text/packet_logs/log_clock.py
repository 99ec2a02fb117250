"""The times at the beginning of a line of a log -> microseconds since the epoch.

Whole seconds do not tell what came sooner than it could: such times are left out. Dates without a year are of 1970.
Times without a zone are taken as UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from postproc.runtime.clock import seconds_to_us

_SECOND = 1_000_000
_ISO = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_SHORT = re.compile(
    r"\b((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]?\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\b"
)
_KERNEL = re.compile(r"\[ *(\d{1,9})\.(\d{6})\]")  # since the machine started


@dataclass(slots=True)
class LogClock:
    """Makes times of lines, in their order. `coarse` becomes true where a time is of whole seconds."""

    coarse: bool = False
    _started_us: int | None = None

    def time_us(self, prefix: str) -> int | None:
        """The time of a line, by what stands before its packet."""
        wall_us, exact = _wall_clock(prefix)
        kernel = _KERNEL.search(prefix)
        if kernel is not None:
            since_start = int(kernel[1]) * _SECOND + int(kernel[2])
            if self._started_us is None:
                self._started_us = 0 if wall_us is None else wall_us - since_start
            return self._started_us + since_start
        self.coarse = self.coarse or not exact
        return wall_us if exact else None


def _wall_clock(prefix: str) -> tuple[int | None, bool]:
    """Date and time (us), and whether it has fractions of a second."""
    found = _ISO.search(prefix)
    if found is not None:
        date, clock, fraction, zone = found.groups()
        text = f"{date}T{clock}{'+00:00' if zone in (None, 'Z') else zone}"
        form = "%Y-%m-%dT%H:%M:%S%z"
    else:
        found = _SHORT.search(prefix)
        if found is None:
            return None, False
        date, clock, fraction = found.groups()
        text, form = f"1970 {' '.join(date.split())} {clock} +0000", "%Y %b %d %H:%M:%S %z"
    try:
        seconds = round(datetime.strptime(text, form).timestamp())
    except ValueError:
        return None, False
    return seconds * _SECOND + seconds_to_us(f"0.{fraction or 0}"), fraction is not None
