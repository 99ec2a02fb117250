"""Host profiles: the hop limits of a host by protocol, and its MAC addresses, in all flows of the capture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heuristics.protocol.hop_limit import distance


@dataclass(slots=True)
class HostProfile:
    """The hop limits of one address's authentic packets: packet counts, in the order of the capture.

    `tcp` leaves out SYNs, since anybody can send a SYN in another's name; `syns` has these. TCP is separate, because
    other protocols may start from another initial hop limit (ping with 255, TCP with 64). Across protocols only
    distances are compared. `macs` are the source MAC addresses of all these packets. `mac_shared` says that other
    addresses send from one of them too.
    """

    tcp: dict[int, int] = field(default_factory=dict)
    other: dict[int, int] = field(default_factory=dict)
    syns: dict[int, int] = field(default_factory=dict)
    macs: frozenset[str] = frozenset()
    mac_shared: bool = False

    def baseline(self) -> int | None:
        """The most frequent hop limit, of TCP if there is any; among equals the first in the capture."""
        return most_frequent(self.tcp or self.other)

    def distances(self) -> dict[int, int]:
        """Packet counts by distance, for all protocols together, without SYNs."""
        counts: dict[int, int] = {}
        for hop_limits in (self.tcp, self.other):
            for hop_limit, packets in hop_limits.items():
                counts[distance(hop_limit)] = counts.get(distance(hop_limit), 0) + packets
        return counts


def most_frequent(counts: dict[int, int]) -> int | None:
    """The key with the highest count; among equals the first in the dict; None if the dict is empty."""
    return max(counts, key=counts.__getitem__, default=None)


def nearest(value: int | None, others: Iterable[int]) -> int | None:
    """The difference between `value` and the nearest of `others`; None if there are none, or no value."""
    return None if value is None else min((abs(value - other) for other in others), default=None)


def share(counts: dict[int, int]) -> int | None:
    """The share of the packets with the most frequent distance, in whole percent; None if there are no packets.

    Two neighbouring distances count as one: a capture on both sides of a router holds each packet twice.
    """
    if not counts:
        return None
    return 100 * max(packets + counts.get(hops + 1, 0) for hops, packets in counts.items()) // sum(counts.values())
