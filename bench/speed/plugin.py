"""What the plugin costs in tshark: user CPU against tshark without it, and memory of its state. Prints a table.

    .venv/bin/python -m bench.speed.plugin                     # 200,000 packets, 5 rounds
    .venv/bin/python -m bench.speed.plugin --packets 50000 --rounds 3

Each round runs tshark without the plugin, with an empty post-dissector, with one that names the fields which the plugin
reads and takes number, time and headers of each frame (the least that any such plugin costs), and with the plugin, one
after the other, so that a busy machine slows all alike; ratios are those of the round, and the median of the rounds is
shown. "handed over" is the plugin with verdicts that `rstorigin open` wrote, "open" the same with the judging.

State is what Lua holds after a full collection, above what it holds before the first packet. Part of it is the
same in every capture (what is in use), so what one more flow costs is measured against a capture three times as long.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.speed.traffic import packets, write
from generator.render import PLUGIN_NAME, VERDICT_VARIABLE

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / PLUGIN_NAME
ADDRESSES_AND_PORTS = slice(26, 38)  # of the frames that bench.speed.traffic makes
FURTHER = 3  # times as long is the capture that tells what one more flow costs
MIXES = (("few resets", 1), ("a reset in every flow", 100))  # percent of the flows that end in a reset
EMPTY = 'local empty = Proto("empty", "Empty")\nfunction empty.dissector() end\nregister_postdissector(empty)\n'
READS = """
local reads = Proto("reads", "Reads")
local captured_len, raw = Tvb.len, Tvb.raw
function reads.dissector(tvb, pinfo)
  local captured, number, time_s = captured_len(tvb), pinfo.number, pinfo.rel_ts
  local headers = raw(tvb, 0, captured < 120 and captured or 120)
end
register_postdissector(reads)
"""

# Put at the end of the plugin, in the scope of its state.
MEASURE = """
local before = 0
function rstorigin.init()
  reset_state()
  collectgarbage() collectgarbage()
  before = collectgarbage("count")
end
local measure = Listener.new()
function measure.draw()
  collectgarbage() collectgarbage()
  local bytes = (collectgarbage("count") - before) * 1024
  io.stderr:write(string.format("state %d bytes\\n", math.floor(bytes)))
end
"""


@dataclass(frozen=True)
class State:
    """What the plugin holds at the end of a capture of some packets."""

    bytes: int
    flows: int


def user_seconds(capture: Path, *options: str, verdicts: Path | None = None) -> float:
    """User CPU of one tshark over `capture`. The plugin takes `verdicts` over, if there are some."""
    handed = {VERDICT_VARIABLE: str(verdicts)} if verdicts else {}
    return _user_seconds(["tshark", *options, "-r", str(capture)], {**os.environ, **handed})


def _user_seconds(command: list[str], environment: dict[str, str]) -> float:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as run:
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {run.returncode}")
    return usage.ru_utime


def judging_seconds(folder: Path, capture: Path) -> float:
    """User CPU of judging `capture`, and of writing the verdicts for the plugin, on one core."""
    # As an ordinary user or not: only the file of verdicts is of interest.
    program = "import sys; from postproc.capture.tshark import program; program.is_root = lambda: False; "
    program += "from postproc.__main__ import main; sys.argv[0] = 'rstorigin'; main()"
    words = ["open", "--print", "--tshark", "--no-cache", "-j", "1", str(capture)]
    return _user_seconds([sys.executable, "-c", program, *words], {**os.environ, "XDG_CACHE_HOME": str(folder)})


def state_of(folder: Path, number: int, percent: int) -> State:
    """The plugin's state after the first packets of a mix, by a copy of the plugin that measures."""
    script, capture = folder / "measuring.lua", folder / "state.pcap"
    script.write_text(PLUGIN.read_text(encoding="utf-8") + MEASURE, encoding="utf-8")
    write(capture, number, percent)
    result = subprocess.run(
        ["tshark", "-q", "-X", f"lua_script:{script}", "-r", str(capture)], capture_output=True, text=True, check=True
    )
    found = re.search(r"^state (\d+) bytes$", result.stderr, re.MULTILINE)
    if found is None:
        raise SystemExit(f"the plugin did not report its state: {result.stderr}")
    return State(int(found[1]), flows(number, percent))


def flows(number: int, percent: int) -> int:
    """The flows among the first packets of a mix."""
    ends = {frame[ADDRESSES_AND_PORTS] for _, frame in islice(packets(percent), number)}
    return len({min(each, each[4:8] + each[:4] + each[10:] + each[8:10]) for each in ends})


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    version = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    print(f"{version}; {arguments.packets:,} packets, medians of {arguments.rounds} rounds\n")
    print("| traffic | tshark | empty post-dissector | one that reads | plugin | handed over | open ", end="")
    print("| flows | state in all | per flow more |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rstorigin-bench-") as name:
        folder = Path(name)
        for mix, percent in MIXES:
            costs = cost_of(folder, arguments.packets, percent, arguments.rounds)
            fewer, state = (state_of(folder, arguments.packets * times, percent) for times in (1, FURTHER))
            slope = (state.bytes - fewer.bytes) / (state.flows - fewer.flows)
            held = f"{fewer.flows:,} | {fewer.bytes / 2**20:.1f} MiB | {slope:,.0f} bytes"
            print(f"| {mix} | {costs} | {held} |", flush=True)


def cost_of(folder: Path, number: int, percent: int, rounds: int) -> str:
    """User CPU without the plugin, and what an empty post-dissector, one that reads, and the plugin make of it."""
    empty, reads, capture = folder / "empty.lua", folder / "reads.lua", folder / "traffic.pcap"
    empty.write_text(EMPTY, encoding="utf-8")
    table = PLUGIN.read_text(encoding="utf-8").partition("local FIELDS = {")[2].partition("}")[0]
    fields = [f"Field.new({name})" for name in re.findall(r'"[^"]+"', table)]
    reads.write_text(f"local fields = {{ {', '.join(fields)} }}\n{READS}", encoding="utf-8")
    write(capture, number, percent)
    scripts = (empty, reads, PLUGIN)
    times = []
    for _ in range(rounds):
        plain = user_seconds(capture)
        judging = judging_seconds(folder, capture)
        verdicts = next((folder / "rstorigin" / "verdicts").iterdir())
        handed = user_seconds(capture, "-X", f"lua_script:{PLUGIN}", verdicts=verdicts)
        costs = [user_seconds(capture, "-X", f"lua_script:{script}") for script in scripts]
        times.append((plain, *(cost / plain for cost in (*costs, handed, handed + judging))))
    seconds, *ratios = map(statistics.median, zip(*times, strict=True))
    return " | ".join([f"{seconds:.2f} s", *(f"{ratio:.2f} x" for ratio in ratios)])


if __name__ == "__main__":
    main()
