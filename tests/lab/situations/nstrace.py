"""Writes a trace as a NetScaler does: nstrace 3.5, as far as Wireshark's wiretap/netscaler.c reads it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from ..capture import Frame

TITLE = b"Netscaler V35 Performance Data\nNetScaler: made by hand\0"
SIGNATURE, SENT, RECEIVED = 0x01, 0xAD, 0xAF  # record types; the last two are TXB and NEW_RX
HEADER = 35  # bytes before the frame in a packet record
VLAN = 1


def write_nstrace(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as one page of a trace, times in nanoseconds; what is outgoing was received by the NetScaler."""
    records = [_record(SIGNATURE, TITLE)]
    for frame in frames:
        direction = RECEIVED if frame.outgoing else SENT
        length = len(frame.data)
        fields = (0, frame.time, 0, 0, length, 0, HEADER, 0, 0, 0, VLAN)  # core, time, connections, lengths, flags
        records.append(_record(direction, struct.pack("<BQIIHIHBBIB", *fields) + frame.data))
    path.write_bytes(b"".join(records))


def _record(kind: int, body: bytes) -> bytes:
    """A record: its type, its size with seven bits in the first byte, its body."""
    size = 3 + len(body)
    return struct.pack("BBB", kind, size & 0x7F | (0x80 if size > 0x7F else 0), size >> 7) + body
