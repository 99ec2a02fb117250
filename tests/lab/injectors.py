"""Forgers on a router: they watch the packets that pass and send resets of their own, each in another known manner.

A manner is a function from what the forger observed to the packets that it sends. It knows only what a real forger
would: the packets that passed the device.
"""

from __future__ import annotations

import contextlib
import random
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .lab import TRIGGER, Lab, emit
from .packets import ACK, FIN, PSH, RST, TCP, Packet, build, read_frame
from .sandbox import Node
from .wire import tap

MSS = 1460  # what the GFW takes for one, whatever the flow says (Clayton et al. 2006; Weaver et al. 2009)


@dataclass(frozen=True)
class Observation:
    """What the forger observed: the offending packet, and the last packet the other way (None: there was none)."""

    offender: Packet
    other_way: Packet | None
    device_limit: int


Manner = Callable[[Observation, random.Random], list[Packet]]


def answer_to(observed: Observation, **changes: object) -> Packet:
    """A reset to the offender's sender, in the name of the one it was for, at the sequence number it expects."""
    packet = observed.offender
    plain = Packet(
        packet.version, packet.target, packet.source, observed.device_limit, TCP,
        0 if packet.version == 4 else None, True, 0, 0, packet.target_port, packet.source_port,
        packet.acknowledgment, packet.sequence + len(packet.payload), RST | ACK,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def onward(observed: Observation, **changes: object) -> Packet:
    """A reset to the one the offender was for, in its sender's name, in place of the offender."""
    packet = observed.offender
    plain = replace(packet, flags=RST | ACK, payload=b"", options=b"", hop_limit=observed.device_limit)
    return replace(plain, **changes)  # type: ignore[arg-type]


def _onward_limit(packet: Packet | None, otherwise: int) -> int:
    """The hop limit with which an observed packet left the router."""
    return (packet.hop_limit if packet else otherwise) - 1


def hop_copying(observed: Observation, rng: random.Random) -> list[Packet]:
    """Both ends reset, with the hop limit, IP ID and label that the sender's own packets would have had."""
    last = observed.other_way
    bare = {"flags": RST, "acknowledgment": 0}
    shape: dict[str, object] = rng.choice((bare, {"flags": RST | ACK}))
    back = answer_to(
        observed, **shape, hop_limit=_onward_limit(last, 64), flow_label=last.flow_label if last else 0,
        df=last.df if last else True, window=rng.choice((0, last.window if last else 0)),
        ip_id=(last.ip_id + 1) & 0xFFFF if last and last.ip_id is not None else None,
    )  # fmt: skip
    forth = onward(observed, **shape, hop_limit=_onward_limit(observed.offender, 64), window=rng.choice((0, 501)))
    return [back, forth] if rng.random() < 0.7 else [back]


def plain(observed: Observation, rng: random.Random) -> list[Packet]:
    """Both ends reset with the device's own hop limit, as a firewall does that resets both ends."""
    ip_id = rng.choice((0, rng.randrange(1, 65536))) if observed.offender.version == 4 else None
    shape = {"ip_id": ip_id, "df": rng.random() < 0.5, "flags": rng.choice((RST, RST | ACK)), "flow_label": 0}
    return [answer_to(observed, **shape), onward(observed, window=0, tos=0, **shape)]


def gfw_like(observed: Observation, rng: random.Random) -> list[Packet]:
    """One bare reset and three with ACK at +0, +1460, +4380, each with its own hop limit; mostly to both ends."""

    def burst(to_one_end: Callable[..., Packet], start: int) -> list[Packet]:
        def forged(**changes: object) -> Packet:
            ip_id = rng.randrange(1, 65536) if observed.offender.version == 4 else None
            random_fields = {"hop_limit": rng.randint(38, 220), "ip_id": ip_id, "df": rng.random() < 0.5}
            return to_one_end(observed, window=rng.randrange(100, 65000), **random_fields, **changes)

        return [forged(flags=RST, acknowledgment=0), *(forged(sequence=start + n * MSS) for n in (0, 1, 3))]

    packet = observed.offender
    back = burst(answer_to, packet.acknowledgment)
    return back if rng.random() < 0.3 else back + burst(onward, packet.sequence)


def snort_like(observed: Observation, rng: random.Random) -> list[Packet]:
    """Both ends reset with the flow's own hop limit (of a bridge, sometimes of a router), random IP ID, DF clear."""
    lower = rng.choice((1, 1, 0))
    ip_id = rng.randrange(1, 65536) if observed.offender.version == 4 else None
    back = (observed.other_way.hop_limit if observed.other_way else 64) - lower
    return [
        answer_to(observed, hop_limit=back, ip_id=ip_id, df=False),
        onward(observed, hop_limit=observed.offender.hop_limit - lower, ip_id=ip_id, df=False, window=0),
    ]


def mirroring(observed: Observation, rng: random.Random) -> list[Packet]:
    """A reset made by turning the offending packet round: IP ID, window, reserved bits, sometimes hop limit stay."""
    packet = observed.offender
    copied = {"ip_id": packet.ip_id, "window": packet.window, "reserved": packet.reserved, "tos": packet.tos,
              "flow_label": packet.flow_label, "df": packet.df}  # fmt: skip
    limit = rng.choice((observed.device_limit, packet.hop_limit))
    return [answer_to(observed, hop_limit=limit, flags=rng.choice((RST, RST | ACK)), **copied)]


def block_page(observed: Observation, rng: random.Random) -> list[Packet]:
    """A page in the server's name, and a reset after it, both with the device's own hop limit; sometimes two."""
    page = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n" + b"blocked " * rng.randint(5, 60)
    ip_ids = [rng.choice((0, rng.randrange(1, 65000))) if observed.offender.version == 4 else None] * 2
    data = answer_to(observed, flags=FIN | PSH | ACK, window=rng.randrange(100, 65000), ip_id=ip_ids[0], payload=page)
    reset = replace(data, sequence=data.sequence + len(page) + 1, flags=RST | ACK, payload=b"", ip_id=ip_ids[1])
    return [data, *([reset] * rng.choice((1, 1, 2)))]


class Counting:
    """Resets in many servers' names from one device, with one run of IP IDs; perhaps with each server's hop limit."""

    def __init__(self, rng: random.Random) -> None:
        """Start the counter somewhere."""
        self._next, self._copies = rng.randrange(1, 60_000), rng.random() < 0.5

    def __call__(self, observed: Observation, rng: random.Random) -> list[Packet]:
        """One reset to the client, sometimes one to the server too."""
        own = {"hop_limit": _onward_limit(observed.other_way, 64)} if self._copies else {}
        back = answer_to(observed, ip_id=self._count(observed), flags=rng.choice((RST, RST | ACK)), **own)
        if rng.random() < 0.5:
            return [back]
        return [
            back,
            onward(observed, ip_id=self._count(observed), hop_limit=_onward_limit(observed.offender, 64), window=0),
        ]

    def _count(self, observed: Observation) -> int | None:
        if observed.offender.version == 6:
            return None
        self._next += 1
        return self._next


def neighbour(observed: Observation, rng: random.Random) -> list[Packet]:
    """Resets from a host on an end's own link: the hop limit as packets have it there, or the host's own."""
    copies, both = rng.random() < 0.6, rng.random() < 0.6
    last = observed.other_way
    ip_id = rng.randrange(1, 65536) if observed.offender.version == 4 else None
    form = {"ip_id": ip_id, "flags": rng.choice((RST, RST | ACK))}
    back = answer_to(observed, **form, **({"hop_limit": last.hop_limit} if copies and last else {}))
    forth = onward(observed, **form, window=0, **({"hop_limit": observed.offender.hop_limit} if copies else {}))
    return [back, forth] if both else [back]


def holds_trigger(packet: Packet) -> bool:
    """Whether a packet's data hold what devices object to."""
    return TRIGGER in packet.payload


class Injector:
    """Watches a port on a node and forges when a packet offends it: by default, when the data hold the trigger."""

    def __init__(
        self,
        lab: Lab,
        ports: Sequence[int],
        manner: Manner,
        node: Node | None = None,
        *,
        offends: Callable[[Packet], bool] = holds_trigger,
        once: bool = True,
    ) -> None:
        """Begin to watch on `node` (the lab's device), until the scenario ends. `once`: forge once per flow."""
        self._lab, self._ports, self._manner, self._node = lab, set(ports), manner, node or lab.device
        self._offends, self._once = offends, once
        self._limit = lab.plan.hop_limits.get(self._node.name, 64)
        self._last: dict[tuple[str, int, str, int], Packet] = {}
        self._done: set[tuple[str, int, str, int]] = set()
        interfaces = {lab.topology.ports[self._node.name, towards].interface for towards in ("client", "server")}
        self._taps = [tap(self._node, interface, outgoing=False) for interface in sorted(interfaces)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        lab.later(self.close)

    def close(self) -> None:
        """Stop watching."""
        self._ending.set()
        self._thread.join()
        for tapped in self._taps:
            tapped.close()

    def _watch(self) -> None:
        while not self._ending.is_set():
            for tapped in select.select(self._taps, [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    packet = read_frame(tapped.recv(65536))
                    if packet and packet.protocol == TCP:
                        self._handle(packet)

    def _handle(self, packet: Packet) -> None:
        if self._ports.isdisjoint((packet.source_port, packet.target_port)):
            return
        flow = (packet.source, packet.source_port, packet.target, packet.target_port)
        back = (*flow[2:], *flow[:2])
        self._last[flow] = packet
        if self._offends(packet) and not (self._once and flow in self._done):
            self._done.add(flow)
            observed = Observation(packet, self._last.get(back), self._limit)
            for towards, forged in self._aimed(self._manner(observed, self._lab.rng)):
                emit(self._lab.topology, self._node, towards, [build(forged)])

    def _aimed(self, forged: Sequence[Packet]) -> Iterator[tuple[str, Packet]]:
        """Each with the port it leaves by."""
        clients = {self._lab.address("client", version) for version in (4, 6)}
        last = self._node is self._lab.topology.router(self._lab.plan.routers)
        for packet in forged:
            onward = self._lab.branches.get(packet.target, "server") if last else "server"
            yield ("client" if packet.target in clients else onward), packet
