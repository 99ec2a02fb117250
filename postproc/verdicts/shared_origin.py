"""Cross-flow correlation: what all resets of a capture show together, and no single flow does.

A device that resets other hosts' connections uses one IP ID counter and one place for all of them. This also works in
flows without a baseline. The plugin does the same in Lua (generator/templates/state/shared_origin.lua.j2), function by
function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from heuristics.engine_limits import STABLE_SHARE
from heuristics.protocol.hop_limit import distance
from heuristics.rulebook.model import Thresholds
from postproc.flows.addresses import network
from postproc.flows.host_profile import HostProfile, nearest, share
from postproc.flows.state import Reset
from postproc.verdicts.ip_id_runs import IpIdRun, IpIdSample, ip_id_runs, ip_id_sample

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


@dataclass(frozen=True, slots=True)
class SharedOrigin:
    """A summary of the senders whose resets have one hop limit: the observables `place_*`, under the rest of the name.

    Resets of one IP version with one hop limit may come from one place.
    """

    senders: int
    networks: int
    foreign: int
    baselines: int
    native: int
    rival: int


_NO_ORIGIN = SharedOrigin(senders=0, networks=0, foreign=0, baselines=0, native=0, rival=0)


class CrossFlowCorrelation:
    """All resets of a capture. `hosts` has the profiles of their senders."""

    def __init__(self, hosts: Mapping[str, HostProfile], thresholds: Thresholds) -> None:
        self._hosts, self._thresholds = hosts, thresholds
        self._samples: list[tuple[int, IpIdSample]] = []
        self._senders: dict[tuple[int, int], set[str]] = {}
        self._interrupted: dict[tuple[int, int], set[str]] = {}

    def add(self, resets: Iterable[Reset]) -> None:
        """Add resets. All resets of the capture have to be added before the first result is read."""
        for reset in resets:
            if origin := _shared_origin_of(reset.packet):
                self._senders.setdefault(origin, set()).add(reset.packet.src)
                if reset.off_flow:
                    self._interrupted.setdefault(origin, set()).add(reset.packet.src)
            if sample := ip_id_sample(reset):
                self._samples.append((reset.packet.frame, sample))

    @cached_property
    def _runs(self) -> dict[int, IpIdRun]:
        return ip_id_runs(sorted(self._samples), self._thresholds)

    @cached_property
    def _origins(self) -> dict[tuple[int, int], SharedOrigin]:
        sizes = {origin: len(senders) for origin, senders in self._senders.items()}
        return {
            origin: _summarise(origin[1], senders, self._hosts, _rival_of(origin, sizes))
            for origin, senders in self._senders.items()
        }

    def ip_id_run(self, packet: Packet) -> IpIdRun | None:
        """The IP-ID run that a reset belongs to; None if its IP ID says nothing."""
        return self._runs.get(packet.frame)

    def shared_origin(self, packet: Packet) -> SharedOrigin:
        """The origin that a reset shares with others; of nobody where its hop limit is not known."""
        origin = _shared_origin_of(packet)
        return _NO_ORIGIN if origin is None else self._origins[origin]

    def interrupts(self, packet: Packet) -> bool:
        """Whether resets with this one's hop limit came in flows of the sender whose packets show other places."""
        origin = _shared_origin_of(packet)
        return origin is not None and packet.src in self._interrupted.get(origin, ())


def _shared_origin_of(packet: Packet) -> tuple[int, int] | None:
    return None if packet.hop_limit is None else (packet.ip_version, packet.hop_limit)


def _rival_of(origin: tuple[int, int], sizes: Mapping[tuple[int, int], int]) -> int:
    """The most senders of any other origin of the same IP version. A scan finds hosts in many places."""
    return max((size for other, size in sizes.items() if other != origin and other[0] == origin[0]), default=0)


def _summarise(hop_limit: int, senders: Iterable[str], hosts: Mapping[str, HostProfile], rival: int) -> SharedOrigin:
    profiles = {sender: hosts.get(sender) or HostProfile() for sender in senders}
    gaps = {sender: nearest(distance(hop_limit), profile.distances()) for sender, profile in profiles.items()}
    foreign = [
        profiles[sender] for sender, gap in gaps.items() if gap is not None and gap >= 2 and _stable(profiles[sender])
    ]
    return SharedOrigin(
        senders=len(profiles),
        networks=len({network(sender) for sender in profiles} - {None}),
        foreign=len(foreign),
        baselines=len({distance(baseline) for host in foreign if (baseline := host.baseline()) is not None}),
        native=sum(gap is not None and gap <= 1 for gap in gaps.values()),
        rival=rival,
    )


def _stable(host: HostProfile) -> bool:
    return (share(host.distances()) or 0) >= STABLE_SHARE
