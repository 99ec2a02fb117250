"""A shared link at one end of the path: the router's port there becomes a switch, or a hub, that others may join."""

from __future__ import annotations

from dataclasses import replace

from .annex import forget
from .lab import VERSIONS, Lab
from .sandbox import Node
from .topology import NO_OFFLOADS, Port

SWITCH, INSIDE, INSIDE_PEER = "hub", "lan", "lan0"  # in the router's namespace: the bridge, the router's own port to it
SWITCH_MAC, PORT_MAC = "02:00:00:00:99:99", "02:00:00:00:99:98"
ATTACKER_MAC, SECOND_ROUTER_MAC = "02:00:00:00:66:66", "02:00:00:00:70:70"
SECOND_ROUTER_LINK = 60
SECOND = {4: ".2/25", 6: "::2/64"}  # the second router's host part on the client's link
SECOND_FAR = {4: ".126/25", 6: "::7e/64"}  # and on the server's


class Lan:
    """The link of "client" or "server", shared until the scenario ends. A hub shows everybody everything."""

    def __init__(self, lab: Lab, side: str, hub: bool) -> None:
        """Put a bridge between the end and its router, whose addresses move to a new port behind it."""
        self._lab, self.side = lab, side
        topology, plan = lab.topology, lab.plan
        self.router = topology.router(1 if side == "client" else plan.routers)
        self._port = topology.ports[self.router.name, side]
        own = topology.addresses(0)[1] if side == "client" else topology.addresses(plan.routers)[0]
        self._own = [f"addr add {own[4]} dev", f"addr add {own[6]} dev"]
        ageing = " ageing_time 0" if hub else ""
        self.router.ip([f"link add {SWITCH} address {SWITCH_MAC} type bridge{ageing}",
                        f"link add {INSIDE} address {self._port.mac} type veth peer name {INSIDE_PEER}"])  # fmt: skip
        for interface in (INSIDE, INSIDE_PEER):
            self.router.run("ethtool", "-K", interface, *NO_OFFLOADS)
        self._mute(side, SWITCH, INSIDE_PEER)
        # a bridge takes what is for the address of one of its own ports: the router's has to move on
        self.router.ip([f"addr flush dev {side}", f"link set {side} address {PORT_MAC}",
                        f"link set {side} master {SWITCH}", f"link set {INSIDE_PEER} master {SWITCH}",
                        *(f"link set {interface} up" for interface in (SWITCH, INSIDE_PEER, INSIDE)),
                        *self._addresses(INSIDE)])  # fmt: skip
        topology.ports[self.router.name, side] = replace(self._port, interface=INSIDE)
        lab.later(self._remove)

    def _mute(self, *interfaces: str) -> None:
        """Have interfaces of the bridge say nothing themselves."""
        self.router.sysctl(**{f"ipv6__conf__{interface}__disable_ipv6": 1 for interface in interfaces})

    def _addresses(self, interface: str) -> list[str]:
        """Lines of `ip` that give an interface the router's addresses."""
        return [f"{self._own[0]} {interface}", f"{self._own[1]} {interface} nodad"]

    def join(self, name: str, mac: str) -> Node:
        """A new node on this link: its interface "wire" has this address, and no IP address yet."""
        node = Node(name)
        self._lab.topology.add(node)
        node.ip([f"link add wire address {mac} type veth peer name {name} netns {self.router.name}"])
        self._mute(name)
        for where, interface in ((node, "wire"), (self.router, name)):
            where.run("ethtool", "-K", interface, *NO_OFFLOADS)
        self.router.ip([f"link set {name} master {SWITCH}", f"link set {name} up"])
        self._lab.later(lambda: forget(self._lab.topology, [node]))
        return node

    def attacker(self) -> Node:
        """A host here without any IP address, which the labels take for the device."""
        node = self.join("attacker", ATTACKER_MAC)
        node.sysctl(ipv6__conf__wire__disable_ipv6=1)
        node.ip(["link set wire up"])
        end = self._lab.topology.ports[self.side, "server" if self.side == "client" else "client"]
        away = "server" if self.side == "client" else "client"
        macs = {self.side: end.mac, away: self._port.mac}
        for towards, mac in macs.items():
            port = Port("wire", ATTACKER_MAC, {}, mac, {})
            self._lab.topology.ports[node.name, towards] = port
        self._lab.blame(node, "wire")
        return node

    def second_router(self) -> Node:
        """Another router on this link, joined to the next router of the path as well."""
        topology, plan = self._lab.topology, self._lab.plan
        node = self.join("backup", SECOND_ROUTER_MAC)
        link = 0 if self.side == "client" else plan.routers
        network = topology.addresses(link)[0][6].split("::")[0]
        net4 = plan.client4 if self.side == "client" else plan.server4
        host = SECOND if self.side == "client" else SECOND_FAR
        node.ip([f"addr add {net4}{host[4]} dev wire", f"addr add {network}{host[6]} dev wire nodad",
                 "link set wire up"])  # fmt: skip
        beyond = topology.router(2 if self.side == "client" else plan.routers - 1)
        topology.join([(beyond, node.name), (node, "away")], plan.spare_link(SECOND_ROUTER_LINK), SECOND_ROUTER_LINK)
        return node

    def fail_over(self, beyond: Node, towards: str) -> None:
        """Have what comes to this link from `beyond` come by its port to the second router, or back."""
        port, plan = self._lab.topology.ports[beyond.name, towards], self._lab.plan
        networks = {
            4: f"{plan.client4 if self.side == 'client' else plan.server4}.0/25",
            6: f"{plan.site}:{1 if self.side == 'client' else plan.routers + 1:x}::/64",
        }
        beyond.ip([f"route replace {networks[version]} via {port.peer[version]}" for version in VERSIONS])

    def _remove(self) -> None:
        self._lab.topology.ports[self.router.name, self.side] = self._port
        self.router.sysctl(**{f"ipv6__conf__{self.side}__disable_ipv6": 0})
        self.router.ip([f"link del {INSIDE}", f"link del {SWITCH}",
                        f"link set {self.side} address {self._port.mac}", *self._addresses(self.side)])  # fmt: skip
