"""How long a case folder takes: two captures on two cores, 200 small captures, and the same case once more.

usage: python -m bench.speed.case [--runs 5]

Every figure is the median of that many runs, in one go; captures are made by a seeded generator in a temporary folder.
Each run is the command itself, start-up included. Two captures are also judged one after the other (`-j 1`), as the
ratio is what a second core gains. The cache is left out of the first two measurements.
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap
from tabulate import tabulate

_SMALL, _FLOWS_SMALL = 200, 20
_TILES = 2174  # of _FLOWS_SMALL flows, in a large capture: a million packets
_CLIENT = bytes([192, 0, 2, 1])
_PCAP_HEADER, _RECORD_HEADER = 24, 16
_STEPS = ("> S", "< SA", "> A", *("> PA", "< PA", "> A") * 6)


def flow(random: Random, number: int, *, reset: bool) -> list[Packet]:
    """One conversation of 21 to 24 packets; with a reset it ends with one."""
    port, seqs = 1024 + number % 60_000, {">": random.randrange(2**32), "<": random.randrange(2**32)}
    client, server = f"192.0.2.{1 + number // 60_000}", f"203.0.113.{1 + number % 200}"
    made: list[Packet] = []
    steps = (*_STEPS, "< R") if reset else (*_STEPS, "> FA", "< FA", "> A")
    for step, (way, flags) in enumerate(each.split() for each in steps):
        source, target, ports = (client, server, (port, 80)) if way == ">" else (server, client, (80, port))
        other = "<" if way == ">" else ">"
        ip = IP(src=source, dst=target, ttl=64 if way == ">" else 55, id=random.randrange(2**16))
        tcp = TCP(sport=ports[0], dport=ports[1], flags=flags, seq=seqs[way], ack=seqs[other] if "A" in flags else 0)
        size = 200 if "P" in flags else 0
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / ip / tcp / Raw(b"x" * size)
        packet.time = 1_700_000_000 + number * 0.002 + step * 0.01
        seqs[way] = (seqs[way] + size + ("S" in flags) + ("F" in flags)) % 2**32
        made.append(packet)
    return made


def written(path: Path, flows: int, random: Random, *, every: int) -> bytes:
    """A pcap of that many flows, each `every`-th with a reset; 0: none."""
    made = [packet for n in range(flows) for packet in flow(random, n, reset=every > 0 and n % every == 0)]
    wrpcap(str(path), sorted(made, key=lambda packet: packet.time))
    content = path.read_bytes()
    path.unlink()
    return content


def small_case(folder: Path, captures: int, random: Random) -> Path:
    """Small captures, every fourth of them with resets, each of another client."""
    folder.mkdir()
    quiet, lively = (written(folder / "a", _FLOWS_SMALL, random, every=every) for every in (0, 5))
    for number in range(captures):
        content = (quiet if number % 4 else lively).replace(_CLIENT, bytes([192, 0, 2, 1 + number]))
        (folder / f"{number:03}.pcap").write_bytes(content)
    return folder


def two_captures(folder: Path, random: Random) -> Path:
    """Two larger captures in which every flow has a reset: the same flows again and again, by other clients, later."""
    folder.mkdir()
    content = written(folder / "a", _FLOWS_SMALL, random, every=1)
    whole = content[:_PCAP_HEADER] + b"".join(
        _later(content[_PCAP_HEADER:].replace(_CLIENT, bytes([192, 0, 2 + n // 250, 1 + n % 250])), 2 * n)
        for n in range(_TILES)
    )
    for name in ("one", "two"):
        (folder / f"{name}.pcap").write_bytes(whole)
    return folder


def _later(records: bytes, seconds: int) -> bytes:
    """pcap records with times that many seconds later."""
    moved, at = bytearray(records), 0
    while at < len(moved):
        began, _, length, _ = struct.unpack_from("<IIII", moved, at)
        struct.pack_into("<I", moved, at, began + seconds)
        at += _RECORD_HEADER + length
    return bytes(moved)


def taken_s(case: Path, *options: str) -> float:
    """Wall-clock seconds of `rstorigin summarize CASE OPTIONS`."""
    command = [
        sys.executable,
        "-c",
        "from postproc.__main__ import main; main()",
        "summarize",
        str(case),
        *options,
    ]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = range(parser.parse_args().runs)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    with tempfile.TemporaryDirectory(prefix="rstorigin-bench-") as place:
        random = Random(1)
        two, many = two_captures(Path(place) / "two", random), small_case(Path(place) / "many", _SMALL, random)
        alone, together, first, again = [], [], [], []
        for _ in runs:  # interleaved: what else the machine does falls on all alike
            alone.append(taken_s(two, "--no-cache", "--no-reconcile", "-j", "1"))
            together.append(taken_s(two, "--no-cache", "--no-reconcile", "-j", "2"))
            shutil.rmtree(many / ".rstorigin", ignore_errors=True)
            first.append(taken_s(many))
            again.append(taken_s(many))
    load = os.getloadavg()[0]
    rows = [
        ("two captures, one after the other (-j 1)", f"{median(alone):.2f} s", ""),
        ("the same, two at once (-j 2)", f"{median(together):.2f} s", f"{median(alone) / median(together):.2f} x"),
        (
            f"{_SMALL} small captures, a quarter with resets",
            f"{median(first):.2f} s",
            f"{_SMALL / median(first):.0f}/s",
        ),
        ("the same case again, unchanged", f"{median(again):.2f} s", f"{median(first) / median(again):.0f} x"),
    ]
    print(tabulate(rows, ("what", "median", "ratio or rate"), tablefmt="pipe", disable_numparse=True))
    print(f"\n{os.cpu_count()} cores; load average {load:.1f} at the end")


if __name__ == "__main__":
    main()
