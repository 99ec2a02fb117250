"""Who sent each reset and each ICMP error of a capture, measured by comparing captures of one moment.

A packet in an endpoint's name is the endpoint's if, and only if, the same packet left that endpoint's own interface
about one wire delay earlier, each departure counting for one arrival. What a device sent is seen leaving the device
without having entered it. What fits no story is counted in `inconsistent`, never guessed.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .capture import NANOSECONDS, Frame
from .packets import TCP, Packet, read_frame

EARLIEST = 0.9  # of the shortest transit seen ...
SLACK = 50_000  # ... less this: without delay, how long a hop takes is up to the kernel's scheduling
LATEST = NANOSECONDS // 2  # past the shortest transit: queues of a busy machine
OTHER_END = {"client": "server", "server": "client"}
_ROUTER_ERRORS = {
    (4, 11): "router_ttl_exceeded", (6, 3): "router_ttl_exceeded", (4, 3): "router_unreachable",
    (6, 1): "router_unreachable",
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """What a scenario says it does: traffic with this port at either end is `mechanism` when `by` is who sent it."""

    port: int
    mechanism: str
    by: str  # "client", "server" or "device"


@dataclass
class Scene:
    """What the labels need to know of a run. `owners` gives the node of every address, `hosts` names the endpoints."""

    owners: dict[str, str]
    device: str | None = None
    notes: list[Note] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)  # address translated on the way to the address behind it
    renumbered: set[int] = field(default_factory=set)  # ports whose sequence numbers are rewritten on the way
    hosts: set[str] = field(default_factory=lambda: set(OTHER_END))

    def mechanism(self, ports: Sequence[int], by: str) -> str | None:
        """The noted mechanism for a flow's ports and who sent."""
        return next((note.mechanism for note in self.notes if note.port in ports and note.by == by), None)

    def role(self, node: str) -> str:
        """The part a node plays; every host beside client and server is a server too."""
        if node in self.hosts:
            return node if node in OTHER_END else "server"
        return "device" if node == self.device else "router"

    def identity(self, packet: Packet) -> tuple[object, ...]:
        """What stays the same of a packet on its way: not hop limit, checksums and what the scene names."""
        ends = tuple(self.aliases.get(address, address) for address in (packet.source, packet.target))
        ports = (packet.source_port, packet.target_port)
        common = (packet.protocol, *ends, *ports, packet.ip_id, packet.df, packet.flags, packet.icmp)
        if not self.renumbered.isdisjoint(ports):
            return (*common, packet.payload)
        numbers = (packet.sequence, packet.acknowledgment, packet.window, packet.tos, packet.flow_label)
        return (*common, *numbers, packet.options, packet.payload)


@dataclass(frozen=True)
class Seen:
    """One frame with an IP packet, by its place in the capture from 1 on."""

    number: int
    time: int
    outgoing: bool
    packet: Packet


def read(frames: Sequence[Frame]) -> list[Seen]:
    """The IP packets of a capture."""
    packets = ((number, frame, read_frame(frame.data)) for number, frame in enumerate(frames, 1))
    return [Seen(number, frame.time, frame.outgoing, packet) for number, frame, packet in packets if packet]


@dataclass(frozen=True)
class Truth:
    """What is measured about one packet."""

    origin: str  # endpoint, front-end, middlebox, router
    node: str


class Truths:
    """Decides for every reset and error of one side's capture. `problems` collects what did not fit."""

    def __init__(self, side: str, taps: Mapping[str, Sequence[Frame]], scene: Scene) -> None:
        """Read the captures; `taps` by name: client, server, and device interfaces as "device.NAME"."""
        self.side, self.scene = side, scene
        self.seen = {name: read(frames) for name, frames in taps.items()}
        self.mine = self.seen[side]
        self.problems: list[str] = []
        device = [seen for name, packets in self.seen.items() if name.startswith("device.") for seen in packets]
        self._entered = {scene.identity(seen.packet) for seen in device if not seen.outgoing}
        self._left = {scene.identity(seen.packet) for seen in device if seen.outgoing}
        self._departures: dict[tuple[object, ...], list[int]] = defaultdict(list)
        self._host: dict[tuple[object, ...], str] = {}  # who sent what departed
        for host in sorted(scene.hosts - {side}):
            self._depart(host)
        self.transit = self._shortest_transits()
        self._own = self._match()

    def _depart(self, host: str) -> None:
        """Take down what left a host in its own name; some hosts forward for others too."""
        for seen in self.seen.get(host, ()):
            if seen.outgoing and self.scene.owners.get(seen.packet.source, host) == host:
                key = self.scene.identity(seen.packet)
                self._departures[key].append(seen.time)
                self._host[key] = host

    def _shortest_transits(self) -> dict[str, int]:
        """Nanoseconds the quickest ordinary packet took from each host, by packets that occur once; 0 without any."""
        arrivals = Counter(self.scene.identity(seen.packet) for seen in self.mine if not seen.outgoing)
        transits: dict[str, list[int]] = defaultdict(list)
        for seen in self.mine:
            key = self.scene.identity(seen.packet)
            departures = self._departures.get(key, [])
            ordinary = not (seen.outgoing or seen.packet.is_reset or seen.packet.is_error)
            if ordinary and arrivals[key] == len(departures) == 1 and departures[0] <= seen.time:
                transits[self._host[key]].append(seen.time - departures[0])
        return {host: min(transits[host], default=0) for host in self.scene.hosts}

    def _match(self) -> dict[int, str]:
        """The resets and errors that a host itself sent, by number: one arrival per departure."""
        arrivals: dict[tuple[object, ...], list[Seen]] = defaultdict(list)
        for seen in self.mine:
            if not seen.outgoing and (seen.packet.is_reset or seen.packet.is_error):
                arrivals[self.scene.identity(seen.packet)].append(seen)
        own: dict[int, str] = {}
        for key, candidates in arrivals.items():
            shortest = self.transit[self._host[key]] if key in self._host else 0
            for left in self._departures.get(key, []):
                transits = {seen.number: seen.time - left for seen in candidates if seen.number not in own}
                fitting = [n for n, took in transits.items() if max(0, shortest * EARLIEST - SLACK) <= took]
                fitting = [n for n in fitting if transits[n] <= shortest + LATEST]
                if fitting:
                    own[min(fitting, key=lambda n: abs(transits[n] - shortest))] = self._host[key]
                elif transits:
                    nearest = min(transits.items(), key=lambda item: abs(item[1] - shortest))
                    self.problems.append(f"frame {nearest[0]}: the same packet left its sender {nearest[1] / 1e6:.3f} "
                                         f"ms before it came, the wire takes {shortest / 1e6:.3f} ms")  # fmt: skip
            if len(candidates) > len(self._departures.get(key, [])) > 0:
                self.problems.append(f"frame {candidates[0].number}: {len(candidates)} arrivals of what left its "
                                     f"sender {len(self._departures[key])} times")  # fmt: skip
        return own

    def of(self, seen: Seen) -> Truth:
        """Who sent it."""
        packet, scene = seen.packet, self.scene
        owner = scene.owners.get(packet.source)
        if seen.outgoing:
            if owner != self.side:
                self.problems.append(f"frame {seen.number}: left the {self.side} in the name of {packet.source}")
            return Truth("endpoint", self.side)
        if seen.number in self._own:
            return Truth("endpoint", self._own[seen.number])
        if owner is not None and owner not in scene.hosts:
            return self._in_its_own_name(seen, owner)
        node = scene.device if self._device_made(packet) else None
        if node is None:
            self.problems.append(f"frame {seen.number}: nobody was seen to send it")
        return Truth("middlebox", node or "unknown")

    def _in_its_own_name(self, seen: Seen, owner: str) -> Truth:
        """A router's or front-end's own address: rejecting by policy, answering as the address's owner, or routing."""
        packet = seen.packet
        if owner == self.scene.device and not self._device_made(packet):
            self.problems.append(f"frame {seen.number}: not seen to leave {owner}, whose address it carries")
        if packet.is_reset:
            return Truth("front-end", owner)
        policy = owner == self.scene.device and self.scene.mechanism(ports_of(packet), "device")
        return Truth("middlebox" if policy else "router", owner)

    def _device_made(self, packet: Packet) -> bool:
        key = self.scene.identity(packet)
        return key in self._left and key not in self._entered


def ports_of(packet: Packet) -> tuple[int, int]:
    """A packet's ports, or those of the packet that an ICMP error quotes."""
    told = packet.quoted or packet
    return told.source_port, told.target_port


def name_mechanism(scene: Scene, packet: Packet, truth: Truth) -> str:
    """The noted mechanism; else what such a node does by itself."""
    role = scene.role(truth.node)
    noted = scene.mechanism(ports_of(packet), "device" if truth.origin in ("middlebox", "front-end") else role)
    if noted:
        return noted
    if truth.origin == "router":
        if packet.icmp == (3, 1) or packet.icmp == (1, 3):
            return "router_host_unreachable"
        return _ROUTER_ERRORS.get((packet.version, packet.icmp[0] if packet.icmp else 0), "router_error")
    return f"{role}_icmp_error" if packet.is_error else f"{role}_kernel_reply"


def events(side: str, taps: Mapping[str, Sequence[Frame]], scene: Scene) -> tuple[list[dict[str, object]], list[str]]:
    """One event for every reset and ICMP error of one side's capture, and what was inconsistent."""
    truths = Truths(side, taps, scene)
    orders: Counter[tuple[object, ...]] = Counter()
    found = []
    for seen in truths.mine:
        packet = seen.packet
        if not (packet.is_reset or packet.is_error):
            continue
        if ipaddress.ip_address(packet.source).is_link_local:  # neighbours among themselves: nothing on the path
            continue
        truth = truths.of(seen)
        flow = (packet.source, packet.target, *ports_of(packet), packet.protocol)
        orders[flow] += 1
        found.append(
            {
                "frame": seen.number,
                "time": round(seen.time / NANOSECONDS, 6),
                "kind": "rst" if packet.is_reset else "icmp_error",
                "ipv": packet.version,
                "src": packet.source,
                "dst": packet.target,
                **_details(packet),
                "order": orders[flow],
                "direction": "out" if seen.outgoing else "in",
                "origin": truth.origin,
                "node": truth.node,
                "mechanism": name_mechanism(scene, packet, truth),
            }
        )
    return found, truths.problems


def _details(packet: Packet) -> dict[str, object]:
    if packet.protocol == TCP:
        return {"sport": packet.source_port, "dport": packet.target_port, "flags": packet.letters,
                "seq": packet.sequence, "ack": packet.acknowledgment}  # fmt: skip
    assert packet.icmp is not None
    details: dict[str, object] = {"icmp_type": packet.icmp[0], "icmp_code": packet.icmp[1]}
    if (quoted := packet.quoted) is not None:
        details["inner"] = {"src": quoted.source, "dst": quoted.target, "proto": quoted.protocol,
                            "sport": quoted.source_port, "dport": quoted.target_port}  # fmt: skip
    return details


def write_labels(path: Path, told: Mapping[str, object]) -> None:
    """Write labels as JSON, one line per key and per event; `told` ends with the events."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in told.items() if key != "events"]
    recorded = ",\n".join(f"  {json.dumps(event)}" for event in told["events"])  # type: ignore[attr-defined]
    path.write_text("\n".join(["{", *lines, ' "events": [', recorded, " ]", "}", ""]))
