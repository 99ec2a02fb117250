"""How much memory and time one run takes against the size of what it reads: what grows, and what does not.

    .venv/bin/python -m bench.load                 # all kinds, at sizes that take some minutes
    .venv/bin/python -m bench.load flows 1000000   # one kind, of one size

Prints a Markdown table: CPU seconds and peak memory of the largest process. CPU time hardly depends on what else the
machine does; elapsed time does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from postproc.capture.file_format import pcap_header

Bytes = npt.NDArray[np.uint8]
_SYN, _ACK, _RST, _SYN_ACK, _RST_ACK, _PUSH = 0x02, 0x10, 0x04, 0x12, 0x14, 0x18
_RECORD, _ETHERNET, _IP, _TCP = 16, 14, 20, 20
_FRAME = _ETHERNET + _IP + _TCP
_QUOTED = 28  # bytes that an ICMP error repeats
_START_S = 1_700_000_000
_AT_ONCE = 200_000  # packets made at a time
_CLIENT, _SERVER = 0xC0000201, 0xCB007101  # 192.0.2.1, 203.0.113.1
_TSHARK = ["--tshark-timeout", "0"]


def _put(table: Bytes, at: int, values: object, form: str) -> None:
    """Write a number into all rows of `table`, big-endian unless `form` says otherwise."""
    column = np.broadcast_to(np.asarray(values), len(table)).astype(form)
    table[:, at : at + column.itemsize] = column.view(np.uint8).reshape(len(table), -1)


def _records(numbers: npt.NDArray[np.int64], length: int) -> Bytes:
    """Empty records of `length` bytes, a tenth of a millisecond after one another, with the Ethernet and IP headers."""
    table = np.zeros((len(numbers), _RECORD + length), np.uint8)
    _put(table, 0, _START_S + numbers // 10_000, "<u4")
    _put(table, 4, numbers % 10_000 * 100, "<u4")
    _put(table, 8, length, "<u4")
    _put(table, 12, length, "<u4")
    table[:, _RECORD : _RECORD + _ETHERNET] = np.frombuffer(b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", np.uint8)
    ip = _RECORD + _ETHERNET
    table[:, ip] = 0x45
    _put(table, ip + 2, length - _ETHERNET, ">u2")
    _put(table, ip + 4, numbers % 65536, ">u2")
    return table


def _segments(
    numbers: object, ends: tuple[object, object, object, object], flags: int, more: tuple[object, int]
) -> bytes:
    """TCP segments: source, source port, destination, destination port; `more` is sequence number and hop limit."""
    source, sport, destination, dport = ends
    seq, hop_limit = more
    table = _records(np.asarray(numbers, np.int64), _FRAME)
    ip, tcp = _RECORD + _ETHERNET, _RECORD + _ETHERNET + _IP
    table[:, ip + 8], table[:, ip + 9] = hop_limit, 6
    for at, value, form in (
        (ip + 12, source, ">u4"),
        (ip + 16, destination, ">u4"),
        (tcp, sport, ">u2"),
        (tcp + 2, dport, ">u2"),
    ):
        _put(table, at, value, form)
    _put(table, tcp + 4, seq, ">u4")
    _put(table, tcp + 8, 1, ">u4")
    table[:, tcp + 12], table[:, tcp + 13] = 0x50, flags
    return table.tobytes()


def flows(count: int) -> Iterator[bytes]:
    """So many connections, each SYN, SYN-ACK, ACK and a reset by the server."""
    for first in range(0, count, _AT_ONCE // 4):
        index = np.arange(first, min(first + _AT_ONCE // 4, count), dtype=np.int64)
        client, port = _CLIENT + index // 60_000, 1024 + index % 60_000
        there, back = (client, port, _SERVER, 80), (_SERVER, 80, client, port)
        parts = [
            _segments(index * 4, there, _SYN, (1000, 60)),
            _segments(index * 4 + 1, back, _SYN_ACK, (5000, 55)),
            _segments(index * 4 + 2, there, _ACK, (1001, 60)),
            _segments(index * 4 + 3, back, _RST_ACK, (5001, 55)),
        ]
        size = _RECORD + _FRAME
        mixed = np.stack([np.frombuffer(part, np.uint8).reshape(-1, size) for part in parts], axis=1)
        yield mixed.tobytes()


def one_flow(count: int) -> Iterator[bytes]:
    """So many resets in one connection."""
    yield _segments([0], (_CLIENT, 4000, _SERVER, 80), _SYN, (1000, 60))
    yield _segments([1], (_SERVER, 80, _CLIENT, 4000), _SYN_ACK, (5000, 55))
    for first in range(0, count, _AT_ONCE):
        index = np.arange(first, min(first + _AT_ONCE, count), dtype=np.int64)
        yield _segments(index + 2, (_SERVER, 80, _CLIENT, 4000), _RST, (5001 + index % 7, 55))


def hosts(count: int) -> Iterator[bytes]:
    """So many hosts, each of which sends a SYN; every tenth is answered by a reset."""
    for first in range(0, count, _AT_ONCE):
        index = np.arange(first, min(first + _AT_ONCE, count), dtype=np.int64)
        yield _segments(index * 2, (0x0A000000 + index, 4000, _SERVER, 80), _SYN, (1000, 60))
        tenth = index[index % 10 == 0]
        yield _segments(tenth * 2 + 1, (_SERVER, 80, 0x0A000000 + tenth, 4000), _RST_ACK, (0, 55))


def icmp(count: int) -> Iterator[bytes]:
    """So many ICMP errors (port unreachable), which quote 28 bytes of a UDP packet."""
    length = _ETHERNET + _IP + 8 + _QUOTED
    for first in range(0, count, _AT_ONCE):
        index = np.arange(first, min(first + _AT_ONCE, count), dtype=np.int64)
        table = _records(index, length)
        ip, quoted = _RECORD + _ETHERNET, _RECORD + _ETHERNET + _IP + 8
        table[:, ip + 8], table[:, ip + 9] = 55, 1
        _put(table, ip + 12, _SERVER + index % 50, ">u4")
        _put(table, ip + 16, _CLIENT, ">u4")
        table[:, ip + _IP], table[:, ip + _IP + 1] = 3, 3
        table[:, quoted] = 0x45
        _put(table, quoted + 2, _QUOTED, ">u2")
        table[:, quoted + 8], table[:, quoted + 9] = 50, 17
        _put(table, quoted + 12, _CLIENT, ">u4")
        _put(table, quoted + 16, _SERVER + index % 50, ">u4")
        _put(table, quoted + 20, 1024 + index % 60_000, ">u2")
        _put(table, quoted + 22, 33_434, ">u2")
        yield table.tobytes()


def traffic(megabytes: int) -> Iterator[bytes]:
    """So many MB of connections in which data flows, and no reset."""
    count = megabytes * 1_000_000 // (_RECORD + _FRAME)
    for first in range(0, count, _AT_ONCE):
        index = np.arange(first, min(first + _AT_ONCE, count), dtype=np.int64)
        yield _segments(index, (_CLIENT, 1024 + index % 500, _SERVER, 443), _PUSH, (1000 + index % 2**31, 60))


def stream(seconds: int) -> Iterator[bytes]:
    """So many seconds of traffic, as a pipe delivers it: 2 connections a second, one in ten of which is reset."""
    for first in range(0, seconds * 2, _AT_ONCE // 4):
        index = np.arange(first, min(first + _AT_ONCE // 4, seconds * 2), dtype=np.int64)
        port, clock = 1024 + index % 60_000, index * 5_000  # tenths of a millisecond
        there, back = (_CLIENT, port, _SERVER, 80), (_SERVER, 80, _CLIENT, port)
        parts = [
            _segments(clock, there, _SYN, (1000, 60)),
            _segments(clock + 100, back, _SYN_ACK, (5000, 55)),
            _segments(clock + 200, there, _ACK, (1001, 60)),
        ]
        size = _RECORD + _FRAME
        yield np.stack([np.frombuffer(part, np.uint8).reshape(-1, size) for part in parts], axis=1).tobytes()
        tenth = index % 10 == 0
        ends = (_SERVER, 80, _CLIENT, port[tenth])
        yield _segments(clock[tenth] + 300, ends, _RST_ACK, (5001, 55))


KINDS: dict[str, tuple[Callable[[int], Iterator[bytes]], str, Sequence[int]]] = {
    "flows": (flows, "connections, each with a reset", (10_000, 100_000)),
    "one-flow": (one_flow, "resets in one connection", (10_000, 100_000)),
    "hosts": (hosts, "hosts, a tenth of which are reset", (10_000, 100_000)),
    "icmp": (icmp, "ICMP errors", (10_000, 50_000)),
    "traffic": (traffic, "MB without a reset", (100, 1_000)),
    "stream": (stream, "seconds of a stream from stdin", (3_600, 36_000)),
    "captures": (flows, "captures of 10 resets each", (100, 500)),
}


def make(kind: str, size: int, folder: Path) -> Path:
    """The input: a capture, or for "captures" a folder of them."""
    head = pcap_header(link_type=1)
    if kind == "captures":
        content = head + b"".join(flows(10))
        for number in range(size):
            (folder / f"{number:05}.pcap").write_bytes(content)
        return folder
    path = folder / "load.pcap"
    with path.open("wb") as file:
        file.write(head)
        file.writelines(KINDS[kind][0](size))
    return path


def measured(path: Path, *, piped: bool = False) -> tuple[float, float, float]:
    """CPU seconds of all processes, MB of the largest, and elapsed seconds of `summarize PATH`, or of `summarize -`."""
    command = [
        sys.executable,
        "-m",
        "postproc",
        "summarize",
        "-" if piped else str(path),
        "--format",
        "csv",
        "-o",
        os.devnull,
        "--no-cache",
    ]
    began = time.monotonic()
    with path.open("rb") if piped else nullcontext(subprocess.DEVNULL) as content:
        process = subprocess.Popen([*command, *_TSHARK], stdin=content, stderr=subprocess.PIPE)
    assert process.stderr is not None  # it is a pipe
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(messages.decode("utf-8", "replace"))
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, time.monotonic() - began


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="?", choices=KINDS)
    parser.add_argument("size", nargs="?", type=int)
    arguments = parser.parse_args()
    print("| input | CPU | memory | elapsed |\n|---|---|---|---|")
    for kind in [arguments.kind] if arguments.kind else KINDS:
        _, what, sizes = KINDS[kind]
        for size in [arguments.size] if arguments.size else sizes:
            with tempfile.TemporaryDirectory() as folder:
                cpu_s, memory_mb, elapsed_s = measured(make(kind, size, Path(folder)), piped=kind == "stream")
            print(f"| {size:,} {what} | {cpu_s:.1f} s | {memory_mb:,.0f} MB | {elapsed_s:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
