"""Where and when a capture was taken, as far as its packets tell: which captures may be witnesses for which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from heuristics.fields import INITIAL_HOP_LIMITS
from postproc.packets import authentic

_MOST = 256  # hosts that are kept


@dataclass(frozen=True, slots=True)
class Scene:
    """`local` are addresses at whose own interface it was taken; times in us since the epoch, None without packets."""

    local: tuple[str, ...]
    first_us: int | None
    last_us: int | None


NO_SCENE = Scene((), None, None)


@dataclass(slots=True)
class Seen:
    """What of the scene shows while a capture is read: when its packets passed, and which hosts may be local.

    `home` are sources of authentic packets with an initial hop limit, `away` those of others; a host may be both.
    """

    home: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    times_us: list[int] = field(default_factory=list)

    def note_times(self, times_us: Iterable[int]) -> None:
        """Take in when some packets passed."""
        times = [*self.times_us, *times_us]
        self.times_us = [min(times), max(times)] if times else []

    def note_table(self, packets: pl.DataFrame) -> None:
        """Take in a packets table."""
        if not packets.is_empty():
            self.note_times(packets.select(first=pl.col("time_us").min(), last=pl.col("time_us").max()).row(0))
            for host, at_home in hosts_at_home(packets).iter_rows():
                (self.home if at_home else self.away).add(host)

    def scene(self) -> Scene:
        """The scene of all that was taken in."""
        if not self.times_us:
            return NO_SCENE
        return Scene(tuple(sorted(self.home - self.away)[:_MOST]), self.times_us[0], self.times_us[-1])


def hosts_at_home(packets: pl.DataFrame) -> pl.DataFrame:
    """Columns `src` and `at_home`: whether every authentic packet of that address shows an initial hop limit."""
    at_home = pl.col("hop_limit").is_in(INITIAL_HOP_LIMITS).all()
    return packets.filter(authentic()).group_by("src").agg(at_home=at_home)


def local_hosts(packets: pl.DataFrame) -> set[str]:
    """Addresses whose every authentic packet shows an initial hop limit: captured at their own interface."""
    return set(hosts_at_home(packets).filter("at_home")["src"])
