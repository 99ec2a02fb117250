"""The plugin and postproc agree on damaged packets, made by hand: each kind that random captures found."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from support import frames
from support.flows_by_hand import OPEN, Talk
from support.frames import Datagram, Record
from support.parity import Rows, compare, listed, run_plugin, system_wireshark

from heuristics.protocol.tshark_fields import ACK, RST, SYN
from heuristics.rulebook.model import load

START_NS = 1_700_000_000 * 10**9
A, B = bytes((192, 0, 2, 1)), bytes((203, 0, 113, 1))
A6, B6 = bytes.fromhex("20010db8") + bytes(11) + b"\1", bytes.fromhex("20010db8") + bytes(11) + b"\2"
ROUTER, ROUTER6 = bytes((198, 51, 100, 1)), bytes.fromhex("20010db8") + bytes(11) + b"\3"
REST = b"\x55" * 40  # bytes in the frame after the packet
OPTIONS = 12  # bytes of options in these segments


def agreed(path: Path, packets: Sequence[bytes], step_ns: int = 10**6, times_ms: Sequence[int] | None = None) -> Rows:
    """The plugin's rows over these Ethernet frames, which are those of postproc. `times_ms` replace equal steps."""
    times_ns = [time * 10**6 for time in times_ms] if times_ms else [number * step_ns for number in range(len(packets))]
    records = [Record(START_NS + time_ns, data, len(data)) for time_ns, data in zip(times_ns, packets, strict=True)]
    path.write_bytes(frames.pcap(records, frames.ETHERNET))
    found = compare(path, system_wireshark(), load())
    assert not found, listed(found)
    return run_plugin(path, system_wireshark(), load()).rows


def shortened(packet: Datagram, cut: int) -> Datagram:
    """The packet with a length in its header that leaves out the last `cut` bytes, which are there all the same."""
    header = bytearray(packet.header)
    at = 2 if packet.version == 4 else 4
    struct.pack_into("!H", header, at, struct.unpack_from("!H", header, at)[0] - cut)
    return Datagram(packet.version, bytes(header), packet.payload)


def wrapped(version: int, inner: Datagram) -> Datagram:
    """`inner` in a tunnel over IP of this version."""
    protocol = frames.IPV4_IN_IP if inner.version == 4 else frames.IPV6_IN_IP
    if version == 4:
        return frames.ipv4(ROUTER, B, protocol, bytes(inner), ttl=64)
    return frames.ipv6(ROUTER6, B6, protocol, bytes(inner), hop_limit=64)


def segment(version: int, port: int, flags: int, clock: int) -> Datagram:
    data = frames.tcp(port, 80, 1000, 1, flags, 500, frames.timestamps(clock, 7))
    if version == 4:
        return frames.ipv4(A, B, frames.TCP, data, ttl=60)
    return frames.ipv6(A6, B6, frames.TCP, data, hop_limit=60)


def framed(packet: Datagram, rest: bytes = b"") -> bytes:
    return frames.ethernet(frames.ETHERTYPE[packet.version], bytes(packet) + rest)


# Tunnels around the segment, outermost first, and which packet has the wrong length: 0 is the outermost.
SHORT = [((), 0), ((4,), 0), ((4,), 1), ((6,), 0), ((6,), 1), ((4, 4), 1), ((4, 6), 1)]


@pytest.mark.parametrize("version", [4, 6])
def test_options_end_with_the_segment(version: int, tmp_path: Path) -> None:
    """An IP header around the segment says that it ends within its options; the frame has all their bytes."""

    def packet(tunnels: Sequence[int], lengths: dict[int, int], made: Datagram, rest: bytes) -> bytes:
        for depth, outer in zip(range(len(tunnels), 0, -1), reversed(tunnels), strict=True):
            made = wrapped(outer, shortened(made, lengths.get(depth, 0)))
        return framed(shortened(made, lengths.get(0, 0)), rest)

    packets: list[bytes] = []
    cuts: dict[int, int] = {}  # by frame of the reset
    for (tunnels, short), rest, cut in product(SHORT, (b"", REST), range(OPTIONS + 5)):
        port = 2000 + len(packets)
        packets.append(packet(tunnels, {}, segment(version, port, ACK, 1000), rest))
        packets.append(packet(tunnels, {short: cut}, segment(version, port, RST, 1003), rest))
        cuts[len(packets)] = cut
    rows = agreed(tmp_path / "short.pcap", packets)
    in_one_pass = run_plugin(tmp_path / "short.pcap", system_wireshark(), load(), ()).rows
    for frame, cut in cuts.items():
        for row in (rows[frame], in_one_pass[frame]) if cut <= OPTIONS else ():
            # The last four bytes of the option are the time that it echoes: Wireshark shows the other time without it.
            assert row.get("observed.ts_step") == ("3" if cut <= 4 else None), frame
            assert row["observed.ts_missing"] == ("no" if cut <= 4 else "yes"), frame


@pytest.mark.parametrize("rest", [b"", REST], ids=["alone", "with more bytes"])
@pytest.mark.parametrize("version", [4, 6])
def test_a_quote_ends_with_the_error(version: int, rest: bytes, tmp_path: Path) -> None:
    """Bytes after the datagram of an ICMP error are none of the packet that it quotes."""
    probe = bytes(segment(version, 2000, ACK, 1000))
    errors = []
    for size in range(65):
        if version == 4:
            quote = frames.icmp(3, 1, probe[:size])
            error = frames.ipv4(ROUTER, A, frames.ICMP, quote, ttl=60)
        else:
            quote = frames.icmp(1, 0, probe[:size])
            error = frames.ipv6(ROUTER6, A6, frames.ICMPV6, quote, hop_limit=60)
        errors.append(framed(error, (probe[size:] + REST) if rest else b""))
    rows = agreed(tmp_path / "quotes.pcap", [framed(segment(version, 2000, ACK, 1000)), *errors])
    with_hop_limit = [size for size in range(65) if rows[size + 2].get("quoted_hop_limit")]
    assert with_hop_limit == list(range(9 if version == 4 else 8, 65))


@pytest.mark.parametrize("far_s", [49 * 86400, 20 * 365 * 86400, -49 * 86400, -20 * 365 * 86400])
def test_packets_decades_from_the_others(far_s: int, tmp_path: Path) -> None:
    """Wireshark counts the time from the first frame in floating point: far away that is not exact."""
    records = []
    for number, packet in enumerate(Talk().packets((*OPEN, "> PA 100", "< PA 100", "> A", "> PA 100", "< R"))):
        data, far = bytes(packet), framed(segment(4, 3000 + number, RST, 5))
        time_ns = START_NS + number * 12_345_000
        records.append(Record(time_ns, data, len(data)))
        records.append(Record(time_ns + far_s * 10**9 + number * 333_333, far, len(far)))
    path = tmp_path / "far.pcap"
    path.write_bytes(frames.pcap(records, frames.ETHERNET, nanoseconds=True))
    found = compare(path, system_wireshark(), load())
    assert not found, listed(found)
    assert run_plugin(path, system_wireshark(), load()).rows[15]["rtt_us"] == "12345"


def test_a_segment_sent_twice_half_a_sequence_space_ahead(tmp_path: Path) -> None:
    """It moves the sender's numbers no further, so the second copy looks as new as the first."""
    far = 1150 + 2**31
    steps = [
        (A, B, 1199, 0, SYN, b""),
        (B, A, 4999, 1200, SYN | ACK, b""),
        (A, B, far, 5000, ACK, b"x" * 100),
        (A, B, far, 5000, ACK, b"x" * 100),
        (B, A, 5000, far + 100, ACK, b""),
        (B, A, 5000, 0, RST, b""),
    ]
    packets = []
    for source, target, seq, ack, flags, data in steps:
        ports = (40000, 80) if source == A else (80, 40000)
        segment_ = frames.tcp(*ports, seq, ack, flags, 500, b"", data)
        packets.append(framed(frames.ipv4(source, target, frames.TCP, segment_, ttl=60)))
    agreed(tmp_path / "far.pcap", packets, times_ms=(0, 30, 40, 41, 53, 60))
