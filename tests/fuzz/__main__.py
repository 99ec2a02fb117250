"""`python -m fuzz --seconds N [--seed S] [--only NAME]`: fuzz everything for so long. Exit status 1: findings.

Each finding is kept in a file of its own, whose path is printed. `python -m fuzz --input FILE --only NAME` tries it
again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random

from fuzz.differential import check_one, disagreements
from fuzz.mutate import mutated
from fuzz.targets import TARGETS

DIFFERENTIAL = "differential"
_GUIDED_LEAST_S = 20  # to load all that libFuzzer looks at takes some seconds
_TAIL = 4000  # characters of libFuzzer's output that are shown


def main() -> int:
    """Run what the arguments ask for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--only", choices=[DIFFERENTIAL, *TARGETS])
    parser.add_argument("--input", type=Path, help="only try this file")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="the folder for findings")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    if arguments.input:
        return _again(arguments.input, arguments.only or DIFFERENTIAL)
    print(f"fuzz: seed {arguments.seed}, {arguments.seconds:g} s", flush=True)
    names = [arguments.only] if arguments.only else [DIFFERENTIAL, *TARGETS]
    shares = {name: len(TARGETS) if name == DIFFERENTIAL else 1 for name in names}  # half of the time for all others
    findings = 0
    for name in names:
        seconds = arguments.seconds * shares[name] / sum(shares.values())
        if name == DIFFERENTIAL:
            findings += _differential(arguments.seed, seconds, arguments.keep)
        else:
            findings += _target(name, arguments.seed, seconds, arguments.keep)
    return int(findings > 0)


def _differential(seed: int, seconds: float, keep: Path) -> int:
    tried = findings = 0
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < ends:
            path, found = check_one(Random(f"{seed}-{tried}"), Path(folder), tried)
            tried += 1
            if found:
                findings += 1
                _report(DIFFERENTIAL, path.read_bytes(), "\n".join(found), keep)
    print(f"fuzz: {DIFFERENTIAL}: {tried:,} captures, {findings} findings", flush=True)
    return findings


def _target(name: str, seed: int, seconds: float, keep: Path) -> int:
    if find_spec("atheris") and seconds >= _GUIDED_LEAST_S:
        return _guided(name, [f"-max_total_time={int(seconds)}", f"-seed={seed}"], keep)
    tried = findings = 0
    target, random = TARGETS[name], Random(seed)
    target.read(target.seeds()[0])  # what is made once does not count
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        content = mutated(target.seeds(), random)
        tried += 1
        try:
            target.read(content)
        except Exception:
            findings += 1
            _report(name, content, traceback.format_exc(), keep)
    print(f"fuzz: {name}: {tried:,} inputs, {findings} findings", flush=True)
    return findings


def _guided(name: str, options: Sequence[str], keep: Path) -> int:
    """Run a target under libFuzzer, in a process of its own. A finding ends it."""
    command = [sys.executable, "-m", "fuzz.guided", name, str(keep), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    tried = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    if done.returncode:
        print(f"FOUND by {name}, see the last lines:\n{done.stdout[-_TAIL:]}")
    print(f"fuzz: {name}: {int(tried[1]) if tried else 0:,} inputs, {int(done.returncode != 0)} findings", flush=True)
    return int(done.returncode != 0)


def _again(path: Path, name: str) -> int:
    if name == DIFFERENTIAL:
        found = list(disagreements(path, engines=True))
        print("\n".join(found) or "nothing differs")
        return int(bool(found))
    TARGETS[name].read(path.read_bytes())
    return 0


def _report(name: str, content: bytes, what: str, keep: Path) -> None:
    path = keep / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    print(f"FOUND {path}\n{what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
