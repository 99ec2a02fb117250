"""Random captures: conversations between a few hosts that go wrong in every way we know, as pcap bytes.

Everything is chosen through one `random.Random`: a seeded one gives a fixed capture, Hypothesis' `randoms()` one that
it can shrink.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from support import frames
from support.conversations import (
    ADDRESSES,
    ENCAPSULATIONS,
    HOP_LIMITS,
    IDENTIFIERS,
    PSH,
    RESERVED,
    SEQUENCES,
    START_NS,
    TAGS,
    TEXTS,
    URG,
    WINDOWS,
    Capture,
    Conversation,
    Packet,
    new_end,
    rarely,
)
from support.frames import Datagram, Record

NEVER = 1_000_000

# What may happen next -------------------------------------------------------------------------------------------------


def open_(talk: Conversation) -> None:
    """A handshake, or part of one, perhaps with repeated packets."""
    client, server = talk.ends
    rounds = talk.random.choice((1, 1, 1, 2))
    for _ in range(rounds):
        talk.segment(client, server, SYN)
        talk.capture.wait()
    talk.sent(client, SYN, 0)
    if rarely(talk.random, 5):
        return
    talk.segment(server, client, SYN | ACK)
    talk.sent(server, SYN, 0)
    talk.capture.wait()
    if not rarely(talk.random, 5):
        talk.segment(client, server, ACK)
        talk.sent(client, ACK, 0)


def data(talk: Conversation) -> None:
    """Bytes one way, perhaps with a FIN, perhaps acknowledged at once."""
    sender, receiver = talk.some_way()
    payload = talk.random.choice((b"x", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 40, b"\x16\x03\x01\0\x05hello"))
    flags = ACK | PSH | (RESERVED * talk.random.choice((0, 0, 0, 1, 15)))
    talk.segment(sender, receiver, flags, payload)
    if rarely(talk.random, 4):
        talk.capture.wait()
        talk.segment(sender, receiver, flags, payload)  # sent again
    talk.sent(sender, flags, len(payload))
    if talk.random.randrange(2):
        talk.capture.wait()
        talk.segment(receiver, sender, ACK)
        talk.sent(receiver, ACK, 0)


def acknowledge(talk: Conversation) -> None:
    """A bare acknowledgement: of all bytes, of old bytes, of bytes never sent, or a keep-alive."""
    sender, receiver = talk.some_way()
    shape = talk.random.choice(({}, {"ack": receiver.seq - 5}, {"ack": receiver.seq + 9}, {"seq": sender.seq - 1}))
    talk.segment(sender, receiver, ACK, **shape)
    talk.sent(sender, ACK, 0)


def lose(talk: Conversation) -> None:
    """Bytes that the capture misses, or has later than the next ones: a hole, and what fills it."""
    sender, receiver = talk.some_way()
    first = sender.seq
    sender.seq = (sender.seq + 10) & 0xFFFFFFFF
    talk.segment(sender, receiver, ACK, b"later")
    talk.sent(sender, ACK, 5)
    if talk.random.randrange(2):
        talk.capture.wait()
        talk.segment(sender, receiver, ACK, b"0123456789", seq=first)


def close(talk: Conversation) -> None:
    """A FIN of one side."""
    sender, receiver = talk.some_way()
    talk.segment(sender, receiver, FIN | ACK)
    talk.sent(sender, FIN, 0)


def reset(talk: Conversation) -> None:
    """One reset or a burst, from either end or in its name."""
    random = talk.random
    sender, receiver = talk.some_way()
    flags = RST | random.choice((0, ACK, ACK, ACK | PSH, FIN, SYN, URG, RESERVED, RESERVED * 15 | ACK))
    payload = random.choice(TEXTS) if rarely(random, 6) else b""
    for number in range(random.choice((1, 1, 1, 2, 3, 5))):
        shape = {
            "seq": random.choice(
                (sender.seq, sender.seq, 0, sender.seq + number * 1460, sender.seq - 3, sender.seq + 1)
            ),
            "ack": random.choice((receiver.seq, receiver.seq, 0, receiver.seq - 1, receiver.seq + 100)),
            "hop_limit": random.choice((sender.hop_limit, sender.hop_limit, receiver.hop_limit, *HOP_LIMITS[:8])),
            "identification": random.choice((sender.identification, receiver.last[0], 0, 0x1234, sender.last[0] + 17)),
            "window": random.choice((sender.window, receiver.last[1], 0, 9300)),
            "clock": random.choice((-1, -1, sender.clock or 0, 77)),
            "tos": random.choice((0, 0, 8)),
        }
        if rarely(random, 10):
            shape["seq"] += random.choice((1 << 20, (1 << 20) + 1, 1 << 31, -(1 << 20) - 1))
        talk.segment(sender, receiver, flags, payload, **shape)
        if random.randrange(2):
            talk.capture.wait()


def again(talk: Conversation) -> None:
    """A duplicate of an earlier packet, as from a mirror port or the next router, or much later."""
    random, records = talk.random, talk.capture.records
    if not records:
        return
    packet = records[-1 - random.randrange(min(3, len(records)))][1]
    header = bytearray(packet.packet.header)
    place = 8 if packet.packet.version == 4 else 7
    header[place] = (header[place] - random.choice((0, 1, 1, 2))) % 256
    talk.capture.add(Packet(Datagram(packet.packet.version, bytes(header), packet.packet.payload), packet.tags))


def reopen(talk: Conversation) -> None:
    """The same ports again, from either end; perhaps only the SYN-ACK is captured."""
    client, server = talk.some_way()
    client.seq = talk.random.choice((client.seq + 1, *SEQUENCES)) & 0xFFFFFFFF
    if talk.random.randrange(2):
        talk.segment(client, server, SYN)
        talk.sent(client, SYN, 0)
    else:
        talk.segment(client, server, SYN | ACK)
        talk.sent(client, SYN, 0)


def move(talk: Conversation) -> None:
    """One end changes its route, its IP ID counter or its window."""
    end = talk.some_way()[0]
    end.hop_limit = talk.random.choice((end.hop_limit, (end.hop_limit + 1) % 256, *HOP_LIMITS))
    end.identification = talk.random.choice(IDENTIFIERS)
    end.window = talk.random.choice(WINDOWS)


def complain(talk: Conversation) -> None:
    """An ICMP error about a packet, whole or cut, from an end or a router, or an ICMP type nobody knows."""
    random, records = talk.random, talk.capture.records
    sender, receiver = talk.some_way()
    if rarely(random, 3):
        sender = replace(sender, address=ADDRESSES[talk.version][2])
    quoted = bytearray(talk.latest)
    if records and rarely(random, 6):
        quoted = bytearray(bytes(records[-1][1].packet))  # of any conversation, perhaps wrapped
    if len(quoted) > 8 and random.randrange(2):
        quoted[8 if talk.version == 4 else 7] = random.choice((1, 0, 57, 64))
    data = bytes(quoted[: random.choice((10, 28, 48, 60, 200))])
    code = random.choice((0, 1, 2, 3, 4, 9, 10, 13, 99))
    if talk.version == 4:
        message, protocol = frames.icmp(random.choice((3, 3, 3, 11, 5, 4, 12, 40)), code, data), frames.ICMP
    else:
        message, protocol = frames.icmp(random.choice((1, 1, 2, 3, 4, 100, 127, 200)), code, data), frames.ICMPV6
    talk.emit(sender, receiver, message, protocol, hop_limit=random.choice((sender.hop_limit, *HOP_LIMITS)))


def chat(talk: Conversation) -> None:
    """The same hosts in another protocol: pings and UDP, with another initial hop limit."""
    random = talk.random
    sender, receiver = talk.some_way()
    if random.randrange(2):
        talk.emit(sender, receiver, frames.udp(5000, 5001, b"hello"), frames.UDP, hop_limit=random.choice(HOP_LIMITS))
    else:
        type_, protocol = (8, frames.ICMP) if talk.version == 4 else (128, frames.ICMPV6)
        talk.emit(sender, receiver, frames.icmp(type_, 0, b"ping"), protocol, hop_limit=random.choice(HOP_LIMITS))


def nonsense(talk: Conversation) -> None:
    """A TCP segment with any flags and numbers at all."""
    sender, receiver = talk.some_way()
    random = talk.random
    shape = {"seq": random.choice(SEQUENCES), "ack": random.choice(SEQUENCES), "hop_limit": random.randrange(256)}
    talk.segment(sender, receiver, random.randrange(0x1000), random.choice((b"", b"?", *TEXTS)), **shape)


Step = Callable[[Conversation], None]
STEPS: tuple[Step, ...] = (
    *(open_, open_, data, data, data, data, acknowledge, lose, close, reset, reset, reset, reset),
    *(again, again, reopen, move, complain, complain, chat, nonsense),
)


def new_conversation(capture: Capture, odd_one_in: int) -> Conversation:
    """Two of the hosts begin to talk; sometimes one to itself, or from one port to the same; see random_capture."""
    random = capture.random
    version = random.choice((4, 4, 6))
    client, server = new_end(random, version), new_end(random, version)
    if rarely(random, 8):
        server.address = client.address
    if rarely(random, 8):
        server.port = client.port
    encapsulation = random.choice(ENCAPSULATIONS) if rarely(random, odd_one_in) else ""
    tags = random.choice(TAGS) if rarely(random, odd_one_in) else ()
    return Conversation(capture, version, (client, server), encapsulation, tags, rarely(random, odd_one_in))


def random_capture(
    random: Random, packets: int, odd_one_in: int = 5, damaged_one_in: int = NEVER, cut_one_in: int = 3
) -> bytes:
    """A capture of about `packets` packets at most, as the bytes of a pcap file.

    One conversation in `odd_one_in` is tunnelled, one is tagged, one has fragments and extension headers. One packet in
    `damaged_one_in` has a wrong byte somewhere in its headers. One capture in `cut_one_in` has a short snap length.
    """
    capture = Capture(random, random.choice((START_NS, START_NS, START_NS, 0)))
    talks = [new_conversation(capture, odd_one_in)]
    while len(capture.records) < packets and not rarely(random, 2 * packets):
        if len(talks) < 6 and rarely(random, 8):
            talks.append(new_conversation(capture, odd_one_in))
        random.choice(STEPS)(random.choice(talks))
        capture.wait()
    return written(capture, damaged_one_in, cut_one_in)


def written(capture: Capture, damaged_one_in: int, cut_one_in: int) -> bytes:
    """The capture as a file: link type, byte order, snap length, and sometimes an end in mid-packet."""
    random = capture.random
    link = random.choice((frames.ETHERNET, frames.ETHERNET, frames.RAW, frames.LINUX_COOKED, frames.NULL))
    snap = random.choice((96, 68, 54, 40)) if rarely(random, cut_one_in) else 262144
    records = []
    for time_ns, packet in capture.records:
        whole = frames.link_frame(link, packet.packet, packet.tags, source_mac(random, packet.packet))
        if rarely(random, damaged_one_in):
            place = random.randrange(min(len(whole), 120))
            whole = whole[:place] + bytes([random.randrange(256)]) + whole[place + 1 :]
        kept = whole[: random.randrange(14, 100)] if rarely(random, 20 * cut_one_in) else whole[:snap]
        records.append(Record(time_ns, kept, len(whole)))
    if rarely(random, 3) and len(records) > 1:  # overtaken on the way
        place = random.randrange(len(records) - 1)
        records[place], records[place + 1] = records[place + 1], records[place]
    file = frames.pcap(records, link, nanoseconds=rarely(random, 3), big_endian=rarely(random, 4))
    return file[: -random.randrange(1, 40)] if rarely(random, 10) and records else file


def source_mac(random: Random, packet: Datagram) -> bytes:
    """Mostly one MAC for a host, and for a few hosts the same."""
    host = packet.header[15] % 3 if packet.version == 4 else packet.header[23] % 3
    return b"\x02\0\0\0\0" + bytes([random.randrange(4) if rarely(random, 8) else host])


def random_captures(packets: int, odd_one_in: int = 5, damaged_one_in: int = NEVER) -> st.SearchStrategy[bytes]:
    """Captures as `random_capture` makes them, which Hypothesis can shrink."""
    return st.randoms(use_true_random=False).map(
        lambda random: random_capture(random, packets, odd_one_in, damaged_one_in)
    )
