"""What the plugin costs in tshark: user CPU against tshark without it, and memory of its state. Prints a table.

    .venv/bin/python -m bench.plugin                     # 200,000 packets, 5 rounds
    .venv/bin/python -m bench.plugin --packets 50000 --rounds 3

Each round runs tshark without the plugin, with an empty post-dissector, and with the plugin, one after the other, so
that a busy machine slows all three alike; ratios are those of the round, and the median of the rounds is shown. State
is what Lua holds after a full collection, above what it holds before the first packet.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.traffic import write
from generator.render import PLUGIN_NAME

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "plugins" / PLUGIN_NAME
MIXES = (("few resets", 1), ("a reset in every flow", 100))  # percent of the flows that end in a reset
EMPTY = 'local empty = Proto("empty", "Empty")\nfunction empty.dissector() end\nregister_postdissector(empty)\n'

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
  local flows, judged = 0, 0
  for _ in pairs(sides) do flows = flows + 1 end
  for _ in pairs(resets) do judged = judged + 1 end
  local bytes = (collectgarbage("count") - before) * 1024
  io.stderr:write(string.format("state %d bytes %d flows %d resets\\n", math.floor(bytes), flows / 2, judged))
end
"""


@dataclass(frozen=True)
class State:
    """What the plugin holds at the end of a capture."""

    bytes: int
    flows: int
    resets: int


def user_seconds(capture: Path, *options: str) -> float:
    """User CPU of one tshark over `capture`."""
    with subprocess.Popen(
        ["tshark", *options, "-r", str(capture)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"tshark {' '.join(options)} failed with status {run.returncode}")
    return usage.ru_utime


def state_of(capture: Path, script: Path) -> State:
    """The plugin's state after `capture`, by the measuring copy of the plugin in `script`."""
    result = subprocess.run(
        ["tshark", "-q", "-X", f"lua_script:{script}", "-r", str(capture)], capture_output=True, text=True, check=True
    )
    found = re.search(r"^state (\d+) bytes (\d+) flows (\d+) resets$", result.stderr, re.MULTILINE)
    if found is None:
        raise SystemExit(f"the plugin did not tell its state: {result.stderr}")
    return State(*map(int, found.groups()))


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    version = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    print(f"{version}; {arguments.packets:,} packets, medians of {arguments.rounds} rounds\n")
    print("| traffic | tshark | empty post-dissector | plugin | flows | resets | state per flow | state in all |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rstorigin-bench-") as folder:
        empty, measuring = Path(folder) / "empty.lua", Path(folder) / "measuring.lua"
        empty.write_text(EMPTY, encoding="utf-8")
        measuring.write_text(PLUGIN.read_text(encoding="utf-8") + MEASURE, encoding="utf-8")
        for name, percent in MIXES:
            capture = Path(folder) / "traffic.pcap"
            write(capture, arguments.packets, percent)
            rounds = [
                [user_seconds(capture, *script) for script in ((), script_option(empty), script_option(PLUGIN))]
                for _ in range(arguments.rounds)
            ]
            plain = statistics.median(times[0] for times in rounds)
            ratios = [statistics.median(times[index] / times[0] for times in rounds) for index in (1, 2)]
            state = state_of(capture, measuring)
            costs = f"{plain:.2f} s | {ratios[0]:.2f} x | {ratios[1]:.2f} x"
            held = f"{state.bytes / state.flows:,.0f} bytes | {state.bytes / 2**20:.1f} MiB"
            print(f"| {name} | {costs} | {state.flows:,} | {state.resets:,} | {held} |", flush=True)


def script_option(script: Path) -> tuple[str, str]:
    """The option that loads a Lua script."""
    return "-X", f"lua_script:{script}"


if __name__ == "__main__":
    main()
