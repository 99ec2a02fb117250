"""The way changes under running connections; all resets are genuine."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from itertools import pairwise

from ..conversation import ask
from ..lab import VERSIONS, Lab
from ..sandbox import Node
from ..topology import Topology, node_delete
from . import scenario


def _detour(topology: Topology, hops: int) -> list[Node]:
    """Routers beside the path, from the server's side of the last link between two routers to its client's side."""
    plan = topology.plan
    nodes = [Node(f"d{n}") for n in range(1, hops + 1)]
    chain = [topology.router(plan.routers), *nodes, topology.router(plan.routers - 1)]
    for node in nodes:
        topology.add(node)
    for n, (upper, lower) in enumerate(pairwise(chain)):
        number = 40 + n
        topology.join([(upper, "aside"), (lower, f"from{n}")], plan.spare_link(number), number)
    for upper, _lower in pairwise(chain[1:]):
        _to_client(topology, upper, "aside")
    return nodes


def _to_client(topology: Topology, node: Node, towards: str) -> None:
    """Have a router send what is for the client's network by one of its ports."""
    port, plan = topology.ports[node.name, towards], topology.plan
    node.ip([f"route replace {plan.client4}.0/25 via {port.peer[4]}",
             f"route replace {plan.site}:1::/64 via {port.peer[6]}"])  # fmt: skip


def _remove(topology: Topology, nodes: list[Node]) -> None:
    for node in nodes:
        del topology.nodes[node.name]
        node_delete(node)
    for key in [key for key in topology.ports if key[0].startswith("d") or key[1] not in ("client", "server")]:
        del topology.ports[key]


def _reroute(lab: Lab, hops: int) -> None:
    topology = lab.topology
    nodes = _detour(topology, hops)
    last = topology.router(lab.plan.routers)
    usual = "client"
    lab.later(partial(_remove, topology, nodes))
    lab.later(partial(_to_client, topology, last, usual))
    grows = lab.rng.random() < 0.6
    _to_client(topology, last, usual if grows else "aside")
    lab.remarks.append(f"the way back {'grows' if grows else 'shrinks'} by {hops}")
    ways = {"ABORT": "linger0", "UNREAD": "close_unread", "CLOSE": "data_after_close"}
    ports = {how: lab.port(server=f"{name}_after_reroute_{hops}") for how, name in ways.items()}
    for port in ports.values():
        lab.serve(port)
    talking = [(how, lab.dial(version, port)) for how, port in ports.items() for version in VERSIONS * 2]
    for _, connection in talking:
        lab.talk(connection, 2)
    closed = lab.port(server=f"closed_port_after_reroute_{hops}")
    for version in VERSIONS:
        lab.knock(version, closed)
    _to_client(topology, last, "aside" if grows else usual)

    tasks = [partial(lab.ask_to_end, how, connection, 0.5) for how, connection in talking]
    lab.together([*tasks, *(partial(lab.knock, version, closed) for version in VERSIONS)])


def _two_ways(topology: Topology) -> None:
    """Have the last router choose the way to the client by the flow label (IPv6; the kernel's default)."""
    last, site = topology.router(topology.plan.routers), topology.plan.site
    ways = " ".join(f"nexthop via {topology.ports[last.name, way].peer[6]}" for way in ("client", "aside"))
    last.ip([f"route replace {site}:1::/64 {ways}"])


@scenario("two-ways")
def two_ways(lab: Lab) -> None:
    """Two ways back, one of them a hop longer, chosen by flow label: the server forgets, and rejects, connections."""
    topology = lab.topology
    back_as_usual = partial(_to_client, topology, topology.router(lab.plan.routers), "client")
    lab.later(partial(_remove, topology, _detour(topology, 1)))
    lab.later(back_as_usual)
    back_as_usual()
    _two_ways(topology)
    forgotten = lab.port(server="forgotten_connection_two_ways")
    rejected = lab.port(server="host_firewall_reject_established_two_ways")
    closed = lab.port(server="data_after_close_two_ways")
    for port in (forgotten, rejected, closed):
        lab.serve(port)
    talking = {port: [lab.dial(version, port) for version in (4, 6, 6, 6)] for port in (forgotten, rejected, closed)}
    for connections in talking.values():
        for connection in connections:
            lab.talk(connection, 2)
    lab.firewall(lab.server, "output", [f"tcp flags rst tcp sport {forgotten} drop"])
    lab.server.run("ss", "-K", f"sport = :{forgotten}", check=False)
    lab.unblock(lab.server)
    lab.firewall(lab.server, "input", [f"tcp dport {rejected} reject with tcp reset"])
    for connection in talking[closed]:
        ask(connection, "CLOSE")
    lab.hesitate()

    def speaks(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            lab.hesitate()
            connection.sendall(b"anyone?\n")
            lab.pause(2 * lab.plan.one_way + 0.3)
        connection.close()

    lab.together(partial(speaks, connection) for connections in talking.values() for connection in connections)


@scenario("reroute-one")
def reroute_one(lab: Lab) -> None:
    """The way back changes by one hop in mid-stream, then the server resets."""
    _reroute(lab, 1)


@scenario("reroute-three")
def reroute_three(lab: Lab) -> None:
    """The way back changes by three hops in mid-stream, then the server resets."""
    _reroute(lab, 3)
