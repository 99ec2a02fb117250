"""What the templates of the flow state are rendered from: the record of the reset context, and private networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from heuristics.observables.observable import Observable, Type
from heuristics.protocol.private_networks import PRIVATE_NETWORKS

_NAMES_PER_LINE = 7


def context_record(observables: Iterable[Observable]) -> Iterator[tuple[str, list[str]]]:
    """Lines of the record that stores these observables: a width of state/packed_records.lua.j2, and names."""
    by_width: dict[str, list[str]] = {}
    for observable in observables:
        by_width.setdefault(_width(observable), []).append(observable.name)
    for width, names in by_width.items():
        for start in range(0, len(names), _NAMES_PER_LINE):
            yield width, names[start : start + _NAMES_PER_LINE]


def _width(observable: Observable) -> str:
    """Numbers that do not fit are stored wider, so a width costs no precision."""
    if observable.type is not Type.INT:
        return "other"
    if observable.uint16:
        return "H"
    return "I5" if observable.unit == "us" else "i4"


def private_prefixes() -> dict[int, list[tuple[int, int, int]]]:
    """Private networks by IP version: a first byte, and the range of the second byte."""
    prefixes: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
    for network in map(ipaddress.ip_network, PRIVATE_NETWORKS):
        low, high = network.network_address.packed, network.broadcast_address.packed
        for first in range(low[0], high[0] + 1):
            prefixes[network.version].append((first, low[1], high[1]))
    return prefixes
