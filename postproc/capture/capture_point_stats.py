"""What shows of a capture's scene (scene.py) while its packets are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import polars as pl

from heuristics.protocol.tshark_fields import INITIAL_HOP_LIMITS
from postproc.capture.capture_point import NO_SCENE, Scene
from postproc.capture.packet_table import authentic

# Hosts, and hop limits of hosts, that are kept: those with the most packets.
_MOST_LOCAL, _MOST_SHOWN = 256, 4096


@dataclass(slots=True)
class Seen:
    """When the packets passed that were read so far, and the hosts.

    `shown` counts authentic packets by address and hop limit.
    """

    shown: Counter[tuple[str, int]] = field(default_factory=Counter)
    times_us: list[int] = field(default_factory=list)

    def note_times(self, times_us: Iterable[int]) -> None:
        """Take in when some packets passed."""
        times = [*self.times_us, *times_us]
        self.times_us = [min(times), max(times)] if times else []

    def note_table(self, packets: pl.DataFrame) -> None:
        """Take in a packets table."""
        if not packets.is_empty():
            self.note_times(packets.select(first=pl.col("time_us").min(), last=pl.col("time_us").max()).row(0))
            for host, hop_limit, count in packets.filter(authentic()).group_by("src", "hop_limit").len().iter_rows():
                self.shown[host, hop_limit] += count

    def scene(self) -> Scene:
        """The scene of all that was taken in."""
        if not self.times_us:
            return NO_SCENE
        away = {host for host, hop_limit in self.shown if hop_limit not in INITIAL_HOP_LIMITS}
        ordered = sorted(self.shown.items(), key=lambda item: (-item[1], item[0]))
        local = dict.fromkeys(host for (host, _), _ in ordered if host not in away)
        most = ordered[:_MOST_SHOWN]
        return Scene(
            local=tuple(islice(local, _MOST_LOCAL)),
            first_us=self.times_us[0],
            last_us=self.times_us[1],
            hosts=tuple(host for (host, _), _ in most),
            hop_limits=tuple(hop_limit for (_, hop_limit), _ in most),
            packets=tuple(count for _, count in most),
        )


def local_hosts(packets: pl.DataFrame) -> set[str]:
    """Addresses whose every authentic packet shows an initial hop limit: captured at their own interface."""
    at_home = pl.col("hop_limit").is_in(INITIAL_HOP_LIMITS).all()
    return set(packets.filter(authentic()).group_by("src").agg(at_home=at_home).filter("at_home")["src"])
