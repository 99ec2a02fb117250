"""The man page and the completions are what the program is now, and man and bash take them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from postproc.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "share" / "man" / "man1" / "rstorigin.1"
BASH = ROOT / "share" / "bash-completion" / "completions" / "rstorigin"
COMPLETED = """
source "$1"
COMP_WORDS=(rstorigin "${@:2}")
COMP_CWORD=$(( $# - 1 ))
_rstorigin_completion rstorigin
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("command_line_files", ROOT / "scripts" / "command_line_files.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_program_is_now() -> None:
    """`make docs` writes them."""
    made = script().files()
    assert {path: (ROOT / "share" / path).read_text(encoding="utf-8") for path in made} == made
    there = {str(path.relative_to(ROOT / "share")) for path in (ROOT / "share").rglob("*") if path.is_file()}
    assert there == set(made)


def test_the_wheel_installs_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"] == {"share": "share"}


def test_the_man_page_has_every_command_and_option() -> None:
    text = re.sub(r"\\", "", PAGE.read_text(encoding="utf-8"))
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="rstorigin")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = [command.get_command(context, each) for each in getattr(command, "commands", ())] or [command]
        for each in below:
            words = f"rstorigin {name}" if each is command else f"rstorigin {name} {each.name}"
            _, _, rest = text.partition(f'.SS "{words} ')
            part = rest.partition("\n.SS")[0]
            assert part, words
            for parameter in each.params:
                assert parameter.param_type_name == "argument" or parameter.opts[0] in part, (words, parameter.name)


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_man_takes_the_page_without_a_warning() -> None:
    command = ["groff", "-man", "-ww", "-rLL=78n", "-Tutf8", str(PAGE)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert "rstorigin summarize [OPTIONS]" in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", result.stdout)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("summ",), {"summarize"}),
        (("rules", "l"), {"list"}),
        (("summarize", "--fail"), {"--fail-on"}),
        (("summarize", "--format", "z"), {"zeek"}),
    ],
)
def test_bash_completes(words: tuple[str, ...], expected: set[str]) -> None:
    folder = Path(sys.executable).parent
    if not (folder / "rstorigin").exists():
        pytest.skip("rstorigin is not installed beside this Python")
    result = subprocess.run(
        ["bash", "-c", COMPLETED, "bash", str(BASH), *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert set(result.stdout.split()) == expected
