"""What is committed in plugins/ is what the generator writes today."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import FORGED
from support.wiresharks import available

from generator.profile_files import generated_profile
from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import load

PLUGIN = Path(__file__).parents[2] / "plugins" / PLUGIN_NAME
RENDER = """
from generator.profile_files import generated_profile
from generator.render import render_plugin
from heuristics.rulebook.model import load
print(render_plugin(load()), generated_profile())
"""


def test_the_committed_plugin_is_the_generated_one() -> None:
    generated = render_plugin(load()).encode("utf-8")
    assert PLUGIN.read_bytes() == generated, "run `make plugin` and commit the result"


def test_the_committed_profile_is_the_generated_one() -> None:
    committed = {
        path.relative_to(PLUGIN.parent).as_posix(): path.read_bytes()
        for path in PLUGIN.parent.glob("profile/**/*")
        if path.is_file()
    }
    assert committed == generated_profile(), "run `make plugin` and commit the result"


def test_the_generator_is_deterministic() -> None:
    """Sets and dicts keyed by hash come in another order in another process."""
    first, second = (
        subprocess.run(
            [sys.executable, "-c", RENDER],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second


@pytest.mark.parametrize("compiler", ["luac5.2", "luac5.4"])
def test_a_rule_may_be_called_like_a_word_of_lua(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    overlay = tmp_path / "mine.toml"
    rule = '[[rule]]\nid = "{}"\ntitle = "t"\nwhen = "has_ack"\nweight = 1\nsay = "s"\nreference = "r"\n'
    overlay.write_text("".join(map(rule.format, ("end", "repeat", "local"))), encoding="utf-8")
    plugin = tmp_path / PLUGIN_NAME
    plugin.write_text(render_plugin(load(overlays=[overlay])), encoding="utf-8")
    subprocess.run([compiler, "-p", str(plugin)], check=True)


def test_a_second_copy_of_the_plugin_withdraws() -> None:
    wireshark = available()[0]
    result = wireshark.run("tshark", "-2", "-r", FORGED, "-Y", "rstorigin.verdict", scripts=[PLUGIN, PLUGIN])
    assert "another copy of this plugin is loaded already" in result.stderr
    assert len(result.stdout.splitlines()) == 3
