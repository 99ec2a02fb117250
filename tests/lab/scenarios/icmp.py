"""ICMP and ICMPv6 errors: rejecting firewalls by every type they have, routers by duty, the server itself."""

from __future__ import annotations

import contextlib
import socket
from functools import partial

from ..lab import FAMILY, VERSIONS, Lab
from . import scenario

IPV6_UNICAST_HOPS = 16  # linux/in6.h
REJECTS = {
    "icmp": ("net-unreachable", "host-unreachable", "prot-unreachable", "port-unreachable", "net-prohibited",
             "host-prohibited", "admin-prohibited"),
    "icmpv6": ("no-route", "admin-prohibited", "addr-unreachable", "port-unreachable", "policy-fail", "reject-route"),
    "icmpx": ("no-route", "port-unreachable", "host-unreachable", "admin-prohibited"),
}  # fmt: skip


def probe(lab: Lab, version: int, port: int, to: str | None = None, hop_limit: int | None = None) -> None:
    """Send a UDP datagram and wait a little for the error."""
    with contextlib.closing(lab.client.socket(FAMILY[version], socket.SOCK_DGRAM)) as sender:
        if hop_limit and version == 4:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop_limit)
        elif hop_limit:
            sender.setsockopt(socket.IPPROTO_IPV6, IPV6_UNICAST_HOPS, hop_limit)
        sender.settimeout(2 * lab.plan.one_way + 0.1)
        with contextlib.suppress(OSError):
            sender.connect((to or lab.address("server", version), port))
            sender.send(b"probe")
            sender.recv(100)


@scenario("icmp-rejects")
def icmp_rejects(lab: Lab) -> None:
    """A router rejects UDP and TCP with every ICMP and ICMPv6 error that nftables knows."""
    rules, tasks = [], []
    for kind, types in REJECTS.items():
        for name in types:
            port = lab.port(device=f"nft_reject_{kind}_{name}")
            family = {"icmp": "meta nfproto ipv4 ", "icmpv6": "meta nfproto ipv6 ", "icmpx": ""}[kind]
            rules.append(f"{family}meta l4proto {{ tcp, udp }} th dport {port} reject with {kind} type {name}")
            for version in {"icmp": (4,), "icmpv6": (6,), "icmpx": VERSIONS}[kind]:
                tasks += [partial(probe, lab, version, port), partial(lab.knock, version, port, timeout=0.5)]
    lab.firewall(lab.device, "forward", rules)
    lab.together(tasks, spread=0.6)


@scenario("icmp-genuine")
def icmp_genuine(lab: Lab) -> None:
    """The server's own port unreachable, and its own firewall's rejects; closed UDP ports with several probes."""
    closed = [lab.port(server="udp_port_unreachable") for _ in range(3)]
    port = lab.port(server="host_firewall_icmp_port")
    admin = lab.port(server="host_firewall_icmp_admin")
    lab.firewall(lab.server, "input", [
        f"meta l4proto {{ tcp, udp }} th dport {port} reject with icmpx type port-unreachable",
        f"meta l4proto {{ tcp, udp }} th dport {admin} reject with icmpx type admin-prohibited",
    ])  # fmt: skip
    tasks = [partial(probe, lab, version, p) for p in (*closed, port, admin) for version in VERSIONS * 2]
    tasks += [partial(lab.knock, version, p, timeout=0.5) for p in (port, admin) for version in VERSIONS]
    lab.together(tasks, spread=0.6)


@scenario("icmp-routers")
def icmp_routers(lab: Lab) -> None:
    """Routers by duty: hop limit exceeded on the way, no route, no such host."""
    tasks = []
    for version in VERSIONS:
        for hop_limit in lab.rng.sample(range(1, lab.plan.routers + 1), min(4, lab.plan.routers)):
            tasks.append(partial(probe, lab, version, 33434 + hop_limit, hop_limit=hop_limit))
        tasks.append(partial(probe, lab, version, lab.port(), to=lab.plan.unrouted(version)))
        tasks.append(partial(lab.knock, version, lab.port(), to=lab.plan.unrouted(version), timeout=0.5))
        tasks.append(partial(lab.knock, version, lab.port(), to=lab.plan.absent(version), timeout=3.6))
    lab.together(tasks)
