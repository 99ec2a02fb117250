"""What is committed in plugins/ is what the generator writes today."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import FORGED, LAB
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


def test_the_plugin_has_no_rule_that_never_holds_in_wireshark() -> None:
    plugin, rulebook = render_plugin(load()), load()
    left_out = {rule.id for rule in rulebook.rules if f'id = "{rule.id}"' not in plugin}
    assert left_out == {rule.id for rule in rulebook.case_rules} | {
        *("never_left", "left_sender", "kernel_sent", "kernel_never_sent")
    }
    assert "o.case_" not in plugin
    assert "o.left_sender" not in plugin
    assert "o.kernel_sent" not in plugin


@pytest.mark.parametrize("compiler", ["luac5.2", "luac5.4"])
def test_a_definition_may_be_called_like_a_word_of_lua(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    overlay = tmp_path / "mine.toml"
    definition = '[define.{0}]\nmeaning = "m"\nis = "hop_gap"\n[icmp_define.{0}]\nmeaning = "m"\nis = "icmp_type"\n'
    words = ("end", "repeat", "local")
    entry = """
[[{0}]]
id = "mine"
title = "t"
when = ["end > 1", "repeat < local and end + 1 > {1}"]
weight = 1
say = "{{end}} {{local}}"
reference = "r"
"""
    icmp = entry.format("icmp", "icmp_code").replace('title = "t"', 'origin = "router"\nverdict = "unclear"')
    content = [*map(definition.format, words), entry.format("rule", "idle_us"), icmp.replace("weight", "suspicion")]
    overlay.write_text("".join(content), encoding="utf-8")
    plugin = tmp_path / PLUGIN_NAME
    plugin.write_text(render_plugin(load(overlays=[overlay])), encoding="utf-8")
    subprocess.run([compiler, "-p", str(plugin)], check=True)


def test_a_display_filter_may_name_a_rule_by_its_old_id() -> None:
    capture = LAB / "03_reject_midstream_r1.server.pcap"
    frames = [
        available()[0]
        .tshark(
            "-2",
            "-r",
            capture,
            "-Y",
            f"rstorigin.evidence.{id_}",
            "-T",
            "fields",
            "-e",
            "frame.number",
            plugins=[PLUGIN],
        )
        .stdout.split()
        for id_ in ("hop_gap_one_bare", "hop_gap_one_bare_ipv6")
    ]
    assert frames[0]
    assert frames[0] == frames[1]


def test_a_second_copy_of_the_plugin_withdraws() -> None:
    wireshark = available()[0]
    result = wireshark.run("tshark", "-2", "-r", FORGED, "-Y", "rstorigin.verdict", scripts=[PLUGIN, PLUGIN])
    assert "another copy of this plugin is loaded already" in result.stderr
    assert len(result.stdout.splitlines()) == 3
