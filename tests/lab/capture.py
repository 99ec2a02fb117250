"""Captures: taken with the kernel's own time stamps, kept as lists of frames, written as pcap."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .sandbox import Node
from .wire import tap

SO_TIMESTAMPNS = 35
PACKET_OUTGOING = 4
NANOSECONDS = 1_000_000_000
PCAP_MICROSECONDS = 0xA1B2C3D4  # draft-ietf-opsawg-pcap section 4
SNAP_LENGTH = 262_144
ETHERNET = 1


@dataclass(frozen=True)
class Frame:
    """One frame as an interface saw it. `time` is in nanoseconds since 1970."""

    time: int
    data: bytes
    outgoing: bool


class Taps:
    """Captures on several interfaces at once, each under a name of its own, from `start` to `stop`."""

    def __init__(self, interfaces: dict[str, tuple[Node, str]]) -> None:
        """Open the taps: name to node and interface."""
        self._names: dict[socket.socket, str] = {}
        self._frames: dict[str, list[Frame]] = {}
        for name, (node, interface) in interfaces.items():
            self.add(name, node, interface)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def add(self, name: str, node: Node, interface: str) -> None:
        """Open one more, also while the others run."""
        tapped = tap(node, interface, outgoing=True)
        tapped.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tapped.setblocking(False)
        self._frames[name] = []
        self._names[tapped] = name

    def _read(self) -> None:
        while True:
            ending = self._ending.is_set()
            ready = select.select(list(self._names), [], [], 0.05)[0]
            for tapped in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        data, ancillary, _, address = tapped.recvmsg(SNAP_LENGTH, 128)
                        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
                        at = seconds * NANOSECONDS + nanoseconds
                        self._frames[self._names[tapped]].append(Frame(at, data, address[2] == PACKET_OUTGOING))
            if ending and not ready:
                return

    def stop(self) -> dict[str, list[Frame]]:
        """End the captures; returns what each saw."""
        time.sleep(0.02)
        self._ending.set()
        self._thread.join()
        for tapped in self._names:
            tapped.close()
        return self._frames


def write_pcap(path: Path, frames: Sequence[Frame]) -> None:
    """Write frames as a classic pcap file with microseconds."""
    parts = [struct.pack("<IHHiIII", PCAP_MICROSECONDS, 2, 4, 0, 0, SNAP_LENGTH, ETHERNET)]
    for frame in frames:
        seconds, nanoseconds = divmod(frame.time, NANOSECONDS)
        parts.append(struct.pack("<IIII", seconds, nanoseconds // 1000, len(frame.data), len(frame.data)) + frame.data)
    path.write_bytes(b"".join(parts))


def read_pcap(path: Path) -> list[Frame]:
    """Read what `write_pcap` wrote; which frames were outgoing is not in the file."""
    data = path.read_bytes()
    frames, at = [], 24
    while at < len(data):
        seconds, microseconds, length, _ = struct.unpack_from("<IIII", data, at)
        time_ns = seconds * NANOSECONDS + microseconds * 1000
        frames.append(Frame(time_ns, data[at + 16 : at + 16 + length], outgoing=False))
        at += 16 + length
    return frames
