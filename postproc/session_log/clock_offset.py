"""How far the clock of a log is ahead of that of a capture, found from sessions and flows with the same ends.

Most of the differences between the times of a session and of a flow with its addresses and ports are the offset of the
clocks, give or take the precision of the log. Others (ports used again, flows that began before the capture) scatter.
So the offset is where the differences are densest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from postproc.session_log.log_time import SECOND_US

_NEAR_US = 600 * SECOND_US  # clocks that nobody synchronises differ by minutes
_QUARTER_US = 900 * SECOND_US  # time zones differ by quarters of an hour
_FARTHEST_ZONES_US = 26 * 3600 * SECOND_US  # from UTC-12 to UTC+14
_ENOUGH = 3  # sessions that agree: two could by chance


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The log's clock minus the capture's (us), the sessions that agree with it, and how many could."""

    offset_us: int
    agreeing: int
    compared: int


def clock_offset(differences_us: npt.NDArray[np.int64], precision_us: int, enough: int = _ENOUGH) -> ClockOffset | None:
    """The offset that most of these differences agree with; None where it could be chance.

    Fewer than `enough` that agree count only within ten minutes, or near the distance of two time zones.
    """
    if differences_us.size == 0:
        return None
    ordered = np.sort(differences_us)
    width = 2 * precision_us + SECOND_US
    agreeing = np.searchsorted(ordered, ordered + width, side="right") - np.arange(ordered.size)
    best = np.flatnonzero(agreeing == agreeing.max())
    first = int(best[np.abs(ordered[best]).argmin()])  # of equally dense places, that of the smallest offset
    count = int(agreeing[first])
    offset = int(np.median(ordered[first : first + count]))
    if count < enough and not (abs(offset) <= _NEAR_US or _is_zone(offset, width)):
        return None
    return ClockOffset(offset, count, int(ordered.size))


def _is_zone(offset_us: int, width_us: int) -> bool:
    """Whether the offset may come from a wrong time zone."""
    beside = abs((offset_us + _QUARTER_US // 2) % _QUARTER_US - _QUARTER_US // 2)
    return abs(offset_us) <= _FARTHEST_ZONES_US and beside <= 2 * width_us
