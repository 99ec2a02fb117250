"""What a scenario works with: hosts to talk between, a device to interfere, ports to name, time to let pass."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from .capture import Frame, Taps, write_pcap
from .conversation import Server, ask, close_abruptly
from .labels import Note, Setup, events, write_labels
from .packets import Packet, build
from .sandbox import Node
from .topology import Topology

VERSIONS = (4, 6)
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
TRIGGER = b"forbidden"  # what devices object to in a client's data
HOST_VARIATIONS = {
    "path-MTU discovery off": {"ipv4__ip_no_pmtu_disc": 1},
    "flow labels off": {"ipv6__auto_flowlabels": 0},
    "timestamps off": {"ipv4__tcp_timestamps": 0},
}
USUAL = {"ipv4__ip_no_pmtu_disc": 0, "ipv6__auto_flowlabels": 1, "ipv4__tcp_timestamps": 1}


class SkippedError(Exception):
    """Says why a scenario cannot run here."""


class Lab:
    """One scenario on one topology. Use as a context manager: captures from enter to exit, then undoes all it did."""

    def __init__(self, topology: Topology, name: str, about: str, out: Path, device: int, plain: bool = False) -> None:
        """Prepare; `device` numbers the router that plays it, `plain` leaves host variations and baseline out."""
        self.topology, self.plan, self.name, self.about, self.out = topology, topology.plan, name, about, out
        self.rng = random.Random(f"{name} {self.plan.seed}")
        self.client, self.server = topology.client, topology.server
        self.device = topology.router(device)
        self.device_number = device
        self._plain = plain
        self.setup = Setup(self._owners(), self.device.name)
        self.other_hosts: dict[str, int] = {}  # address to routers between it and the client
        self.branches: dict[str, str] = {}  # address beside the path to the last router's port towards it
        self.remarks: list[str] = []
        self.captured: dict[str, list[Frame]] = {}
        self._undo = contextlib.ExitStack()
        self._next_port = self.rng.randrange(1025, 20_000)

    def _owners(self) -> dict[str, str]:
        ports = self.topology.ports.items()
        return {address: name for (name, _), port in ports for address in port.addresses.values()}

    def __enter__(self) -> Lab:
        """Vary the hosts, start the captures, and perhaps some ordinary traffic."""
        taps = {"client": (self.client, "server"), "server": (self.server, "client")}
        for towards in ("client", "server"):
            taps[f"device.{towards}"] = (self.device, towards)
        self._taps = Taps(taps)
        for host in (self.client, self.server):
            host.sysctl(**USUAL)
            for what, settings in HOST_VARIATIONS.items():
                if self.rng.random() < 0.12 and not self._plain:
                    host.sysctl(**settings)
                    self.remarks.append(f"{host.name}: {what}")
        self._baseline = None if self._plain else self.rng.choice((self.ordinary_traffic, None))
        if self._baseline:
            self._baseline()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Let the last packets arrive, write captures and labels, undo everything."""
        try:
            if kind is None:
                if self._baseline and self.rng.random() < 0.5:
                    self._baseline()
                self.pause(2 * self.plan.one_way + 0.05)
            self.captured = self._taps.stop()
        finally:
            self._undo.close()
            for node in (self.client, self.server, self.device):
                node.run("nft", "flush", "ruleset")
                node.run("ss", "-K", "-t", check=False)  # nothing of this scenario may be seen in the next one
            self.pause(2 * self.plan.one_way + 0.03)
        if kind is None:
            self.write()

    def write(self) -> None:
        """Write both captures with their labels."""
        for side, towards in (("client", "server"), ("server", "client")):
            name = f"{self.name}.{side}.pcap"
            found, problems = events(side, self.captured, self.setup)
            write_pcap(self.out / name, self.captured[side])
            head = {
                "capture": name,
                "vantage": side,
                "vantage_mac": self.topology.ports[side, towards].mac,
                "scenario": self.about,
                "client": {str(v): self.plan.address("client", v) for v in VERSIONS},
                "server": {str(v): self.plan.address("server", v) for v in VERSIONS},
                "hops": self.plan.routers,
                "other_hosts": self.other_hosts,
                "device": self.setup.device,
                "seed": self.plan.seed,
                "delay_profile": self.plan.profile,
                "one_way_ms": round(self.plan.one_way * 1000, 3),
                "hop_limits": {n: self.plan.hop_limits.get(n, 64) for n in ("client", "server", self.device.name)},
                "frames": len(self.captured[side]),
                "notes": self.remarks,
                "inconsistent": problems,
                "events": found,
            }
            write_labels(self.out / name.replace(".pcap", ".labels.json"), head)

    # --- time -------------------------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    def hesitate(self, most: float = 0.15) -> None:
        """A random pause, sometimes none, of up to `most` seconds."""
        time.sleep(max(0.0, self.rng.uniform(-most / 2, most)))

    def together(self, tasks: Iterable[Callable[[], object]], spread: float = 0.3) -> None:
        """Do several things at once, begun at random within `spread` seconds; what fails becomes a remark."""

        def run(task: Callable[[], object], delay: float) -> None:
            time.sleep(delay)
            try:
                task()
            except (OSError, RuntimeError) as error:
                self.remarks.append(f"{getattr(task, '__name__', 'task')}: {error}")

        threads = [threading.Thread(target=run, args=(task, self.rng.uniform(0, spread))) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def later(self, undo: Callable[[], object]) -> None:
        """Undo something when the scenario is over."""
        self._undo.callback(undo)

    # --- names ------------------------------------------------------------------------------------------------------

    def port(self, **mechanisms: str) -> int:
        """A port not used before, with the mechanism by who sends: port(server="closed_port")."""
        self._next_port += self.rng.randint(1, 9)
        for by, mechanism in mechanisms.items():
            self.note(self._next_port, by, mechanism)
        return self._next_port

    def note(self, port: int, by: str, mechanism: str) -> None:
        """Say what resets of this port are when `by` (client, server, device) sends them."""
        self.setup.notes.append(Note(port, mechanism, by))

    def meet(self, node: Node, towards: str, addresses: Sequence[str], hops: int, branch: str) -> None:
        """Have the labels know another host and watch its interface.

        `hops` routers are between it and the client, and `branch` is the last router's port towards it.
        """
        self.branches.update(dict.fromkeys(addresses, branch))
        self.setup.hosts.add(node.name)
        self.setup.owners.update(dict.fromkeys(addresses, node.name))
        self.other_hosts.update(dict.fromkeys(addresses, hops))
        self._taps.add(node.name, node, towards)

    def blame(self, node: Node, interface: str) -> None:
        """Have a node off the path play the device, and watch its interface."""
        self.setup.device = node.name
        self._taps.add(f"device.{node.name}", node, interface)

    def address(self, end: str, version: int) -> str:
        """The address of client or server."""
        return self.plan.address(end, version)

    # --- talking ----------------------------------------------------------------------------------------------------

    def serve(self, port: int, node: Node | None = None, hop_limit: int | None = None) -> Server:
        """Have a node (the server) answer on a port over both versions until the scenario ends."""
        server = Server(node or self.server, port, hop_limit)
        self.later(server.close)
        return server

    def dial(self, version: int, port: int, *, to: str | None = None, source_port: int = 0, timeout: float = 3,
             tos: int = 0) -> socket.socket:  # fmt: skip
        """Connect from the client; raises OSError as connect() does."""
        connection = self.client.socket(FAMILY[version], socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if tos and version == 4:
            connection.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        elif tos:
            connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        if source_port:
            connection.bind(("", source_port))
        try:
            connection.connect((to or self.address("server", version), port))
        except OSError:
            connection.close()
            raise
        return connection

    def knock(self, version: int, port: int, **options: int) -> None:
        """Try to connect, expecting to be refused."""
        with contextlib.suppress(OSError), self.dial(version, port, **options):  # type: ignore[arg-type]
            pass

    def talk(self, connection: socket.socket, rounds: int = 3) -> None:
        """A few questions and answers of random size with random pauses."""
        for _ in range(rounds):
            ask(connection, f"GET {self.rng.randint(1, 4000)}")
            self.hesitate(0.08)

    def ask_to_end(self, how: str, connection: socket.socket, talking: float) -> None:
        """Ask the server for an end, while the client's next data are on their way.

        With the probability `talking` there is an answer before; else the reset is the first that the server sends.
        """
        with contextlib.suppress(OSError):
            if self.rng.random() < talking:
                self.talk(connection, 1)
            ask(connection, how)
            self.hesitate(0.05)
            connection.sendall(b"y" * 500)
            self.pause(2 * self.plan.one_way + 0.05)
        connection.close()

    def send_trigger(self, connection: socket.socket) -> None:
        """Send what the device objects to, and wait for what comes of it. Sometimes more data follows at once."""
        with contextlib.suppress(OSError):
            connection.sendall(b"GET 900 " + TRIGGER + b" " * self.rng.randint(0, 300) + b"\n")
            if self.rng.random() < 0.4:
                self.hesitate(0.02)
                connection.sendall(b"GET 10\n")
            connection.settimeout(2 * self.plan.one_way + 0.3)
            while connection.recv(65536):
                pass
        self.hesitate()

    def ordinary_traffic(self) -> None:
        """Pings and a few fetches: what a capture usually also holds."""
        for version in VERSIONS:
            target = self.address("server", version)
            ping = ["ping", f"-{version}", "-n", "-c", str(self.rng.randint(2, 4)), "-i", "0.05", "-W", "1", target]
            self.client.run(*ping, check=False)
        server = Server(self.server, 80, None)
        with contextlib.closing(server):
            for version in VERSIONS * self.rng.randint(1, 2):
                connection = self.dial(version, 80)
                with contextlib.closing(connection):
                    self.talk(connection, 2)
                self.pause(2 * self.plan.one_way + 0.02)

    # --- interfering ------------------------------------------------------------------------------------------------

    def firewall(self, node: Node, hook: str, rules: Sequence[str]) -> None:
        """Add nftables rules to a hook (input, output, forward) of a node, until the scenario ends or `unblock`."""
        body = "\n  ".join(rules)
        node.nft(f"table inet lab {{\n chain {hook} {{\n  type filter hook {hook} priority 0;\n  {body}\n }}\n}}\n")

    def unblock(self, node: Node) -> None:
        """Remove all rules of a node."""
        node.run("nft", "flush", "ruleset")

    def iptables(self, *words: str, node: Node | None = None) -> None:
        """Add one rule for both versions on a node, by default the device."""
        for program in ("iptables", "ip6tables"):
            (node or self.device).run(program, *words)

    def program(self, node: Node, *words: str, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Run a program on a node until the scenario ends; it writes to `output`, or nowhere."""
        process = node.start(*words, output=output)

        def end() -> None:
            process.kill()
            process.wait()

        self.later(end)
        return process

    def emit(self, node: Node, towards: str, packet: Packet) -> None:
        """Send a made packet out of a node's interface, to the neighbour there."""
        emit(self.topology, node, towards, [build(packet)])

    def abort(self, connection: socket.socket) -> None:
        """Close with a reset."""
        close_abruptly(connection)


def emit(topology: Topology, node: Node, towards: str, packets: Sequence[bytes]) -> None:
    """Send IP packets out of a node's interface, to the neighbour there, past the node's own firewall."""
    port = topology.ports[node.name, towards]
    with node.entered():
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        out.bind((port.interface, 0))
    addresses = bytes.fromhex((port.peer_mac + port.mac).replace(":", ""))
    with contextlib.closing(out):
        for data in packets:
            ethertype = 0x0800 if data[0] >> 4 == 4 else 0x86DD
            out.send(addresses + struct.pack("!H", ethertype) + data)
