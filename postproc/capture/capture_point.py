"""The capture point: where and when a capture was taken, as far as its packets show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CapturePoint:
    """What the packets show. Times are in microseconds since the epoch, None where a capture has no packets.

    `local` are the addresses at whose own interface the capture was taken. `hosts`, `hop_limits` and `packets` are
    parallel: an address, one hop limit of its authentic packets, and how many of them have it.
    """

    local: tuple[str, ...]
    first_us: int | None
    last_us: int | None
    hosts: tuple[str, ...] = ()
    hop_limits: tuple[int, ...] = ()
    packets: tuple[int, ...] = ()

    def near_in_time(self, other: CapturePoint, max_gap_us: int) -> bool | None:
        """Whether at most `max_gap_us` lie between the two captures; None where a time is unknown."""
        if self.first_us is None or self.last_us is None or other.first_us is None or other.last_us is None:
            return None
        return self.first_us - max_gap_us <= other.last_us and other.first_us - max_gap_us <= self.last_us


NO_CAPTURE_POINT = CapturePoint((), None, None)
