"""Networks that are private, and how much of an address is its network: the same in both engines."""

from __future__ import annotations

# RFC 1918, 6598, 3927 and 1122; RFC 4193 and 4291. No prefix is longer than 16 bits: the plugin compares two bytes.
PRIVATE_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    *("fc00::/7", "fe80::/10"),
)

# Addresses that differ in their first 16 bits (IPv4) or 32 bits (IPv6) are seldom neighbours.
IPV4_NETWORK_BYTES, IPV6_NETWORK_BYTES = 2, 4
