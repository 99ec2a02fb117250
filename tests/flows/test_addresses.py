"""Networks and private addresses are the same in Python and in the tables of the plugin."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest

from generator.flow_state import private_prefixes
from heuristics.protocol.private_networks import PRIVATE_NETWORKS
from postproc.flows.addresses import is_private, network


def by_the_plugins_table(address: str) -> bool:
    """Whether the address is private, by its first two bytes, as the plugin decides."""
    parsed = ipaddress.ip_address(address)
    first, second = parsed.packed[:2]
    prefixes = private_prefixes()[parsed.version]
    return any(first == byte and low <= second <= high for byte, low, high in prefixes)


def addresses() -> list[str]:
    """Addresses in and next to each private network, and random ones."""
    random, found = Random(7), []
    for block in map(ipaddress.ip_network, PRIVATE_NETWORKS):
        low, high = block.network_address, block.broadcast_address
        found += [str(low), str(high), str(low - 1), str(high + 1)]
    found += [str(ipaddress.IPv4Address(random.getrandbits(32))) for _ in range(2000)]
    return found + [str(ipaddress.IPv6Address(random.getrandbits(128))) for _ in range(2000)]


def test_both_engines_call_the_same_addresses_private() -> None:
    tried = addresses()
    assert [address for address in tried if is_private(address) != by_the_plugins_table(address)] == []
    assert 20 < sum(map(is_private, tried)) < 200


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", bytes((203, 0))),
        ("172.32.0.1", bytes((172, 32))),
        ("172.31.255.255", None),
        ("2001:db8:5::2", bytes((0x20, 0x01, 0x0D, 0xB8))),
        ("fd00::1", None),
        ("fe80::1", None),
    ],
)
def test_the_network_of_an_address(address: str, expected: bytes | None) -> None:
    assert network(address) == expected
