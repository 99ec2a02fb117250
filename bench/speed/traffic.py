"""Captures to measure with: many TCP connections as clients have them, of which few or all end in a reset.

    .venv/bin/python -m bench.speed.traffic OUT.pcap --packets 200000 --resets 1   # every hundredth connection
    .venv/bin/python -m bench.speed.traffic OUT.pcap --packets 200000 --resets 100 # every one

Nothing is random beyond a fixed seed: the same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import heapq
import struct
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random

from postproc.capture.file_format import pcap_header

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
LINKTYPE_ETHERNET = 1
START_US = 1_700_000_000_000_000
MSS = 1400
CLIENTS, SERVERS = 200, 2_000
MEAN_EXCHANGES = 5  # requests of a connection
CONNECTIONS_AT_ONCE = 300
FRAME = struct.Struct("!6s6sHBBHHHBBHIIHHIIBBHHH")
TIMESTAMPS = struct.Struct("!BBBBII")

Packet = tuple[int, bytes]


def packets(resets_percent: int, seed: int = 1) -> Iterator[Packet]:
    """Time in microseconds and bytes of every packet, for ever; `resets_percent` of the connections end in a reset."""
    random = Random(seed)
    connections = (_connection(random, number, resets_percent) for number in count())
    running: list[tuple[int, int, bytes, Iterator[Packet]]] = []
    for number, connection in enumerate(connections):
        time_us, frame = next(connection)
        heapq.heappush(running, (time_us, number, frame, connection))
        while len(running) >= CONNECTIONS_AT_ONCE:
            time_us, order, frame, connection = running[0]
            yield time_us, frame
            following = next(connection, None)
            if following is None:
                heapq.heappop(running)
            else:
                heapq.heapreplace(running, (following[0], order, following[1], connection))


class _End:
    def __init__(self, random: Random, address: int, port: int, hops: int) -> None:
        self.address, self.port = address, port
        self.hop_limit = random.choice((64, 64, 128)) - hops
        self.seq, self.identification = random.randrange(1 << 32), random.randrange(1 << 16)
        self.clock = random.randrange(1 << 31)
        self.window = 501


def _connection(random: Random, number: int, resets_percent: int) -> Iterator[Packet]:
    client = _End(random, 0x0A000000 + random.randrange(CLIENTS), 32768 + number % 28000, 1)
    server = _End(
        random, 0xC6120000 + random.randrange(SERVERS), random.choice((443, 443, 80, 8443)), random.randint(4, 20)
    )
    rtt_us = random.randint(5_000, 120_000)
    now_us = START_US + number * 4_000 + random.randrange(4_000)
    yield now_us, _segment(client, server, SYN)
    now_us += rtt_us
    yield now_us, _segment(server, client, SYN | ACK)
    now_us += 60
    yield now_us, _segment(client, server, ACK)
    for _ in range(1 + int(random.expovariate(1 / MEAN_EXCHANGES))):
        now_us += random.randrange(20_000)
        yield now_us, _segment(client, server, ACK | PSH, random.randrange(100, 800))
        now_us += rtt_us
        for _ in range(random.randrange(1, 6)):
            now_us += 40
            yield now_us, _segment(server, client, ACK, MSS)
        now_us += 50
        yield now_us, _segment(client, server, ACK)
    now_us += random.randrange(50_000)
    if random.randrange(100) < resets_percent:
        sender, receiver = random.choice(((client, server), (server, client)))
        sender.hop_limit -= random.choice((0, 0, 3))  # one in three from in between
        yield now_us, _segment(sender, receiver, RST | ACK)
        return
    yield now_us, _segment(client, server, FIN | ACK)
    yield now_us + rtt_us, _segment(server, client, FIN | ACK)
    yield now_us + rtt_us + 50, _segment(client, server, ACK)


def _segment(sender: _End, receiver: _End, flags: int, payload: int = 0) -> bytes:
    sender.identification = (sender.identification + 1) & 0xFFFF
    sender.clock += 1
    total = 20 + 32 + payload
    header = FRAME.pack(
        *(b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01", 0x0800),
        *(0x45, 0, total, sender.identification, 0x4000, sender.hop_limit, 6, 0, sender.address, receiver.address),
        *(sender.port, receiver.port, sender.seq, receiver.seq if flags & ACK else 0),
        *(8 << 4, flags, sender.window, 0, 0),
    )
    options = TIMESTAMPS.pack(1, 1, 8, 10, sender.clock & 0xFFFFFFFF, receiver.clock & 0xFFFFFFFF)
    sender.seq = (sender.seq + payload + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF
    return header + options + bytes(payload)


def write(path: Path, number: int, resets_percent: int) -> None:
    """A pcap file of the first `number` packets."""
    with path.open("wb") as file:
        file.write(pcap_header(LINKTYPE_ETHERNET))
        for time_us, frame in islice(packets(resets_percent), number):
            seconds, microseconds = divmod(time_us, 1_000_000)
            file.write(struct.pack("<IIII", seconds, microseconds, len(frame), len(frame)) + frame)


def main() -> None:
    """Write a capture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--resets", type=int, default=1, help="percent of the connections that end in a reset")
    arguments = parser.parse_args()
    write(arguments.out, arguments.packets, arguments.resets)


if __name__ == "__main__":
    main()
