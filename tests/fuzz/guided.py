"""One target under libFuzzer, by atheris: it keeps inputs that reach new code, and changes those further.

Started by `python -m fuzz`, as libFuzzer ends the process: `python -m fuzz.guided TARGET FOLDER [libFuzzer's options]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main() -> None:
    """Run libFuzzer on the target that the first argument names."""
    name, keep, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["heuristics", "postproc"]):
        from fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = Path(keep) / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    longest = max(len(seed) for seed in target.seeds()) * 2
    flags = ["-rss_limit_mb=4096", "-timeout=60", f"-max_len={longest}", "-print_final_stats=1"]
    atheris.Setup([name, str(corpus), f"-artifact_prefix={keep}/{name}-", *flags, *options], target.read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
