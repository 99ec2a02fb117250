"""One random path per seed: client, routers in a row, server; and the building of it.

    client -- r1 -- r2 -- ... -- rN -- server

`Plan` is what the seed decides and can be read without rights; `Topology` is the plan made of namespaces.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .sandbox import Node
from .wire import Wire, run_wires

ADDRESSES4 = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737
ADDRESSES6 = "2001:db8"  # RFC 3849
INITIAL_HOP_LIMITS = (64, 64, 128, 255)  # Linux and most others, Windows, network gear
NO_OFFLOADS = ("tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
OPEN_SYSCTLS = {  # what every node has: nothing filtered, nothing rate limited, no traffic of its own
    "ipv4__conf__all__rp_filter": 0, "ipv4__conf__default__rp_filter": 0, "ipv4__icmp_ratelimit": 0,
    "ipv6__icmp__ratelimit": 0, "ipv6__conf__default__accept_dad": 0, "ipv6__conf__default__router_solicitations": 0,
    "ipv6__conf__default__mldv2_unsolicited_report_interval": 0, "ipv4__tcp_no_metrics_save": 1,
    "ipv6__conf__default__dad_transmits": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What a seed decides. `delays` are one-way, in seconds, one per link from the client on."""

    seed: int
    routers: int
    profile: str
    delays: tuple[float, ...]
    hop_limits: dict[str, int]
    device: int
    client4: str
    server4: str
    links4: str
    hosts: tuple[int, int]
    site: str = field(repr=False, default="")

    @property
    def one_way(self) -> float:
        """Seconds from one end to the other."""
        return sum(self.delays)

    def address(self, end: str, version: int) -> str:
        """The address of "client" or "server"."""
        host = self.hosts[end == "server"]
        if version == 4:
            return f"{self.client4 if end == 'client' else self.server4}.{host}"
        return f"{self.site}:{1 if end == 'client' else self.routers + 1:x}::{host:x}"

    def virtual(self, version: int) -> str:
        """A second address of the server's network, for a front-end to own."""
        return f"{self.server4}.99" if version == 4 else f"{self.site}:{self.routers + 1:x}::99"

    def absent(self, version: int) -> str:
        """An address of the server's network that no host has."""
        return f"{self.server4}.77" if version == 4 else f"{self.site}:{self.routers + 1:x}::77"

    def spare_link(self, number: int) -> tuple[dict[int, str], dict[int, str]]:
        """The addresses of both ends of a link beside the path, with prefix lengths; `number` is 32 to 119."""
        first, second = (
            {4: f"{self.links4}.{2 * number + end}/31", 6: f"{self.site}:{number:x}::{1 + end}/64"} for end in (0, 1)
        )
        return first, second

    def unrouted(self, version: int) -> str:
        """An address that the last router has no route to."""
        return f"{self.server4}.200" if version == 4 else f"{self.site}:fff0::1"


def plan(seed: int) -> Plan:
    """Decide everything about the path of a seed."""
    rng = random.Random(f"path {seed}")
    routers = rng.randint(2, 12)
    profile = ("spread", "client", "server", "lan")[seed % 4]
    total = 10 ** rng.uniform(-2.4, -1.4)  # 4 to 40 ms one-way
    places = {
        "client": [0, min(1, routers)],
        "server": [routers - 1, routers],
        "spread": sorted(rng.sample(range(routers + 1), min(routers + 1, rng.randint(2, 5)))),
        "lan": [],
    }[profile]
    shares = [rng.uniform(0.2, 1) for _ in places]
    delays = [0.0] * (routers + 1)
    for place, share in zip(places, shares, strict=True):
        delays[place] = round(total * share / sum(shares), 6)
    names = ["client", "server", *(f"r{n}" for n in range(1, routers + 1))]
    client4, server4, links4 = rng.sample(ADDRESSES4, 3)
    return Plan(
        seed, routers, profile, tuple(delays), {name: rng.choice(INITIAL_HOP_LIMITS) for name in names},
        device=rng.choice((1, routers, rng.randint(1, routers))), client4=client4, server4=server4, links4=links4,
        hosts=(rng.randint(10, 60), rng.randint(10, 60)), site=f"{ADDRESSES6}:{rng.randrange(1, 0xffff):x}",
    )  # fmt: skip


@dataclass(frozen=True)
class Port:
    """One end of a link: interface, its MAC address, its IP addresses by version, and the other end's."""

    interface: str
    mac: str
    addresses: dict[int, str]
    peer_mac: str
    peer: dict[int, str]


class Topology:
    """The plan, built. Use as a context manager. Each node has a port towards the client, the server, or both."""

    def __init__(self, decided: Plan) -> None:
        """Build it: namespaces, links, addresses, routes, hop limits, delays."""
        self.plan = decided
        names = ["client", *(f"r{n}" for n in range(1, decided.routers + 1)), "server"]
        self.path = [Node(name) for name in names]
        self.nodes = {node.name: node for node in self.path}
        self.client, self.server = self.path[0], self.path[-1]
        self.ports: dict[tuple[str, str], Port] = {}  # (node, towards "client" or "server" or another node)
        self._pool = Node("wires")
        for node in self.path:
            self.settle(node)
        wires = [wire for n in range(len(self.path) - 1) if (wire := self._link(n))]
        for position, node in enumerate(self.path):
            self._route(position, node)
        self._wires = run_wires(self._pool, wires, decided.seed) if wires else 0

    def settle(self, node: Node) -> None:
        """Give a node its sysctls."""
        limit = self.plan.hop_limits.get(node.name, 64)
        forward = int(node not in (self.client, self.server))
        node.sysctl(**OPEN_SYSCTLS, ipv4__ip_forward=forward, ipv6__conf__all__forwarding=forward)
        node.sysctl(ipv4__ip_default_ttl=limit, ipv6__conf__all__hop_limit=limit, ipv6__conf__default__hop_limit=limit)
        node.ip(["link set lo up"])

    def addresses(self, link: int) -> tuple[dict[int, str], dict[int, str]]:
        """The addresses of both ends of a link of the path, client's side first, with prefix lengths."""
        decided = self.plan
        site = f"{decided.site}:{link + 1:x}"  # no zero among the groups: one way to write an address
        if link == 0:
            mine = {4: f"{decided.address('client', 4)}/25", 6: f"{decided.address('client', 6)}/64"}
            return mine, {4: f"{decided.client4}.1/25", 6: f"{site}::1/64"}
        if link == decided.routers:
            theirs = {4: f"{decided.address('server', 4)}/25", 6: f"{decided.address('server', 6)}/64"}
            return {4: f"{decided.server4}.1/25", 6: f"{site}::1/64"}, theirs
        first = f"{decided.links4}.{2 * link}/31", f"{site}::1/64"
        second = f"{decided.links4}.{2 * link + 1}/31", f"{site}::2/64"
        return {4: first[0], 6: first[1]}, {4: second[0], 6: second[1]}

    def _link(self, number: int) -> Wire | None:
        delay = self.plan.delays[number]
        first, second = self.path[number], self.path[number + 1]
        ends = [(first, "server"), (second, "client")]
        if delay <= 0:
            self.join(ends, self.addresses(number), number)
            return None
        inner = [f"w{number}a", f"w{number}b"]
        self.join(ends, self.addresses(number), number, inner)
        return Wire((inner[0], inner[1]), delay, jitter=delay / 200)

    def join(
        self,
        ends: Sequence[tuple[Node, str]],
        addresses: tuple[dict[int, str], dict[int, str]],
        number: int,
        through: Sequence[str] = (),
    ) -> None:
        """Link two nodes, each by an interface named after what it leads to; `through` two ends of a wire, if any."""
        macs = [f"02:00:00:00:{number:02x}:01", f"02:00:00:00:{number:02x}:02"]
        (first, to_second), (second, to_first) = ends
        if through:
            for (node, towards), mac, end in zip(ends, macs, through, strict=True):
                node.ip([f"link add {towards} address {mac} type veth peer name {end} netns {self._pool.name}"])
                self._pool.run("ethtool", "-K", end, *NO_OFFLOADS)
                self._pool.ip([f"link set {end} up"])
            self._pool.sysctl(**{f"ipv6__conf__{end}__disable_ipv6": 1 for end in through})
        else:
            peer = f"peer name {to_first} address {macs[1]} netns {second.name}"
            first.ip([f"link add {to_second} address {macs[0]} type veth {peer}"])
        for index, (node, towards) in enumerate(ends):
            node.run("ethtool", "-K", towards, *NO_OFFLOADS)
            own = addresses[index]
            node.ip([f"addr add {own[4]} dev {towards}", f"addr add {own[6]} dev {towards} nodad",
                     f"link set {towards} up"])  # fmt: skip
            bare = [{version: text.split("/")[0] for version, text in side.items()} for side in addresses]
            port = Port(towards, macs[index], bare[index], macs[1 - index], bare[1 - index])
            self.ports[node.name, towards] = port

    def _route(self, position: int, node: Node) -> None:
        """Every network by its own route; no default on the routers, so that what is unrouted stays so."""
        lines = []
        for link in range(len(self.path) - 1):
            if link in (position - 1, position):
                continue
            port = self.ports[node.name, "client" if link < position else "server"]
            end = self.addresses(link)[0]
            net4 = {0: f"{self.plan.client4}.0/25", self.plan.routers: f"{self.plan.server4}.0/25"}.get(link, end[4])
            lines += [
                f"route add {net4} via {port.peer[4]}",
                f"route add {end[6].split('::')[0]}::/64 via {port.peer[6]}",
            ]
        if node is self.client or node is self.server:
            port = self.ports[node.name, "server" if node is self.client else "client"]
            lines += [f"route add default via {port.peer[4]}", f"route add default via {port.peer[6]}"]
        elif position < self.plan.routers:  # unrouted destinations travel on to the last router
            port = self.ports[node.name, "server"]
            for version in (4, 6):
                lines.append(f"route add {self.plan.unrouted(version)} via {port.peer[version]}")
        node.ip(lines)

    def router(self, number: int) -> Node:
        """The router with this number, counted from the client, 1 being next to it."""
        return self.path[number]

    def owner(self, address: str) -> str | None:
        """The node that has an address on one of its interfaces."""
        for (name, _), port in self.ports.items():
            if address in port.addresses.values():
                return name
        return None

    def wait(self) -> None:
        """Wait until both ends reach each other over both versions."""
        for version in (4, 6):
            for _ in range(20):
                target = self.plan.address("server", version)
                probe = ("ping", f"-{version}", "-c1", "-W1", "-n", target)
                if " 0% packet loss" in self.client.run(*probe, check=False):
                    break
                time.sleep(0.05)
            else:
                raise RuntimeError(f"no way from client to server over IPv{version}")

    def __enter__(self) -> Topology:
        """Ready to use."""
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it down, so that the next can be built."""
        if self._wires:
            os.kill(self._wires, signal.SIGKILL)
            os.waitpid(self._wires, 0)
        for node in (*self.nodes.values(), self._pool):
            node.run("true")
            node_delete(node)

    def add(self, node: Node) -> None:
        """Make a node part of it that is not on the path."""
        self.nodes[node.name] = node
        self.settle(node)


def node_delete(node: Node) -> None:
    """Remove a node's namespace and all its interfaces."""
    subprocess.run(["ip", "netns", "del", node.name], check=False)
