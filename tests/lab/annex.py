"""Other hosts behind the path's last router: in a row, each one hop further than the one before, or all side by side.

client -- r1 -- ... -- rN -- server
                       |--- h1 -- h2 -- h3 ...      a row: every host forwards for those behind it
                       |--- h1, |--- h2, ...        side by side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .lab import Lab
from .sandbox import Node
from .topology import Topology, node_delete

LINKS = 64  # before the first of the numbers that links of the annex have
FIRST_HOST = 160  # of an IPv4 network: what is above belongs to the annex
UNRELATED6 = "3fff"  # RFC 9637: documentation addresses of many networks


@dataclass(frozen=True)
class Host:
    """A host with one or more addresses of each version; `hops` routers are between it and the client."""

    node: Node
    addresses: dict[int, tuple[str, ...]]
    hops: int


class Annex:
    """The hosts of one scenario; the lab's labels know them, and the lab removes them when it ends."""

    def __init__(self, lab: Lab) -> None:
        """Nothing is there yet."""
        self._lab = lab
        self._used = 0
        self._routes: list[tuple[Node, str]] = []
        self.hosts: list[Host] = []
        lab.later(self._remove)

    def row(self, count: int) -> list[Host]:
        """Hosts one behind the other, of unrelated networks."""
        ways: list[tuple[Node, str]] = []
        for _ in range(count):
            ways = self._attach(ways, self._lab.rng.choice((64, 64, 128, 255)), self._unrelated())
        return self.hosts

    def side_by_side(self, count: int, addresses: int = 1) -> list[Host]:
        """Hosts at one distance, all alike, as in one network; each with so many addresses."""
        hop_limit = self._lab.rng.choice((64, 64, 128, 255))
        for _ in range(count):
            self._attach([], hop_limit, self._related(addresses))
        return self.hosts

    def _attach(
        self, ways: Sequence[tuple[Node, str]], hop_limit: int, addresses: dict[int, tuple[str, ...]]
    ) -> list[tuple[Node, str]]:
        """Add a host at the end of `ways` (node and port towards the next one); returns the ways beyond it."""
        lab, topology, number = self._lab, self._lab.topology, len(self.hosts) + 1
        node = Node(f"h{number}")
        topology.add(node)
        node.sysctl(ipv4__ip_default_ttl=hop_limit, ipv6__conf__all__hop_limit=hop_limit,
                    ipv6__conf__default__hop_limit=hop_limit)  # fmt: skip
        upper = topology.nodes[f"h{number - 1}"] if ways else topology.router(lab.plan.routers)
        link = LINKS + number
        topology.join([(upper, node.name), (node, "client")], lab.plan.spare_link(link), link)
        for version, length in ((4, 32), (6, 128)):
            node.ip([f"addr add {address}/{length} dev lo" for address in addresses[version]])
        host = Host(node, addresses, lab.plan.routers + len(ways))
        peer = topology.ports[node.name, "client"].peer
        node.ip([f"route add default via {peer[4]}", f"route add default via {peer[6]}"])
        ways = [*ways, (upper, node.name)]
        self._lead(host, ways)
        self.hosts.append(host)
        lab.meet(node, "client", [*host.addresses[4], *host.addresses[6]], host.hops, ways[0][1])
        return ways

    def _related(self, count: int) -> dict[int, tuple[str, ...]]:
        """The next addresses of the server's own network."""
        numbers = range(self._used + 1, self._used + count + 1)
        self._used += count
        plan = self._lab.plan
        return {
            4: tuple(f"{plan.server4}.{FIRST_HOST + n}" for n in numbers),
            6: tuple(f"{plan.site}:ff10::{n:x}" for n in numbers),
        }

    def _unrelated(self) -> dict[int, tuple[str, ...]]:
        """The next address, of another network than the one before."""
        self._used += 1
        plan, n = self._lab.plan, self._used
        network = (plan.server4, plan.links4, plan.client4)[n % 3]
        return {4: (f"{network}.{FIRST_HOST + n}",), 6: (f"{UNRELATED6}:{n:x}::{n:x}",)}

    def _lead(self, host: Host, ways: Sequence[tuple[Node, str]]) -> None:
        """Routes to the host on every router of the path and every host before it."""
        topology = self._lab.topology
        routers = [(topology.router(n), "server") for n in range(1, self._lab.plan.routers)]
        for node, towards in [*routers, *ways]:
            peer = topology.ports[node.name, towards].peer
            targets = {a: peer[version] for version, owned in host.addresses.items() for a in owned}
            node.ip([f"route add {address} via {gateway}" for address, gateway in targets.items()])
            if towards == "server":  # the others go with their link
                self._routes += [(node, address) for address in targets]

    def _remove(self) -> None:
        for node, address in self._routes:
            node.ip([f"route del {address}"])
        nodes = self._lab.topology.nodes
        forget(self._lab.topology, [node for name, node in nodes.items() if name.startswith("h")])


def forget(topology: Topology, nodes: Sequence[Node]) -> None:
    """Remove nodes that are not on the path, with their links."""
    names = {node.name for node in nodes}
    for key in [key for key in topology.ports if not names.isdisjoint(key)]:
        del topology.ports[key]
    for node in nodes:
        del topology.nodes[node.name]
        node_delete(node)
