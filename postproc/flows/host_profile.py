"""What each host showed over the whole capture: its hop limits by protocol and its MAC addresses, in whatever flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heuristics.protocol.tshark_fields import distance


@dataclass(slots=True)
class HostProfile:
    """Hop limits of one address's authentic packets, as packet counts in order of first sight, TCP apart from the rest.

    Another protocol may start from another initial hop limit (ping with 255, TCP with 64), so across protocols only
    distances are compared. `macs` are the source MAC addresses of the same packets; `mac_shared` says that other
    addresses send from one of them too.
    """

    tcp: dict[int, int] = field(default_factory=dict)
    other: dict[int, int] = field(default_factory=dict)
    macs: frozenset[str] = frozenset()
    mac_shared: bool = False

    def baseline(self) -> int | None:
        """The most frequent hop limit, of TCP where there is any; among equals the one seen first."""
        return most_frequent(self.tcp or self.other)

    def distances(self) -> dict[int, int]:
        """Packets by distance, all protocols together."""
        counts: dict[int, int] = {}
        for hop_limits in (self.tcp, self.other):
            for hop_limit, packets in hop_limits.items():
                counts[distance(hop_limit)] = counts.get(distance(hop_limit), 0) + packets
        return counts


def most_frequent(counts: dict[int, int]) -> int | None:
    """The key with the highest count; among equals the first in the dict; None where there is none."""
    return max(counts, key=counts.__getitem__, default=None)


def nearest(value: int, others: Iterable[int]) -> int | None:
    """How far `value` is from the nearest of `others`; None where there is none."""
    return min((abs(value - other) for other in others), default=None)


def share(counts: dict[int, int]) -> int | None:
    """The share of all packets that come from one place, in whole percent; None where there is none.

    Two distances next to each other are one place: a capture on both sides of a router shows each packet twice.
    """
    if not counts:
        return None
    return 100 * max(packets + counts.get(hops + 1, 0) for hops, packets in counts.items()) // sum(counts.values())
