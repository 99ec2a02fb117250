"""What is committed in plugins/ is what the generator writes today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook import load

PLUGIN = Path(__file__).parents[1] / "plugins" / PLUGIN_NAME
RENDER = """
from generator.render import render_plugin
from heuristics.rulebook import load
print(render_plugin(load()))
"""


def test_the_committed_plugin_is_the_generated_one() -> None:
    generated = render_plugin(load()).encode("utf-8")
    assert PLUGIN.read_bytes() == generated, "run `make plugin` and commit the result"


def test_the_generator_is_deterministic() -> None:
    """Sets and dicts keyed by hash come in another order in another process."""
    first, second = (
        subprocess.run(
            [sys.executable, "-c", RENDER],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
