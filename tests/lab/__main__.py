"""The laboratory's command: python -m tests.lab --seed N --out DIR [--scenario NAME ...] [--list]."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import sandbox
from .firewall_log import make_firewall_log
from .lab import Lab, SkippedError
from .rewrap import compress, rewrap_some
from .scenarios import load
from .situations import TABLE, by_hand, situation_lab, write_table
from .topology import Topology, plan
from .weberblog import make_example


def main() -> int:
    """Run the command; returns its exit status."""
    scenarios = load()
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Captures whose truth is measured.")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one random path each (default: 1)")
    parser.add_argument("--out", type=Path, help="folder for the captures; with several seeds, seed-N below it")
    parser.add_argument("--scenario", nargs="+", metavar="NAME", choices=sorted(scenarios), help="default: all")
    parser.add_argument(
        "--rewrapped",
        type=int,
        default=2,
        metavar="N",
        help="captures to repeat mirrored, tagged and tunnelled (default: 2 each)",
    )
    parser.add_argument("--gzip", action="store_true", help="compress the captures")
    parser.add_argument("--example", action="store_true", help="the captures of examples/who-sends-tcp-rsts instead")
    parser.add_argument("--firewall-log", action="store_true", help="the files of examples/firewall-log instead")
    parser.add_argument("--situations", action="store_true", help="the captures of tests/captures/situations instead")
    parser.add_argument("--list", action="store_true", help="name the scenarios and what they do")
    arguments = parser.parse_args()
    if arguments.list:
        for scenario in scenarios.values():
            print(f"{scenario.name:24} {scenario.about}")
        return 0
    if arguments.out is None:
        parser.error("--out DIR says where to write")
    if not sandbox.inside():
        if reason := sandbox.why_not():
            print(f"the laboratory cannot run here: {reason}", file=sys.stderr)
            return 77
        return sandbox.enter(sys.argv[1:])
    sandbox.prepare()
    failed = 0
    if arguments.example:
        make_example(arguments.out)
        return 0
    if arguments.firewall_log:
        make_firewall_log(arguments.out)
        return 0
    if arguments.situations:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_table(arguments.out / TABLE, [*by_hand.make(arguments.out), *situation_lab.make(arguments.out)])
        return 0
    for seed in arguments.seed:
        out = arguments.out / f"seed-{seed}" if len(arguments.seed) > 1 else arguments.out
        failed += run(seed, out, arguments.scenario or list(scenarios))
        rewrap_some(out, seed, arguments.rewrapped)
        if arguments.gzip:
            compress(out)
    return 1 if failed else 0


def run(seed: int, out: Path, names: list[str]) -> int:
    """Run scenarios on a seed's path; returns how many failed."""
    scenarios, decided, failed = load(), plan(seed), 0
    out.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}: {decided.routers} routers, {decided.one_way * 1000:.1f} ms one-way ({decided.profile}), "
          f"device r{decided.device}, hop limits {decided.hop_limits}", flush=True)  # fmt: skip
    with Topology(decided) as topology:
        for name in names:
            scenario, began = scenarios[name], time.monotonic()
            try:
                with Lab(topology, name, scenario.about, out, scenario.device(decided)) as lab:
                    scenario.run(lab)
            except SkippedError as reason:
                print(f"seed {seed}: {name} skipped: {reason}", flush=True)
            except (OSError, RuntimeError) as error:
                failed += 1
                print(f"seed {seed}: {name} FAILED: {error}", file=sys.stderr, flush=True)
            else:
                print(f"seed {seed}: {name} {time.monotonic() - began:.1f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
