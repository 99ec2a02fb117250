"""TCP flows for tests, written step by step: `> S`, `< SA`, `> A`, `> PA 100`, `< R ack=7`, `wait 3600`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

CLIENT, SERVER = "192.0.2.1", "203.0.113.1"
CLIENT6, SERVER6 = "2001:db8:1::1", "2001:db8:2::1"
START = 1_700_000_000.0


class Talk:
    """A client and a server with the sequence numbers of their kernels; 10 ms from packet to packet."""

    def __init__(self, port: int = 40000, server_port: int = 80, *, isn: int = 1000, ipv6: bool = False) -> None:
        self.ports = (port, server_port)
        self.seq = {">": isn, "<": 5 * isn}
        self.ipv6 = ipv6
        self.identification = 1

    def packets(self, steps: Sequence[str], start: float = START) -> list[Packet]:
        """The packets of the steps."""
        made, now = [], start
        for step in steps:
            if step.startswith("wait"):
                now += float(step.split()[1])
                continue
            made.append(self._packet(step, now))
            now += 0.01
        return made

    def _packet(self, step: str, now: float) -> Packet:
        way, flags, *more = step.split()
        options = dict(part.split("=") for part in more if "=" in part)
        size = next((int(part) for part in more if part.isdigit()), 0)
        other = "<" if way == ">" else ">"
        sport, dport = self.ports if way == ">" else self.ports[::-1]
        seq = int(options.get("seq", self.seq[way])) % 2**32
        ack = int(options.get("ack", self.seq[other] if "A" in flags else 0)) % 2**32
        packet = (
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / self._ip(way)
            / TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack)
            / Raw(b"x" * size)
        )
        packet.time = now
        if "R" not in flags and "seq" not in options:
            self.seq[way] += size + ("S" in flags) + ("F" in flags)
        return packet

    def _ip(self, way: str) -> Packet:
        self.identification += 1
        ends = (CLIENT6, SERVER6) if self.ipv6 else (CLIENT, SERVER)
        source, target = ends if way == ">" else ends[::-1]
        if self.ipv6:
            return IPv6(src=source, dst=target, hlim=60)
        return IP(src=source, dst=target, ttl=60, id=self.identification)


def written(path: Path, packets: Sequence[Packet]) -> Path:
    """A pcap of `packets`, in the order of their times."""
    wrpcap(str(path), sorted(packets, key=lambda packet: packet.time))
    return path


OPEN = ("> S", "< SA", "> A")
CLOSE = ("> FA", "< FA", "> A")
