"""Where and when a capture was taken, as far as its packets tell: which captures may be witnesses for which."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """`local` are addresses at whose own interface it was taken; times in us since the epoch, None without packets.

    `hosts`, `hop_limits` and `packets` go together: how many authentic packets of an address showed a hop limit.
    """

    local: tuple[str, ...]
    first_us: int | None
    last_us: int | None
    hosts: tuple[str, ...] = ()
    hop_limits: tuple[int, ...] = ()
    packets: tuple[int, ...] = ()

    def near(self, other: Scene, apart_us: int) -> bool | None:
        """Whether the two were taken within so many microseconds of each other; None where it is not known."""
        if self.first_us is None or self.last_us is None or other.first_us is None or other.last_us is None:
            return None
        return self.first_us - apart_us <= other.last_us and other.first_us - apart_us <= self.last_us


NO_SCENE = Scene((), None, None)
