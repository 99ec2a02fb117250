"""Who sent each reset and each ICMP error of a capture, measured by comparing captures of the same time.

A packet in an endpoint's name is the endpoint's if, and only if, the same packet left that endpoint's own interface
about one wire delay earlier, each departure counting for one arrival. What a device sent leaves the device
without having entered it. What fits none of these is listed in `inconsistent`, never guessed.
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

EARLIEST = 0.9  # of the shortest transit measured ...
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
class Setup:
    """What the labels must know of a scenario. `owners`: the node of every address. `hosts`: the endpoints."""

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
        """The fields of a packet that no router changes: not hop limit, checksums and what the setup names."""
        ends = tuple(self.aliases.get(address, address) for address in (packet.source, packet.target))
        ports = (packet.source_port, packet.target_port)
        common = (packet.protocol, *ends, *ports, packet.ip_id, packet.df, packet.flags, packet.icmp)
        if not self.renumbered.isdisjoint(ports):
            return (*common, packet.payload)
        numbers = (packet.sequence, packet.acknowledgment, packet.window, packet.tos, packet.flow_label)
        return (*common, *numbers, packet.options, packet.payload)


@dataclass(frozen=True)
class CapturedPacket:
    """One frame with an IP packet, by its place in the capture from 1 on."""

    number: int
    time: int
    outgoing: bool
    packet: Packet


def read(frames: Sequence[Frame]) -> list[CapturedPacket]:
    """The IP packets of a capture."""
    packets = ((number, frame, read_frame(frame.data)) for number, frame in enumerate(frames, 1))
    return [CapturedPacket(number, frame.time, frame.outgoing, packet) for number, frame, packet in packets if packet]


@dataclass(frozen=True)
class Truth:
    """What is measured about one packet."""

    origin: str  # endpoint, front-end, middlebox, router
    node: str


class OriginFinder:
    """Decides for every reset and error of one side's capture. `problems` collects what did not fit."""

    def __init__(self, side: str, taps: Mapping[str, Sequence[Frame]], setup: Setup) -> None:
        """Read the captures; `taps` by name: client, server, and device interfaces as "device.NAME"."""
        self.side, self.setup = side, setup
        self.packets = {name: read(frames) for name, frames in taps.items()}
        self.own_packets = self.packets[side]
        self.problems: list[str] = []
        device = [
            captured for name, packets in self.packets.items() if name.startswith("device.") for captured in packets
        ]
        self._entered = {setup.identity(captured.packet) for captured in device if not captured.outgoing}
        self._left = {setup.identity(captured.packet) for captured in device if captured.outgoing}
        self._departures: dict[tuple[object, ...], list[int]] = defaultdict(list)
        self._host: dict[tuple[object, ...], str] = {}  # who sent what departed
        for host in sorted(setup.hosts - {side}):
            self._depart(host)
        self.transit = self._shortest_transits()
        self._own = self._match()

    def _depart(self, host: str) -> None:
        """Note what left a host in its own name; some hosts forward for others too."""
        for captured in self.packets.get(host, ()):
            if captured.outgoing and self.setup.owners.get(captured.packet.source, host) == host:
                key = self.setup.identity(captured.packet)
                self._departures[key].append(captured.time)
                self._host[key] = host

    def _shortest_transits(self) -> dict[str, int]:
        """Nanoseconds the quickest ordinary packet took from each host, by packets that occur once; 0 without any."""
        arrivals = Counter(
            self.setup.identity(captured.packet) for captured in self.own_packets if not captured.outgoing
        )
        transits: dict[str, list[int]] = defaultdict(list)
        for captured in self.own_packets:
            key = self.setup.identity(captured.packet)
            departures = self._departures.get(key, [])
            ordinary = not (captured.outgoing or captured.packet.is_reset or captured.packet.is_error)
            if ordinary and arrivals[key] == len(departures) == 1 and departures[0] <= captured.time:
                transits[self._host[key]].append(captured.time - departures[0])
        return {host: min(transits[host], default=0) for host in self.setup.hosts}

    def _match(self) -> dict[int, str]:
        """The resets and errors that a host itself sent, by number: one arrival per departure."""
        arrivals: dict[tuple[object, ...], list[CapturedPacket]] = defaultdict(list)
        for captured in self.own_packets:
            if not captured.outgoing and (captured.packet.is_reset or captured.packet.is_error):
                arrivals[self.setup.identity(captured.packet)].append(captured)
        own: dict[int, str] = {}
        for key, candidates in arrivals.items():
            shortest = self.transit[self._host[key]] if key in self._host else 0
            for left in self._departures.get(key, []):
                transits = {
                    captured.number: captured.time - left for captured in candidates if captured.number not in own
                }
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

    def truth_of(self, captured: CapturedPacket) -> Truth:
        """Who sent it."""
        packet, setup = captured.packet, self.setup
        owner = setup.owners.get(packet.source)
        if captured.outgoing:
            if owner != self.side:
                self.problems.append(f"frame {captured.number}: left the {self.side} in the name of {packet.source}")
            return Truth("endpoint", self.side)
        if captured.number in self._own:
            return Truth("endpoint", self._own[captured.number])
        if owner is not None and owner not in setup.hosts:
            return self._in_its_own_name(captured, owner)
        node = setup.device if self._device_made(packet) else None
        if node is None:
            self.problems.append(f"frame {captured.number}: nobody was seen to send it")
        return Truth("middlebox", node or "unknown")

    def _in_its_own_name(self, captured: CapturedPacket, owner: str) -> Truth:
        """A router's or front-end's own address: rejecting by policy, answering as the address's owner, or routing."""
        packet = captured.packet
        if owner == self.setup.device and not self._device_made(packet):
            self.problems.append(f"frame {captured.number}: not seen to leave {owner}, whose address it carries")
        if packet.is_reset:
            return Truth("front-end", owner)
        policy = owner == self.setup.device and self.setup.mechanism(ports_of(packet), "device")
        return Truth("middlebox" if policy else "router", owner)

    def _device_made(self, packet: Packet) -> bool:
        key = self.setup.identity(packet)
        return key in self._left and key not in self._entered


def ports_of(packet: Packet) -> tuple[int, int]:
    """A packet's ports, or those of the packet that an ICMP error quotes."""
    tcp_or_udp = packet.quoted or packet
    return tcp_or_udp.source_port, tcp_or_udp.target_port


def name_mechanism(setup: Setup, packet: Packet, truth: Truth) -> str:
    """The mechanism that the scenario noted; else what such a node does by itself."""
    role = setup.role(truth.node)
    noted = setup.mechanism(ports_of(packet), "device" if truth.origin in ("middlebox", "front-end") else role)
    if noted:
        return noted
    if truth.origin == "router":
        if packet.icmp == (3, 1) or packet.icmp == (1, 3):
            return "router_host_unreachable"
        return _ROUTER_ERRORS.get((packet.version, packet.icmp[0] if packet.icmp else 0), "router_error")
    return f"{role}_icmp_error" if packet.is_error else f"{role}_kernel_reply"


def events(side: str, taps: Mapping[str, Sequence[Frame]], setup: Setup) -> tuple[list[dict[str, object]], list[str]]:
    """One event for every reset and ICMP error of one side's capture, and what was inconsistent."""
    finder = OriginFinder(side, taps, setup)
    orders: Counter[tuple[object, ...]] = Counter()
    found = []
    for captured in finder.own_packets:
        packet = captured.packet
        if not (packet.is_reset or packet.is_error):
            continue
        if ipaddress.ip_address(packet.source).is_link_local:  # neighbours among themselves: nothing on the path
            continue
        truth = finder.truth_of(captured)
        flow = (packet.source, packet.target, *ports_of(packet), packet.protocol)
        orders[flow] += 1
        found.append(
            {
                "frame": captured.number,
                "time": round(captured.time / NANOSECONDS, 6),
                "kind": "rst" if packet.is_reset else "icmp_error",
                "ipv": packet.version,
                "src": packet.source,
                "dst": packet.target,
                **_details(packet),
                "order": orders[flow],
                "direction": "out" if captured.outgoing else "in",
                "origin": truth.origin,
                "node": truth.node,
                "mechanism": name_mechanism(setup, packet, truth),
            }
        )
    return found, finder.problems


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


def write_labels(path: Path, labels: Mapping[str, object]) -> None:
    """Write labels as JSON, one line per key and per event; `labels` ends with the events."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in labels.items() if key != "events"]
    recorded = ",\n".join(f"  {json.dumps(event)}" for event in labels["events"])  # type: ignore[attr-defined]
    path.write_text("\n".join(["{", *lines, ' "events": [', recorded, " ]", "}", ""]))
