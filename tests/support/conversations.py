"""Two hosts in conversation, packet by packet, with the counters of their kernels: for random_captures.py.

Everything is chosen through one `random.Random`. Few hosts, few ports and small numbers on purpose, so that things
meet: copied values, reused ports, wraps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from heuristics.protocol.tshark_fields import ACK, FIN, SYN
from support import frames
from support.frames import Datagram

PSH, URG, RESERVED = 0x08, 0x20, 0x100
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000

ADDRESSES = {
    4: (b"\x0a\0\0\x01", b"\x0a\0\0\x02", b"\xc0\0\x02\x07", b"\x01,2|", b"\xac\x1f\0\x09", b"\xac\x20\0\x09"),
    6: (
        *(b"\x20\x01\x0d\xb8" + bytes(11) + bytes([last]) for last in (1, 2, 7)),
        *(b"\xfe\x80" + bytes(13) + b"\x08", b"\x20\x02" + bytes(13) + b"\x01"),
    ),
}
PORTS = (80, 443, 53, 179, 40000, 40001, 65535)
HOP_LIMITS = (64, 63, 62, 61, 59, 58, 50, 128, 127, 117, 255, 254, 244, 243, 33, 32, 31, 2, 1, 0)
SEQUENCES = (0, 1, 1000, 0x7FFFFFF0, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
IDENTIFIERS = (0, 1, 2, 7, 0x8000, 0xFFF0, 0xFFFF)
WINDOWS = (0, 1, 512, 1024, 8196, 8201, 9300, 9814, 65535)
# Near the thresholds of the rulebook (10 and 100 ms) and usual round trips; time may stand still or go back.
GAPS_NS = (0, 0, 1000, 300_000, MS, 9_999_000, 10 * MS, 10_001_000, 20 * MS, 40 * MS, 99_999_000, 100 * MS)
GAPS_NS = (*GAPS_NS, 100_001_000, 500 * MS, 3_000 * MS, 60_000 * MS, -1000, -20 * MS, -150 * MS, -1)
TEXTS = (
    *(
        b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00",
        b"\x01\x02\x03\x04\x05\x06\x07\x08\x09",
        b"\x1909\xa1\x01\x02",
        b"3\xaa\0\x08\0\0\0\0",
        b"3\xaa\0\x11\0\0zi",
        b"3\xc3\xa9\0\0\0\0\0",
        b"3\xaa\1\x08\0\0\0\0",
        b"3\xaa\0\x08\0\0\0",
        b"\0x",
    ),
    *(b"BIG-IP: [0x1f2e3d4c:5678] No available pool member", b"BIG-IP: [0x", b"BIG-IP: [0y1] x", b"bIG-IP: [0x1]"),
    *(
        b"closed by peer",
        b"tab\there\nline\rend\x00nul",
        b"a,b;c\"d'e\\f",
        b"\xff\xfe\x80",
        b"\x1b[31m",
        b"\xe2\x80\xae",
    ),
)
ENCAPSULATIONS = ("ip", "ip6", "gre", "gre_bridged", "vxlan", "teredo", "authentication", "ip ip", "gre vxlan")
TAGS = ((frames.VLAN,), (frames.SERVICE_VLAN, frames.VLAN), (frames.MPLS,), (frames.PPPOE,), (frames.VLAN, frames.MPLS))
EXTENSIONS = (frames.HOP_BY_HOP, frames.DESTINATION_OPTIONS, frames.ROUTING, frames.FRAGMENT)
IP_OPTIONS = (b"\x01\x01\x01\x00", b"\x07\x07\x04\0\0\0\0\x00", b"\x83\x07\x04\x0a\0\0\x63\x00")  # pad, record, route
TCP_OPTIONS = (
    b"\x02\x04\x05\xb4",
    b"\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02",
    b"\x08\x00\x01\x01",
    b"\xfd\x04\x12\x34",
)


@dataclass
class End:
    """One end of a conversation, with the counters of its kernel."""

    address: bytes
    port: int
    hop_limit: int
    seq: int
    window: int
    identification: int
    clock: int | None
    last: tuple[int, int, int] = (0, 0, 0)  # identification, window and flags of the last packet


@dataclass
class Packet:
    """A packet of the capture, kept for duplicates and for ICMP errors about it."""

    packet: Datagram
    tags: tuple[int, ...] = ()


@dataclass
class Capture:
    """The packets so far, and the clock."""

    random: Random
    now_ns: int
    records: list[tuple[int, Packet]] = field(default_factory=list)

    def wait(self) -> None:
        """Let time pass, mostly forwards."""
        gap = self.random.choice(GAPS_NS)
        self.now_ns = max(0, self.now_ns + gap)

    def add(self, packet: Packet) -> None:
        """A packet passes now."""
        self.records.append((self.now_ns, packet))


def rarely(random: Random, one_in: int) -> bool:
    """True once in `one_in` times."""
    return random.randrange(one_in) == one_in - 1


def new_end(random: Random, version: int) -> End:
    """An end of a conversation."""
    return End(
        address=random.choice(ADDRESSES[version]),
        port=random.choice(PORTS),
        hop_limit=random.choice(HOP_LIMITS),
        seq=random.choice(SEQUENCES),
        window=random.choice(WINDOWS),
        identification=random.choice(IDENTIFIERS),
        clock=random.choice((None, 0, 1000, 0xFFFFFFF0)),
    )


@dataclass
class Conversation:
    """Two ends, and how their packets are wrapped."""

    capture: Capture
    version: int
    ends: tuple[End, End]
    encapsulation: str
    tags: tuple[int, ...]
    odd: bool  # extension headers, options, fragments
    latest: bytes = b""  # the last packet, before it was wrapped or cut into fragments

    @property
    def random(self) -> Random:
        """The generator of all random choices."""
        return self.capture.random

    def some_way(self) -> tuple[End, End]:
        """The sender and the receiver of the next packet."""
        return self.ends if self.random.randrange(2) == 0 else (self.ends[1], self.ends[0])

    def emit(self, sender: End, receiver: End, segment: bytes, protocol: int = frames.TCP, **shape: int) -> None:
        """Put one IP packet into the capture, wrapped and perhaps cut into fragments."""
        random = self.random
        hop_limit = shape.get("hop_limit", sender.hop_limit)
        identification = shape.get("identification", sender.identification) & 0xFFFF
        addresses = (sender.address, receiver.address)
        if self.version == 4:
            options = random.choice(IP_OPTIONS) if self.odd and rarely(random, 6) else b""
            packet = frames.ipv4(
                *(*addresses, protocol, segment),
                ttl=hop_limit,
                identification=identification,
                df=identification % 3 == 0,
                tos=shape.get("tos", 0),
                options=options,
                no_length=self.odd and rarely(random, 12),
            )
        else:
            while self.odd and rarely(random, 4):
                kind = random.choice(EXTENSIONS)
                segment = frames.extension(kind, protocol, segment, addresses[1])
                protocol = kind
            packet = frames.ipv6(
                *(*addresses, protocol, segment),
                hop_limit=hop_limit,
                traffic_class=shape.get("tos", 0),
                flow_label=identification,
            )
        self.latest = bytes(packet)
        pieces = [packet]
        if self.odd and rarely(random, 6):
            pieces = frames.fragments(packet, random.choice((8, 16, 24, 64)))[:6]
            if rarely(random, 3):
                pieces.reverse()
            if rarely(random, 4):
                pieces.pop()
        for piece in pieces:
            self.capture.add(Packet(wrap(random, piece, self.encapsulation), self.tags))

    def segment(self, sender: End, receiver: End, flags: int, payload: bytes = b"", **shape: int) -> None:
        """Send a TCP segment; `shape` overrides the fields that the sender's kernel would write."""
        random = self.random
        seq, ack = shape.get("seq", sender.seq), shape.get("ack", receiver.seq if flags & ACK else 0)
        window = shape.get("window", sender.window)
        options = b""
        clock = shape.get("clock", sender.clock if sender.clock is not None else -1)
        if clock >= 0:
            options = frames.timestamps(clock, receiver.clock or 0)
            options += frames.timestamps(clock + 5, 0) if self.odd and rarely(random, 5) else b""
        if rarely(random, 12):
            options += random.choice(TCP_OPTIONS)
        words = random.choice((0, 4, 6, 15)) if self.odd and rarely(random, 15) else None
        data = frames.tcp(sender.port, receiver.port, seq, ack, flags, window, options, payload, words)
        self.emit(sender, receiver, data, **shape)

    def sent(self, sender: End, flags: int, length: int) -> None:
        """Move the sender's counters on."""
        sender.seq = (sender.seq + length + (flags & SYN != 0) + (flags & FIN != 0)) & 0xFFFFFFFF
        sender.last = (sender.identification, sender.window, flags)
        if sender.identification:
            sender.identification = (sender.identification + 1) & 0xFFFF
        if sender.clock is not None:
            sender.clock = (sender.clock + 3) & 0xFFFFFFFF


def wrap(random: Random, packet: Datagram, encapsulation: str) -> Datagram:
    """`packet` inside the headers that `encapsulation` names, innermost first."""
    outer = {"ttl": random.choice(HOP_LIMITS[:4]), "identification": 3}
    ends = (b"\xc6\x33\x64\x01", b"\xc6\x33\x64\x02")
    for layer in encapsulation.split():
        inner, protocol = bytes(packet), frames.IPV4_IN_IP if packet.version == 4 else frames.IPV6_IN_IP
        ethertype = frames.ETHERTYPE[packet.version]
        if layer == "ip6":
            packet = frames.ipv6(ADDRESSES[6][2], ADDRESSES[6][1], protocol, inner, hop_limit=outer["ttl"])
        elif layer == "gre":
            packet = frames.ipv4(*ends, frames.GRE, frames.gre(ethertype, inner), **outer)
        elif layer == "gre_bridged":
            bridged = frames.gre(frames.BRIDGED, frames.ethernet(ethertype, inner))
            packet = frames.ipv4(*ends, frames.GRE, bridged, **outer)
        elif layer == "vxlan":
            tunnelled = frames.udp(50000, frames.VXLAN_PORT, frames.vxlan(frames.ethernet(ethertype, inner)))
            packet = frames.ipv4(*ends, frames.UDP, tunnelled, **outer)
        elif layer == "teredo" and packet.version == 6:
            packet = frames.ipv4(*ends, frames.UDP, frames.udp(50001, frames.TEREDO_PORT, inner), **outer)
        elif layer == "authentication":
            packet = frames.ipv4(*ends, frames.AH, frames.authentication(protocol, inner), **outer)
        else:
            packet = frames.ipv4(*ends, protocol, inner, **outer)
    return packet
