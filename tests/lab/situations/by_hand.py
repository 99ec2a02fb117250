"""Situations with devices that the laboratory does not have, packet by packet: the same bytes each time."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..capture import Frame, write_pcap
from ..packets import ACK, FIN, ICMPV6, IPV4, IPV6, PSH, RST, SYN, TCP, UDP, Packet, build, checksum, ipv4_header
from . import FORGED, GENUINE, GENUINE_OR_UNCLEAR, Judgement, Row
from .nstrace import write_nstrace

BEGIN = 1_700_000_000_000_000_000  # nanoseconds since 1970 of each capture's second 0
MACS = {"A": "02:00:00:00:00:0a", "B": "02:00:00:00:00:0b"}  # by who sends: A, on our side of the link, or B
VLAN = 0x8100
TEREDO_PORT = 3544  # RFC 4380
MSS = b"\x02\x04\x05\xb4"
NETSCALER_OPTIONS = MSS + b"\x01\x03\x03\x05\x01\x01\x04\x02"  # MSS, window scale 5, selective acknowledgment
FRONT_END = "front-end"
MIDDLEBOX = "middlebox"
ENDPOINT = "endpoint"


@dataclass
class Script:
    """A capture in the making. `vlan` tags every frame."""

    name: str
    vlan: int | None = None
    frames: list[Frame] = field(default_factory=list)
    rows: dict[tuple[str, Judgement], list[int]] = field(default_factory=dict)

    def add(self, at: float, sender: str, data: bytes) -> None:
        """Let an IP packet pass `at` seconds after the begin, from A or B."""
        receiver = "B" if sender == "A" else "A"
        addresses = bytes.fromhex((MACS[receiver] + MACS[sender]).replace(":", ""))
        ethertype = IPV4 if data[0] >> 4 == 4 else IPV6
        tag = b"" if self.vlan is None else struct.pack("!HH", VLAN, self.vlan)
        frame = addresses + tag + struct.pack("!H", ethertype) + data
        self.frames.append(Frame(BEGIN + round(at * 1_000_000) * 1000, frame, outgoing=sender == "A"))

    def judge(self, origin: str, judgement: Judgement) -> None:
        """Say of the last frame, a reset, where it comes from and what to accept."""
        self.rows.setdefault((origin, judgement), []).append(len(self.frames))

    def write(self, out: Path) -> list[Row]:
        """Write the capture; returns its rows of the table."""
        name = self.name if "." in self.name else f"{self.name}.pcap"
        (write_nstrace if name.endswith(".cap") else write_pcap)(out / name, self.frames)
        return [Row(name, tuple(frames), origin, judgement) for (origin, judgement), frames in self.rows.items()]


@dataclass
class Flow:
    """One TCP connection of a script: addresses and ports of A and B, and the sequence number each begins with."""

    script: Script
    addresses: tuple[str, str]
    ports: tuple[int, int]
    first: tuple[int, int]

    def packet(self, sender: str, flags: int, seq: int, ack: int, **fields: object) -> Packet:
        """A segment; `seq` and `ack` are relative, and `fields` are those of Packet."""
        me, other = (0, 1) if sender == "A" else (1, 0)
        shape: dict[str, object] = {"hop_limit": 64, "ip_id": 0, "df": True, "tos": 0, "flow_label": 0} | fields
        acknowledgment = self.first[other] + ack if flags & ACK else 0
        return Packet(
            version=ipaddress.ip_address(self.addresses[me]).version,
            source=self.addresses[me], target=self.addresses[other], protocol=TCP,
            source_port=self.ports[me], target_port=self.ports[other],
            sequence=self.first[me] + seq, acknowledgment=acknowledgment, flags=flags, **shape,  # type: ignore[arg-type]
        )  # fmt: skip

    def pass_(self, at: float, sender: str, flags: int, seq: int, ack: int, **fields: object) -> None:
        """Let a segment pass."""
        self.script.add(at, sender, build(self.packet(sender, flags, seq, ack, **fields)))


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes, hop_limit: int, ip_id: int) -> bytes:
    """A UDP datagram over IPv4, without checksum, as RFC 768 allows."""
    segment = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    head = Packet(4, source[0], target[0], hop_limit, UDP, ip_id, False, 0, 0)
    return ipv4_header(head, UDP, len(segment)) + segment


def netscaler_idle_timeout(script: Script) -> None:
    """A NetScaler opens the connection in a client's name (251), passes data on (52), and ends it when idle (251)."""
    flow = Flow(script, ("192.0.2.40", "203.0.113.9"), (25936, 3268), (0x51A2B3C4, 0x20304050))
    front, client, server = {"hop_limit": 251}, {"hop_limit": 52}, {"hop_limit": 124}
    flow.pass_(0.0, "A", SYN, 0, 0, **front, ip_id=0x7C0C, window=8190, options=NETSCALER_OPTIONS)
    flow.pass_(0.000151, "B", SYN | ACK, 0, 1, **server, ip_id=0x2E73, window=8192, options=MSS)
    flow.pass_(0.002054, "A", ACK, 1, 1, **front, ip_id=0x7C0D, window=255)
    steps = ((0.002058, "A", 52, 0xC110), (0.003310, "B", 22, 0x2E74), (0.007115, "A", 113, 0xC111))
    steps = (*steps, (0.007444, "B", 144, 0x2E75), (0.011295, "A", 93, 0xC112), (0.016837, "B", 22, 0x2E76))
    sent = {"A": 1, "B": 1}
    for at, sender, length, ip_id in steps:
        side, other = (client, "B") if sender == "A" else (server, "A")
        fields = {**side, "ip_id": ip_id, "window": 460 if sender == "A" else 256, "payload": b"x" * length}
        flow.pass_(at, sender, PSH | ACK, sent[sender], sent[other], **fields)
        sent[sender] += length
    flow.pass_(0.060166, "A", ACK, sent["A"], sent["B"], **client, ip_id=0xC113, window=492)
    flow.pass_(181.520479, "A", RST | ACK, sent["A"], sent["B"], **front, ip_id=0x8014, window=9300)
    why = "handshake and reset carry 251, data 52; window 9300 is NetScaler's code for a connection that was idle"
    script.judge(FRONT_END, Judgement(GENUINE, why))


def netscaler_forgotten_connection(script: Script) -> None:
    """Data after fifteen idle minutes; the NetScaler no longer knows the connection."""
    flow = Flow(script, ("192.0.2.41", "203.0.113.9"), (54869, 80), (0x11223344, 0x0A0B0C0D))
    stamps = bytes.fromhex("0402080a9fa6717d0000000001030307")
    flow.pass_(0.0, "A", SYN, 0, 0, ip_id=0x71F5, window=14600, options=MSS + stamps)
    flow.pass_(0.001272, "B", SYN | ACK, 0, 1, hop_limit=247, ip_id=0x5C65, window=8190, options=NETSCALER_OPTIONS)
    flow.pass_(0.001300, "A", ACK, 1, 1, ip_id=0x71F6, window=115)
    flow.pass_(908.493631, "A", PSH | ACK, 1, 1, ip_id=0x71F7, window=115, payload=b"GET\r\n")
    flow.pass_(908.494914, "B", RST, 1, 0, hop_limit=247, ip_id=0x5709, window=8201)
    script.judge(FRONT_END, Judgement(GENUINE, "NetScaler reset code 8201 in the window; the handshake's hop limit"))


def netscaler_fin_before_syn_ack(script: Script) -> None:
    """The client gives up, and repeats its FIN, while the NetScaler's SYN-ACK is on its way."""
    flow = Flow(script, ("192.0.2.117", "203.0.113.62"), (55344, 443), (0x49F2102B, 0x6D0E51B0))
    stamps = bytes.fromhex("010303040101080a49f2102b0000000004020000")
    flow.pass_(0.0, "A", SYN, 0, 0, ip_id=0x324A, window=65535, options=MSS + stamps)
    late = bytes.fromhex("0101080a49f2114400000000")
    flow.pass_(0.290672, "A", FIN, 1, 0, ip_id=0xEC4F, window=65535, options=late)
    flow.pass_(0.304943, "B", SYN | ACK, 0, 1, hop_limit=232, ip_id=0x8517, window=8190, options=NETSCALER_OPTIONS)
    flow.pass_(0.307131, "A", FIN | ACK, 1, 1, ip_id=0x89BE, window=16384)
    packet = flow.packet("B", RST, 1, 0, hop_limit=232, ip_id=0x6F06, window=8201)
    script.add(0.610409, "B", build(packet))
    script.judge(FRONT_END, Judgement(GENUINE, "NetScaler reset code 8201 in the window; the handshake's hop limit"))


def netscaler_policy(script: Script) -> None:
    """A NetScaler answers two requests with a reset, as a policy of its own says; in its own trace format."""
    judgement = Judgement(GENUINE, "NetScaler reset code 9814 in the window; hop limit equals that of the handshake")
    for number, length in enumerate((429, 455)):
        begin = 1.2 * number
        first = (0x3C4D5E6F + number * 0x10000, 0x042F2C9E + number * 0x20000)
        flow = Flow(script, ("192.0.2.1", "192.0.2.24"), (64389 + number, 80), first)
        box = {"hop_limit": 255, "window": 8190}
        flow.pass_(begin, "A", SYN, 0, 0, hop_limit=128, ip_id=0x1F00 + 4 * number, window=64240, options=MSS)
        flow.pass_(begin + 0.0001, "B", SYN | ACK, 0, 1, **box, ip_id=0x4D + 2 * number, options=NETSCALER_OPTIONS)
        flow.pass_(begin + 0.0006, "A", ACK, 1, 1, hop_limit=128, ip_id=0x1F01 + 4 * number, window=2053)
        request = {"hop_limit": 128, "ip_id": 0x1F02 + 4 * number, "window": 2053, "payload": b"x" * length}
        flow.pass_(begin + 0.0010, "A", PSH | ACK, 1, 1, **request)
        flow.pass_(begin + 0.0013, "B", RST | ACK, 1, 1 + length, hop_limit=255, ip_id=0x4E + 2 * number, window=9814)
        script.judge(FRONT_END, judgement)


def big_ip_cause(script: Script) -> None:
    """A BIG-IP says in the payload of its reset why it sends it; nothing else was captured."""
    flow = Flow(script, ("192.0.2.41", "203.0.113.89"), (52875, 80), (0x736F1989, 0x6063E721))
    cause = b"BIG-IP: [0x11c5672:3045] {peer} TCP RST from remote system"
    packet = flow.packet("B", RST | ACK, 0, 0, hop_limit=243, ip_id=0x2033, tos=0x20, window=5785, payload=cause)
    script.add(0.0, "B", build(packet))
    why = "a single packet, no baseline: the payload is an F5 BIG-IP reset cause that names the remote peer"
    script.judge(FRONT_END, Judgement(GENUINE_OR_UNCLEAR, why))


def f5_trailer(cause: bytes) -> bytes:
    """The Ethernet trailer that a BIG-IP's own tcpdump writes after a reset (version 1, "medium" details)."""
    said = struct.pack("!BQ", 0, 0x1AC9C2C << 16 | 8216) + cause  # version and side, place in the program, cause
    flow = struct.pack("!QQIIBBHHB", 0x400012345, 0, 0, 0, 0, 0, 0, 0, 3)
    details = struct.pack("!HHHH", 1, 2, 8 + len(flow) + 1 + len(said), 4) + flow + bytes([len(said)]) + said
    return struct.pack("!IHH", 0xF5DEB0F5, 8 + len(details), 1) + details


def f5_ethernet_trailer(script: Script) -> None:
    """A BIG-IP, captured there: it refuses a connection, and ends an idle one; its trailers say why."""
    why = "the capture is the BIG-IP's own, and its Ethernet trailer says why it sent the reset"
    client, box = {"hop_limit": 52, "window": 29200}, {"hop_limit": 255, "window": 4380}
    refused = Flow(script, ("192.0.2.41", "203.0.113.89"), (52875, 8443), (0x736F1989, 0))
    refused.pass_(0.0, "A", SYN, 0, 0, **client, ip_id=0x1F00, options=MSS)
    packet = refused.packet("B", RST | ACK, 0, 1, hop_limit=255, ip_id=0x2033)
    script.add(0.0001, "B", build(packet) + f5_trailer(b"No local listener"))
    script.judge(FRONT_END, Judgement(GENUINE_OR_UNCLEAR, why))
    idle = Flow(script, ("192.0.2.41", "203.0.113.89"), (52876, 443), (0x736F2989, 0x6063E721))
    idle.pass_(1.0, "A", SYN, 0, 0, **client, ip_id=0x1F01, options=MSS)
    idle.pass_(1.0001, "B", SYN | ACK, 0, 1, **box, ip_id=0x2034, options=MSS)
    idle.pass_(1.0201, "A", ACK, 1, 1, **client, ip_id=0x1F02)
    idle.pass_(1.0202, "A", PSH | ACK, 1, 1, **client, ip_id=0x1F03, payload=b"x" * 200)
    idle.pass_(1.0300, "B", PSH | ACK, 1, 201, **box, ip_id=0x2035, payload=b"y" * 900)
    idle.pass_(1.0501, "A", ACK, 201, 901, **client, ip_id=0x1F04)
    packet = idle.packet("B", RST | ACK, 901, 201, **box, ip_id=0x2036)
    script.add(301.2, "B", build(packet) + f5_trailer(b"Flow expired (sweeper)"))
    script.judge(FRONT_END, Judgement(GENUINE, why))


# Both forms of the IETF's draft: CBOR (a reason; a reason of an enterprise; a description), and 8 bytes.
DIAGNOSES = (
    bytes.fromhex("193039a10108"),
    bytes.fromhex("193039a2011904d202197ed9"),
    bytes.fromhex("193039a10371") + b"out of work items",
    bytes.fromhex("33aa001100000000"),
    bytes.fromhex("33aa04d200007ed9"),
    bytes.fromhex("193039a101"),  # cut short: says nothing
)


def diagnostic_payload(script: Script) -> None:
    """A server aborts connections, and says why in RST diagnostic payloads."""
    judgement = Judgement(GENUINE_OR_UNCLEAR, "the server's own abort: hop limit and IP ID run of its data")
    client, server = {"hop_limit": 64, "window": 502}, {"hop_limit": 52, "window": 509}
    for number, payload in enumerate(DIAGNOSES):
        at, ip_id = 2.0 * number, 0x4000 + 8 * number
        flow = Flow(script, ("192.0.2.41", "203.0.113.89"), (41000 + number, 443), (0x1000 * number, 0x77A0 * number))
        flow.pass_(at, "A", SYN, 0, 0, **client, ip_id=ip_id, options=MSS)
        flow.pass_(at + 0.020, "B", SYN | ACK, 0, 1, **server, ip_id=ip_id, options=MSS)
        flow.pass_(at + 0.021, "A", ACK, 1, 1, **client, ip_id=ip_id + 1)
        flow.pass_(at + 0.022, "A", PSH | ACK, 1, 1, **client, ip_id=ip_id + 2, payload=b"x" * 100)
        flow.pass_(at + 0.042, "B", ACK, 1, 101, **server, ip_id=ip_id + 1)
        flow.pass_(at + 0.100, "B", RST | ACK, 1, 101, **server, ip_id=ip_id + 2, payload=payload)
        script.judge(ENDPOINT, judgement)


SERVERS = ("203.0.113.78", "203.0.113.163")
CLIENT, ROUTER = "192.0.2.16", "192.0.2.1"
TEREDO_RELAY, NAME_SERVER = ("198.51.100.38", TEREDO_PORT), (ROUTER, 53)


def nat_expires_sessions(script: Script) -> None:
    """Beside a Teredo tunnel, a NAT router expires three sessions and resets its client in both servers' names."""
    forged = Judgement(
        FORGED,
        "hop limit 255 where both servers have 53; one IP ID run (0x9120, 0x9121, 0x9125) across two claimed sources, "
        "the router's own answers in it: a NAT router expires sessions",
    )
    own = Judgement(GENUINE, "the client's own abort: hop limit and IP ID run of its data")
    old = [Flow(script, (CLIENT, SERVERS[n]), (1577 - n, 80), (0x1000 * n + 77, 0x2000 * n + 99)) for n in (0, 1)]
    new = Flow(script, (CLIENT, SERVERS[0]), (1578, 80), (0x61C3A500, 0x7B11E200))
    here, there = {"hop_limit": 128, "window": 17424}, {"hop_limit": 53, "window": 6432}
    for number, flow in enumerate(reversed(old)):
        flow.pass_(1.14 + 3 * number, "B", ACK | FIN, 1, 1, **there, ip_id=0x26BC + 0x20FD * number)
        flow.pass_(1.145 + 3 * number, "A", ACK, 1, 2, **here, ip_id=0x87C1 + number)
    old[0].pass_(11.241, "A", ACK | FIN, 1, 2, **here, ip_id=0x87C6)
    new.pass_(11.242, "A", SYN, 0, 0, hop_limit=128, ip_id=0x87C7, window=16384, options=MSS)
    old[0].pass_(11.320, "B", ACK, 2, 2, **there)
    new.pass_(11.322, "B", SYN | ACK, 0, 1, **there, options=MSS)
    new.pass_(11.3225, "A", ACK, 1, 1, **here, ip_id=0x87C8)
    new.pass_(11.325, "A", PSH | ACK, 1, 1, **here, ip_id=0x87C9, payload=b"x" * 790)
    new.pass_(11.4135, "B", ACK, 1, 791, **there, ip_id=0xDEB0)
    new.pass_(11.414, "B", PSH | ACK, 1, 791, **there, ip_id=0xDEB2, payload=b"x" * 171)
    old[1].pass_(11.4151, "A", RST | ACK, 1, 2, hop_limit=128, ip_id=0x87CB)
    script.judge(ENDPOINT, own)
    new.pass_(11.5509, "A", ACK, 791, 172, **here, ip_id=0x87CC)
    new.pass_(11.6504, "A", RST | ACK, 791, 172, hop_limit=128, ip_id=0x87CD)
    script.judge(ENDPOINT, own)
    _names(script, 11.76, (0x87D4, 0x87D5), 0x911E)
    _tunnel(script, 14.24)
    for flow, at, ip_id, numbers in ((old[0], 27.4638, 0x9120, (2, 2)), (old[1], 27.4652, 0x9121, (2, 1))):
        flow.pass_(at, "B", RST | ACK, *numbers, hop_limit=255, ip_id=ip_id)
        script.judge(MIDDLEBOX, forged)
    _names(script, 27.67, (0x87F8, 0x87F9, 0x87FA), 0x9122)
    new.pass_(29.4664, "B", RST | ACK, 172, 791, hop_limit=255, ip_id=0x9125)
    script.judge(MIDDLEBOX, forged)


def _names(script: Script, at: float, ip_ids: Sequence[int], first: int) -> None:
    """Questions to the router's name server, and its answers, numbered from `first`."""
    for number, ip_id in enumerate(ip_ids):
        client = (CLIENT, 1040 + ip_id % 256)
        question = struct.pack("!HHHHHH", ip_id, 0x0100, 1, 0, 0, 0) + b"\x07example\x03com\x00\x00\x01\x00\x01"
        answer = question[:2] + b"\x81\x83" + question[4:]  # no such name
        script.add(at + 0.1 * number, "A", udp(client, NAME_SERVER, question, 128, ip_id))
        script.add(at + 0.1 * number + 0.02, "B", udp(NAME_SERVER, client, answer, 255, first + number))


def _tunnel(script: Script, at: float) -> None:
    """Pings through a Teredo tunnel: IPv6 in UDP in IPv4 (RFC 4380)."""
    client = (CLIENT, 1050)
    mine, theirs = "2001:0:c633:6450:8000:fbe5:3fff:fdef", "2001:db8:4860::68"  # server, port and address of RFC 4380
    for number in range(3):
        echo, reply = (struct.pack("!BBHHHH", type_, 0, 0, 0x0101, number, 0) for type_ in (128, 129))
        for sender, (source, target), data, limits in (
            ("A", (mine, theirs), echo, (128, 21)),
            ("B", (theirs, mine), reply, (50, 57)),
        ):
            ends = b"".join(ipaddress.IPv6Address(address).packed for address in (source, target))
            total = checksum(ends + struct.pack("!II", len(data), ICMPV6) + data)
            inside = struct.pack("!IHBB", 6 << 28, len(data), ICMPV6, limits[1]) + ends
            inside += data[:2] + struct.pack("!H", total) + data[4:]
            ways = (client, TEREDO_RELAY) if sender == "A" else (TEREDO_RELAY, client)
            ip_id = (0x87DB if sender == "A" else 0x2387) + number
            script.add(at + number + (0.3 if sender == "B" else 0.0), sender, udp(*ways, inside, limits[0], ip_id))


SCRIPTS: dict[str, Callable[[Script], None]] = {
    "netscaler-idle-timeout": netscaler_idle_timeout,
    "netscaler-forgotten-connection": netscaler_forgotten_connection,
    "netscaler-fin-before-syn-ack": netscaler_fin_before_syn_ack,
    "netscaler-policy.cap": netscaler_policy,
    "big-ip-cause": big_ip_cause,
    "f5-ethernet-trailer": f5_ethernet_trailer,
    "diagnostic-payload": diagnostic_payload,
    "nat-expires-sessions": nat_expires_sessions,
}
TAGGED = {"netscaler-idle-timeout": 7}  # captured with a VLAN tag


def make(out: Path) -> list[Row]:
    """Write every capture to `out`; returns the rows of the table."""
    rows = []
    for name, write in SCRIPTS.items():
        script = Script(name, TAGGED.get(name))
        write(script)
        rows += script.write(out)
    return rows
