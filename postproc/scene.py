"""Where and when a capture was taken, as far as its packets tell: which captures may be witnesses for which."""

from __future__ import annotations

from dataclasses import dataclass

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


def scene_of(packets: pl.DataFrame) -> Scene:
    """The scene of the packets table."""
    if packets.is_empty():
        return NO_SCENE
    first, last = packets.select(pl.col("time_us").min(), pl.col("time_us").max().alias("last")).row(0)
    return Scene(tuple(sorted(local_hosts(packets))[:_MOST]), first, last)


def local_hosts(packets: pl.DataFrame) -> set[str]:
    """Addresses whose every authentic packet shows an initial hop limit: captured at their own interface."""
    at_home = pl.col("hop_limit").is_in(INITIAL_HOP_LIMITS).all()
    return set(packets.filter(authentic()).group_by("src").agg(at_home).filter("hop_limit")["src"])
