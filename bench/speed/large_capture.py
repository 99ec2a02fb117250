"""Captures of any size for benchmarks, the same for the same seed: TCP conversations of some 30 packets over Ethernet.

A thousand conversations at a time, each with a handshake, requests and answers with timestamps, and at the end FINs or,
in those chosen, a reset by the server. Servers are 200, clients 5000, at 3 to 20 hops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postproc.capture.file_format import pcap_header

_TOGETHER = 1000  # conversations that overlap
_SYN, _ACK, _PUSH, _FIN, _RST = 0x02, 0x10, 0x18, 0x11, 0x14
_EXCHANGES = 7
# From the client?, flags, bytes of payload; the answer is three segments.
_EXCHANGE = ((True, _PUSH, 220), (False, _ACK, 1200), (False, _ACK, 1200), (False, _PUSH, 180))
_START = ((True, _SYN, 0), (False, _SYN | _ACK, 0), (True, _ACK, 0))
_END = ((True, _FIN, 0), (False, _FIN, 0), (True, _ACK, 0))
_STEPS = (*_START, *(_EXCHANGE * _EXCHANGES), *_END)  # 34 packets
_HEADERS, _SERVERS, _CLIENTS = 66, 200, 5000
_STEP_US = 15_000


def make_capture(path: Path, packets: int, resets: int | None, seed: int = 1, snap: int = 262_144) -> int:
    """Write a capture of about `packets` packets; `resets` conversations end in one (None: all). Returns how many are.

    `snap` bytes of each packet are captured.
    """
    random = np.random.default_rng(seed)
    flows = max(packets // len(_STEPS), 1)
    reset = np.zeros(flows, np.bool_)
    reset[random.permutation(flows)[: flows if resets is None else resets]] = True
    written = 0
    with path.open("wb") as file:
        file.write(pcap_header(1, snap))
        for first in range(0, flows, _TOGETHER):
            group = _Group(random, np.arange(first, min(first + _TOGETHER, flows)), reset, snap)
            for step in range(len(_STEPS)):
                records = group.step(step)
                file.write(records.tobytes())
                written += len(records)
    return written


class _Group:
    """Conversations that run side by side, packet by packet."""

    def __init__(
        self, random: np.random.Generator, flows: npt.NDArray[np.int64], reset: npt.NDArray[np.bool_], snap: int
    ) -> None:
        self.flows, self.reset, self.snap = flows, reset[flows], snap
        count = len(flows)
        self.client, self.server = random.integers(0, _CLIENTS, count), random.integers(0, _SERVERS, count)
        self.port = 32_768 + flows % 28_000
        self.seq = {True: random.integers(0, 2**31, count), False: random.integers(0, 2**31, count)}
        self.ids = {True: random.integers(0, 2**15, count), False: random.integers(0, 2**15, count)}
        self.start_us = 1_700_000_000_000_000 + int(flows[0]) // _TOGETHER * len(_STEPS) * _STEP_US

    def step(self, step: int) -> npt.NDArray[Any]:
        """The packets that all conversations send next, as records of a pcap file."""
        of_client, flags, size = _STEPS[step]
        resetting = self.reset if step == len(_STEPS) - 2 else np.zeros(len(self.flows), np.bool_)
        silent = self.reset if step == len(_STEPS) - 1 else np.zeros(len(self.flows), np.bool_)
        record = np.zeros(len(self.flows), _record(min(_HEADERS + size, self.snap)))
        time_us = self.start_us + step * _STEP_US + np.arange(len(self.flows))
        record["seconds"], record["us"] = time_us // 1_000_000, time_us % 1_000_000
        record["captured"], record["length"] = min(_HEADERS + size, self.snap), _HEADERS + size
        record["to"], record["from"], record["type"] = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", 0x0800
        record["version"], record["total"], record["protocol"] = 0x45, 52 + size, 6
        record["id"], record["fragment"] = self.ids[of_client] % 65536, 0x4000
        client, server = (10 << 24) + self.client, (203 << 24) + (113 << 8) + self.server
        record["src"], record["dst"] = (client, server) if of_client else (server, client)
        record["ttl"] = 64 - 3 - (self.client if of_client else self.server) % 17
        record["sport"], record["dport"] = (self.port, 443) if of_client else (443, self.port)
        record["seq"], record["ack"] = self.seq[of_client] % 2**32, self.seq[not of_client] % 2**32
        record["flags"] = 0x8000 | np.where(resetting, _RST, flags)
        record["window"], record["options"] = np.where(resetting, 0, 501), 0x0101080A
        record["tsval"] = time_us // 1000 % 2**32
        self.ids[of_client] += 1
        self.seq[of_client] += size + (flags & _SYN != 0) + (flags & 1)
        chosen: npt.NDArray[Any] = record[~silent]
        return chosen


def _record(captured: int) -> np.dtype[Any]:
    return np.dtype(
        [
            *(("seconds", "<u4"), ("us", "<u4"), ("captured", "<u4"), ("length", "<u4")),
            *(("to", "S6"), ("from", "S6"), ("type", ">u2")),
            *(("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2")),
            *(("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")),
            *(("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("flags", ">u2")),
            *(("window", ">u2"), ("sum", ">u2"), ("urgent", ">u2")),
            *(("options", ">u4"), ("tsval", ">u4"), ("tsecr", ">u4"), ("payload", "u1", (captured - _HEADERS,))),
        ]
    )
