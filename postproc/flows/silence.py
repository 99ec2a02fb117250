"""The silence before resets: of each connection, and of all that one sender reset after a long silence.

The plugin does the same in Lua (generator/templates/state/silence.lua.j2), function by function.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from heuristics.engine_limits import LONG_SILENCE_US
from postproc.flows.state import Reset


class SilentResets(NamedTuple):
    """How many resets of one sender came after a long silence, and the shortest silence in microseconds, if any."""

    resets: int = 0
    least_us: int | None = None


def silence_us(idle_us: int | None, peer_pause_us: int | None) -> int | None:
    """The longer of the two that is known."""
    return max((each for each in (idle_us, peer_pause_us) if each is not None), default=None)


def count_silences(resets: Iterable[Reset], silences: dict[str, SilentResets]) -> None:
    """Add to `silences`, by sender, the resets that ended a connection after a long silence, copies once."""
    for reset in resets:
        silence = reset.silence_us
        if reset.after_end or reset.is_copy or silence is None or silence < LONG_SILENCE_US:
            continue
        known = silences.get(reset.packet.src, SilentResets())
        least = silence if known.least_us is None else min(known.least_us, silence)
        silences[reset.packet.src] = SilentResets(known.resets + 1, least)
