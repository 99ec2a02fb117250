"""A firewall's own session log beside captures of the same sessions, from both sides of its address translation.

The second router of five is the firewall: it masquerades the client, and conntrack logs every session that ends, with
the start and the end. Its rules mark which end the first reset came from (1: client, 2: server), as firewalls do: by
the direction of the packet. The fourth router is a device that resets in the name of both ends.

    python -m tests.lab --firewall-log --out examples/firewall-log
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from .capture import write_pcap
from .conversation import ask, close_abruptly
from .injectors import Injector, plain
from .lab import Lab
from .packets import Packet
from .topology import Plan, Topology

FIREWALL, DEVICE = 2, 4
HTTP, HTTPS, POSTGRESQL, PROXY, IDLE, CLOSED = 80, 443, 5432, 8080, 9000, 8443
IDLE_TIMEOUT = 2  # seconds
PLAN = Plan(
    seed=0,
    routers=5,
    profile="spread",
    delays=(0.0, 0.003, 0.0, 0.006, 0.0, 0.006),
    hop_limits={"client": 64, "server": 64, f"r{DEVICE}": 255},
    device=DEVICE,
    client4="192.0.2",
    server4="203.0.113",
    links4="198.51.100",
    hosts=(30, 40),
    site="2001:db8:9",
)
RULES = """table inet lab {
 chain seen {
  type filter hook forward priority 0
  tcp flags & rst == rst ct mark 0 ct direction original ct mark set 1
  tcp flags & rst == rst ct mark 0 ct direction reply ct mark set 2
 }
}
table ip lab {
 chain out {
  type nat hook postrouting priority srcnat
  oifname "server" masquerade
 }
}
"""


class _BeyondTranslation(Injector):
    """An injector that sees the client under the address of the firewall."""

    def _aimed(self, forged: Sequence[Packet]) -> Iterator[tuple[str, Packet]]:
        servers = {self._lab.address("server", version) for version in (4, 6)}
        for packet in forged:
            yield ("server" if packet.target in servers else "client"), packet


class _TwoCaptures(Lab):
    """A lab that writes both captures, without labels: the address translation hides who is who from them."""

    def write(self) -> None:
        """Write what both ends captured."""
        for side in ("client", "server"):
            write_pcap(self.out / f"{side}.pcap", self.captured[side])


def make_firewall_log(out: Path) -> None:
    """Write client.pcap, server.pcap and conntrack.log. Raises RuntimeError where conntrack is not installed."""
    if shutil.which("conntrack") is None:
        raise RuntimeError("conntrack is not installed (package conntrack)")
    out.mkdir(parents=True, exist_ok=True)
    with Topology(PLAN) as topology, _TwoCaptures(topology, "firewall-log", "", out, DEVICE, plain=True) as lab:
        firewall = topology.router(FIREWALL)
        firewall.nft(RULES)
        names = ("close", "time_wait", "close_wait", "last_ack", "fin_wait")
        short = {f"netfilter__nf_conntrack_tcp_timeout_{name}": 1 for name in names}
        firewall.sysctl(
            netfilter__nf_conntrack_timestamp=1, netfilter__nf_conntrack_tcp_timeout_established=IDLE_TIMEOUT, **short
        )
        with (out / "conntrack.log").open("wb") as log:
            # stdbuf: conntrack writes to a file in blocks, and is killed at the end
            command = ["stdbuf", "-oL", "conntrack", "-E", "-e", "DESTROY", "-o", "ktimestamp,id"]
            lab.program(firewall, *command, output=log)
            lab.pause(0.3)
            _converse(lab)
            lab.pause(IDLE_TIMEOUT + 1)
            for family in ("ipv4", "ipv6"):  # the kernel ends what has expired when somebody lists it, else much later
                firewall.run("conntrack", "-L", "-f", family)
            lab.pause(0.3)


def _converse(lab: Lab) -> None:
    for port in (HTTP, HTTPS, POSTGRESQL, PROXY, IDLE):
        lab.serve(port)
    _BeyondTranslation(lab, [HTTP], plain)
    idle = [lab.dial(version, IDLE) for version in (4, 6)]
    for version in (4, 6):
        for _ in range(3):
            with contextlib.closing(lab.dial(version, HTTPS)) as connection:
                lab.talk(connection, 1)
        with contextlib.closing(lab.dial(version, POSTGRESQL)) as connection:
            lab.talk(connection, 1)
            with contextlib.suppress(OSError):
                ask(connection, "IDLE 60 ABORT")
                connection.recv(1)
        connection = lab.dial(version, PROXY)
        lab.talk(connection, 1)
        close_abruptly(connection)
        lab.knock(version, CLOSED)
        for _ in range(2):
            connection = lab.dial(version, HTTP)
            lab.talk(connection, 1)
            lab.send_trigger(connection)
            connection.close()
    lab.later(partial(_close_all, idle))


def _close_all(connections: Sequence[socket.socket]) -> None:
    for connection in connections:
        connection.close()
