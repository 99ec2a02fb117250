"""The resets of a capture in each other's company: what no single flow shows, and flows without a baseline need.

A device that resets other people's connections uses its own IP ID counter and its own place for all of them. The plugin
does the same in Lua (generator/templates/state/shared_origin.lua.j2), function by function.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from heuristics.engine_limits import OWN_RUN, REMEMBERED_RUNS, STABLE_SHARE
from heuristics.protocol.tshark_fields import distance
from heuristics.rulebook.model import Thresholds
from postproc.flows.host_profile import HostProfile, nearest, share
from postproc.flows.state import Reset

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars

# RFC 1918, 6598, 3927 and 1122; RFC 4193 and 4291.
_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10"),
    )
)


_Which = TypeVar("_Which", bound=Hashable)


class Counted(NamedTuple):
    """Of a reset, what tells whose counter its IP ID comes from."""

    ip_id: int
    hop_limit: int
    src: str


@dataclass(slots=True)
class Run:
    """Resets that arrived with one hop limit and whose IP IDs count up; `senders` are the addresses they name."""

    hop_limit: int
    last_id: int
    senders: set[str] = field(default_factory=set)

    @property
    def networks(self) -> int:
        """How many different networks the senders are of."""
        return len({network(sender) for sender in self.senders} - {None})


@dataclass(frozen=True, slots=True)
class Place:
    """What the senders of the resets with one hop limit have in common; names as in the vocabulary, less `place_`."""

    senders: int
    networks: int
    foreign: int
    baselines: int
    native: int
    rival: int


class Company:
    """All resets of a capture. `hosts` has the profiles of their senders."""

    def __init__(self, hosts: Mapping[str, HostProfile], thresholds: Thresholds) -> None:
        self._hosts, self._thresholds = hosts, thresholds
        self._counted: list[tuple[int, Counted]] = []
        self._senders: dict[tuple[int, int], set[str]] = {}

    def note(self, resets: Iterable[Reset]) -> None:
        """Take in some of the resets, all of them before anything is asked."""
        for reset in resets:
            self._senders.setdefault(_place_of(reset.packet), set()).add(reset.packet.src)
            if counted := counted_in(reset):
                self._counted.append((reset.packet.frame, counted))

    @cached_property
    def _runs(self) -> dict[int, Run]:
        return runs(sorted(self._counted), self._thresholds)

    @cached_property
    def _places(self) -> dict[tuple[int, int], Place]:
        sizes = {place: len(at_it) for place, at_it in self._senders.items()}
        return {
            place: _place(place[1], at_it, self._hosts, _rival(place, sizes)) for place, at_it in self._senders.items()
        }

    def run(self, packet: Packet) -> Run | None:
        """The run of IP IDs that a reset is part of; None where its IP ID says nothing."""
        return self._runs.get(packet.frame)

    def place(self, packet: Packet) -> Place:
        """The place that a reset came from."""
        return self._places[_place_of(packet)]


def _place_of(packet: Packet) -> tuple[int, int]:
    return packet.ip_version, packet.hop_limit


def counted_in(reset: Reset) -> Counted | None:
    """None where its IP ID says nothing: 0 counts nothing, and the sender's own next is no company of others."""
    packet, id_step = reset.packet, reset.id_step
    if not packet.ip_id or (id_step is not None and 1 <= id_step <= OWN_RUN):
        return None
    return Counted(packet.ip_id, packet.hop_limit, packet.src)


def runs(resets: Iterable[tuple[_Which, Counted]], thresholds: Thresholds) -> dict[_Which, Run]:
    """The run that each is part of, by what is said to tell them apart. `resets` come in the order of time."""
    found: dict[_Which, Run] = {}
    recent: list[Run] = []
    for which, reset in resets:
        run = _continued(reset, recent, thresholds) or Run(reset.hop_limit, reset.ip_id)
        run.last_id = reset.ip_id
        run.senders.add(reset.src)
        recent = [*(other for other in recent if other is not run), run][-REMEMBERED_RUNS:]
        found[which] = run
    return found


def _continued(reset: Counted, recent: Sequence[Run], thresholds: Thresholds) -> Run | None:
    for run in reversed(recent):
        step = (reset.ip_id - run.last_id) & 0xFFFF
        follows = 1 <= step <= thresholds.run_step or (step == 0 and reset.src in run.senders)
        if run.hop_limit == reset.hop_limit and follows:
            return run
    return None


def _rival(place: tuple[int, int], sizes: Mapping[tuple[int, int], int]) -> int:
    """Senders of the most crowded place but this one, of the same IP version: a scan finds hosts in many places."""
    return max((size for other, size in sizes.items() if other != place and other[0] == place[0]), default=0)


def _place(hop_limit: int, senders: Iterable[str], hosts: Mapping[str, HostProfile], rival: int) -> Place:
    profiles = {sender: hosts.get(sender) or HostProfile() for sender in senders}
    gaps = {sender: nearest(distance(hop_limit), profile.distances()) for sender, profile in profiles.items()}
    foreign = [
        profiles[sender] for sender, gap in gaps.items() if gap is not None and gap >= 2 and _stable(profiles[sender])
    ]
    return Place(
        senders=len(profiles),
        networks=len({network(sender) for sender in profiles} - {None}),
        foreign=len(foreign),
        baselines=len({distance(baseline) for host in foreign if (baseline := host.baseline()) is not None}),
        native=sum(gap is not None and gap <= 1 for gap in gaps.values()),
        rival=rival,
    )


def _stable(host: HostProfile) -> bool:
    return (share(host.distances()) or 0) >= STABLE_SHARE


@lru_cache(maxsize=65536)
def network(address: str) -> bytes | None:
    """The first 16 bits of a public IPv4 address, the first 32 of an IPv6 one; None of a private one.

    Addresses that differ in these are seldom neighbours, while private networks may lie side by side.
    """
    if is_private(address):
        return None
    parsed = ipaddress.ip_address(address)
    return parsed.packed[: 2 if parsed.version == 4 else 4]


@lru_cache(maxsize=65536)
def is_private(address: str) -> bool:
    """Whether other networks may use the address too. Raises ValueError for what is no address."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in private for private in _PRIVATE if private.version == parsed.version)
