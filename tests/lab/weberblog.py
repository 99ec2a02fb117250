"""The observation this project began with, made again: weberblog.net, "Who sends TCP RSTs?".

Five tries over IPv6 and five over IPv4 to port 21: first the server refuses, 10 and 11 hops away (hop limits 54 and
53); then a firewall one hop behind the client's router rejects in the server's name (127 and 63).

    python -m tests.lab --example --out examples/who-sends-tcp-rsts
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .lab import VERSIONS, Lab
from .topology import Plan, Topology

PORT = 21  # FTP
TRIES = 5
ROUTERS = 11  # the server's hop limit over IPv4 is 64 - 11
FIREWALL = 2  # r1 stands between it and the client: its packets come with one hop less
SHORTCUT = (5, 7)  # over IPv6 the path skips r6
PLAN = Plan(
    seed=0,
    routers=ROUTERS,
    profile="spread",
    delays=(0.0, 0.0, 0.002, 0.0, 0.0, 0.003, 0.0, 0.0, 0.004, 0.0, 0.0, 0.0),
    hop_limits={"client": 64, "server": 64, f"r{FIREWALL}": 64},
    device=FIREWALL,
    client4="192.0.2",
    server4="203.0.113",
    links4="198.51.100",
    hosts=(42, 21),
    site="2001:db8:51",
)


def make_example(out: Path) -> None:
    """Write closed-port.pcap and denying-firewall.pcap, as the client captured them, with their labels."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Topology(PLAN) as topology:
        _shorten_ipv6(topology)
        topology.router(FIREWALL).sysctl(ipv6__conf__client__hop_limit=128)
        topology.wait()
        for name, about in (
            ("closed-port", "The server refuses: nothing listens on port 21."),
            ("denying-firewall", "A firewall one hop behind the client's router rejects port 21 in the server's name."),
        ):
            with Lab(topology, name, about, Path(folder), FIREWALL, plain=True) as lab:
                _try(lab, deny=name == "denying-firewall")
            for ending in ("pcap", "labels.json"):
                text = (Path(folder) / f"{name}.client.{ending}").read_bytes()
                (out / f"{name}.{ending}").write_bytes(text.replace(b".client.pcap", b".pcap"))


def _try(lab: Lab, deny: bool) -> None:
    lab.note(PORT, "device", "firewall_reject_syn")
    lab.note(PORT, "server", "closed_port")
    if deny:
        lab.firewall(lab.device, "forward", [f"tcp dport {PORT} reject with tcp reset"])
    for version in sorted(VERSIONS, reverse=True):
        target = lab.address("server", version)
        lab.client.run("ping", f"-{version}", "-n", f"-c{TRIES}", "-i0.2", "-W1", target)
        for _ in range(TRIES):
            lab.knock(version, PORT)
            lab.pause(0.1)


def _shorten_ipv6(topology: Topology) -> None:
    """Link two routers around the one between them; only IPv6 goes that way."""
    near, far = (topology.router(number) for number in SHORTCUT)
    site = f"{PLAN.site}:60"
    ends = {4: f"{PLAN.links4}.240/31", 6: f"{site}::1/64"}, {4: f"{PLAN.links4}.241/31", 6: f"{site}::2/64"}
    topology.join([(near, "onward"), (far, "back")], ends, 60)
    near.ip([f"route replace {PLAN.site}:{ROUTERS + 1:x}::/64 via {site}::2"])
    far.ip([f"route replace {PLAN.site}:1::/64 via {site}::1"])
