"""Counts what shows the capture point (capture_point.py) while packets are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from heuristics.protocol.hop_limit import INITIAL_HOP_LIMITS
from postproc.capture.capture_point import NO_CAPTURE_POINT, CapturePoint
from postproc.capture.packet_table import authentic

# How many local addresses, and how many pairs of address and hop limit, a result holds: those with the most packets.
_MOST_LOCAL, _MOST_COUNTS = 256, 4096


@dataclass(slots=True)
class CapturePointStats:
    """The first and the last time (us), and authentic packets by address and hop limit, of the packets so far."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    times_us: list[int] = field(default_factory=list)

    def add_times(self, times_us: Iterable[int]) -> None:
        """Add the times of some packets."""
        times = [*self.times_us, *times_us]
        self.times_us = [min(times), max(times)] if times else []

    def add_table(self, packets: pl.DataFrame) -> None:
        """Add a packets table."""
        if not packets.is_empty():
            self.add_times(packets.select(first=pl.col("time_us").min(), last=pl.col("time_us").max()).row(0))
            known = packets.filter(authentic() & pl.col("hop_limit").is_not_null())
            for host, hop_limit, count in known.group_by("src", "hop_limit").len().iter_rows():
                self.counts[host, hop_limit] += count

    def capture_point(self) -> CapturePoint:
        """The capture point of all packets so far."""
        if not self.times_us:
            return NO_CAPTURE_POINT
        most = self._most_packets_first()[:_MOST_COUNTS]
        return CapturePoint(
            local=tuple(self.local_addresses()[:_MOST_LOCAL]),
            first_us=self.times_us[0],
            last_us=self.times_us[1],
            hosts=tuple(host for (host, _), _ in most),
            hop_limits=tuple(hop_limit for (_, hop_limit), _ in most),
            packets=tuple(count for _, count in most),
        )

    def local_addresses(self) -> list[str]:
        """Addresses captured at their own interface: all their authentic packets have an initial hop limit."""
        remote = {host for host, hop_limit in self.counts if hop_limit not in INITIAL_HOP_LIMITS}
        return list(dict.fromkeys(host for (host, _), _ in self._most_packets_first() if host not in remote))

    def _most_packets_first(self) -> list[tuple[tuple[str, int], int]]:
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))


def local_addresses(packets: pl.DataFrame) -> set[str]:
    """The local addresses of a whole packets table."""
    stats = CapturePointStats()
    stats.add_table(packets)
    return set(stats.local_addresses())
