"""What is committed in plugins/ is what the generator writes today."""

from __future__ import annotations

from pathlib import Path

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook import load

PLUGIN = Path(__file__).parents[1] / "plugins" / PLUGIN_NAME


def test_the_committed_plugin_is_the_generated_one() -> None:
    generated = render_plugin(load()).encode("utf-8")
    assert PLUGIN.read_bytes() == generated, "run `make plugin` and commit the result"


def test_the_generator_is_deterministic() -> None:
    assert render_plugin(load()) == render_plugin(load())
