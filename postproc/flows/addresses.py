"""IP addresses: which network an address belongs to, and whether it is private."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from heuristics.protocol.private_networks import IPV4_NETWORK_BYTES, IPV6_NETWORK_BYTES, PRIVATE_NETWORKS

_PRIVATE = tuple(map(ipaddress.ip_network, PRIVATE_NETWORKS))


@lru_cache(maxsize=65536)
def network(address: str) -> bytes | None:
    """The first 16 bits of a public IPv4 address, the first 32 of an IPv6 one; None for a private address.

    Addresses that differ in these bits are seldom neighbours. Private networks may lie side by side.
    """
    if is_private(address):
        return None
    parsed = ipaddress.ip_address(address)
    return parsed.packed[: IPV4_NETWORK_BYTES if parsed.version == 4 else IPV6_NETWORK_BYTES]


@lru_cache(maxsize=65536)
def is_private(address: str) -> bool:
    """Whether other networks may use the address too. Raises ValueError for text that is no address."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in private for private in _PRIVATE if private.version == parsed.version)
