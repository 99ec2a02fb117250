"""How fast one capture is judged, beside other programs on the same capture; each of them in turn, several times.

usage: python -m bench.speed.read [--packets N] [--rounds N] [--memory]

Processor time (user and system) of each program and what it starts, held to one core: the median of the rounds (what is
marked "once" runs in the first) and its ratio to `tshark -T fields` of the same fields, written to /dev/null. tcptrace
is run where it is installed; pyshark and scapy read two short captures, and what the longer takes more is extrapolated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

from bench.speed.large_capture import make_capture
from postproc.capture.tshark.fields_export import command
from postproc.capture.tshark.program import find_tshark

_FEW = 200  # conversations with a reset
_SLICE = 2_000  # packets that pyshark and scapy read, and a few of them
_START = 100
_US = [sys.executable, "-c", "from postproc.__main__ import main; main()"]
_PYSHARK = """
import sys, pyshark
capture = pyshark.FileCapture(sys.argv[1], display_filter="ip", keep_packets=False)
hops = {}
for packet in capture:
    if "TCP" in packet:
        hops.setdefault((packet.ip.src, packet.tcp.flags), set()).add(packet.ip.ttl)
capture.close()
"""
_SCAPY = """
import sys
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader
hops = {}
for packet in PcapReader(sys.argv[1]):
    if TCP in packet:
        hops.setdefault((packet[IP].src, int(packet[TCP].flags)), set()).add(packet[IP].ttl)
"""


@dataclass(frozen=True)
class Program:
    """What is measured: a command over a capture. With `start`, a command over less, the difference counts `times`.

    What is slow and only there to be compared with is run `once`, in the first round.
    """

    name: str
    command: list[str]
    start: list[str] | None = None
    times: float = 1.0
    once: bool = False
    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Once, on the core that we are held to; notes processor seconds and the most memory (bytes)."""
        seconds, peak = self._measured(self.command)
        if self.start is not None:
            seconds -= self._measured(self.start)[0]
        self.seconds.append(seconds * self.times)
        self.peaks.append(peak)

    def _measured(self, command: list[str]) -> tuple[float, int]:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{self.name} ended with status {child.returncode}: {' '.join(command)}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024

    @property
    def median(self) -> float:
        """Processor seconds for the whole capture."""
        return statistics.median(self.seconds)


def main() -> None:
    """Make the captures, run everything in turn, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="memory only: at --packets and at ten times as many")
    options = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="rstorigin-bench-", dir="/var/tmp") as folder:
        if options.memory:
            memory(Path(folder), options.packets)
            return
        for resets, title in ((_FEW, f"{_FEW} conversations with a reset"), (None, "a reset in every conversation")):
            speed(Path(folder), options.packets, resets, options.rounds, title)


def speed(folder: Path, packets: int, resets: int | None, rounds: int, title: str) -> None:
    """The table for one capture."""
    capture, parts = folder / "capture.pcap", (folder / "part.pcap", folder / "start.pcap")
    count = make_capture(capture, packets, resets)
    long, short = (make_capture(part, size, resets) for part, size in zip(parts, (_SLICE, _START), strict=True))
    programs = _programs(capture, parts, count / (long - short))
    for number in range(rounds):
        for program in programs:
            if number == 0 or not program.once:
                program.run()
    base = programs[0].median
    rows = [(each.name + ", once" * each.once, f"{each.median:.2f}", f"{each.median / base:.3f}") for each in programs]
    print(f"\n{count:,} packets, {title}: median of {rounds}\n")
    print(tabulate(rows, ["program", "processor s", "of tshark -T fields"], tablefmt="github", disable_numparse=True))


def _programs(capture: Path, parts: Sequence[Path], times: float) -> list[Program]:
    ours = [*_US, "summarize", "--no-cache", "-j", "1", "--format", "csv"]
    programs = [
        Program("tshark -T fields", command(capture, find_tshark())),
        Program("rstorigin summarize", [*ours, str(capture)]),
        Program("rstorigin summarize --no-prefilter", [*ours, "--no-prefilter", str(capture)], once=True),
        _extrapolated("scapy", _SCAPY, parts, times),
        _extrapolated("pyshark", _PYSHARK, parts, times),
    ]
    if shutil.which("tcptrace"):
        programs.append(Program("tcptrace", ["tcptrace", "-n", str(capture)]))
    return programs


def _extrapolated(name: str, code: str, parts: Sequence[Path], times: float) -> Program:
    long, short = ([sys.executable, "-c", code, str(part)] for part in parts)
    return Program(f"{name}, extrapolated", long, short, times, once=True)


def memory(folder: Path, packets: int) -> None:
    """Peak memory by number of packets; captures have a short snap length, to spare the disk."""
    rows = []
    for count in (packets, 10 * packets):
        capture = folder / "capture.pcap"
        made = make_capture(capture, count, _FEW, snap=96)
        ours = Program("rstorigin", [*_US, "summarize", "--no-cache", "-j", "1", "--format", "csv", str(capture)])
        theirs = Program("tshark", command(capture, find_tshark()))
        for program in (ours, theirs):
            program.run()
        rows.append((f"{made:,}", _megabytes(ours.peaks), _megabytes(theirs.peaks), f"{ours.median:.1f}"))
    print(tabulate(rows, ["packets", "rstorigin, MB", "tshark -T fields, MB", "rstorigin, s"], tablefmt="github"))


def _megabytes(peaks: Sequence[int]) -> str:
    return f"{max(peaks) / 1e6:.0f}"


if __name__ == "__main__":
    main()
