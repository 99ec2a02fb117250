"""The hop limit (IPv4 TTL, IPv6 hop limit): the value that a packet started from, and the distance of its sender."""

from __future__ import annotations

# The smallest of these not below a hop limit is taken for the sender's initial hop limit (p0f's convention).
INITIAL_HOP_LIMITS = (32, 64, 128, 255)


def initial_hop_limit(hop_limit: int) -> int:
    """The initial hop limit that a packet with `hop_limit` most likely started from."""
    return next(initial for initial in INITIAL_HOP_LIMITS if hop_limit <= initial)


def distance(hop_limit: int) -> int:
    """Hops from the sender to the capture point, by the most likely initial hop limit."""
    return initial_hop_limit(hop_limit) - hop_limit


def distance_if_known(hop_limit: int | None) -> int | None:
    """The same of a hop limit that an input may leave out."""
    return None if hop_limit is None else distance(hop_limit)
