"""Links with a delay, in user space: frames that enter one end leave the other one some time later, in order.

The kernel's netem would do, but many kernels (those of small virtual machines above all) are built without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import os
import random
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .sandbox import Node

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23  # linux/if_packet.h
PR_SET_PDEATHSIG = 1
SO_RCVBUFFORCE = 33
BUFFER = 16 << 20  # bytes


@dataclass(frozen=True)
class Wire:
    """Two interfaces of the wires' node that one delayed link joins. Delay and jitter are one-way, in seconds."""

    ends: tuple[str, str]
    delay: float
    jitter: float


def tap(node: Node, interface: str, *, outgoing: bool) -> socket.socket:
    """Open a socket that sees the frames of an interface: those that arrive, and if `outgoing` those that leave."""
    tapped = node.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with contextlib.suppress(PermissionError):  # more than the usual limit needs rights outside a user namespace
        tapped.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    if not outgoing:
        tapped.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    with node.entered():
        tapped.bind((interface, ETH_P_ALL))
    return tapped


def run_wires(node: Node, wires: Sequence[Wire], seed: int) -> int:
    """Start the process that carries the frames; returns its id. It ends with the one that started it."""
    process = os.fork()
    if process:
        return process
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.nice(-15)
        _carry(node, wires, random.Random(seed))
    finally:
        os._exit(1)


def _carry(node: Node, wires: Sequence[Wire], rng: random.Random) -> None:
    way: dict[socket.socket, tuple[socket.socket, Wire]] = {}
    for wire in wires:
        first, second = (tap(node, end, outgoing=False) for end in wire.ends)
        first.setblocking(False)
        second.setblocking(False)
        way[first], way[second] = (second, wire), (first, wire)
    latest = dict.fromkeys(way, 0.0)  # when the last frame of each direction is due: frames never overtake
    due: list[tuple[float, int, socket.socket, bytes]] = []
    count = 0
    while True:
        wait = None if not due else max(0.0, due[0][0] - time.monotonic())
        for source in select.select(list(way), [], [], wait)[0]:
            target, wire = way[source]
            with contextlib.suppress(BlockingIOError):
                while True:
                    frame = source.recv(1 << 16)
                    at = time.monotonic() + wire.delay + rng.expovariate(1.0) * wire.jitter
                    latest[source] = at = max(at, latest[source])
                    count += 1
                    heapq.heappush(due, (at, count, target, frame))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, target, frame = heapq.heappop(due)
            with contextlib.suppress(OSError):
                target.send(frame)
