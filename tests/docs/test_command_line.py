"""The chapters on the command line name what the command line has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from postproc.cli import exit_status
from postproc.cli.app import app
from postproc.runtime.signals import INTERRUPTED, TERMINATED

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
_GROUP: Any = typer.main.get_command(app)


def options_of(command: Any) -> set[str]:
    """Every long option of a command."""
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts) if name.startswith("--")}


@pytest.mark.parametrize("command", ["summarize", "explain", "reconcile", "export"])
def test_every_option_stands_in_some_chapter(command: str) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    parameters = _GROUP.get_command(typer.Context(_GROUP), command).params
    options = [[*each.opts, *each.secondary_opts] for each in parameters if each.opts[0].startswith("-")]
    assert [names for names in options if not any(re.search(rf"[^\w-]{name}\b", pages) for name in names)] == []


def test_the_chapters_name_no_option_that_does_not_exist() -> None:
    known = {"--help"} | options_of(_GROUP)
    for name in _GROUP.list_commands(typer.Context(_GROUP)):
        command = _GROUP.get_command(typer.Context(_GROUP), name)
        below = [command.get_command(typer.Context(command), each) for each in getattr(command, "commands", ())]
        known |= {option for each in (command, *below) for option in options_of(each)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", COMMAND_LINE)) - known == set()


def test_every_exit_status_stands_in_the_table() -> None:
    ours = [value for name, value in vars(exit_status).items() if name.isupper()]
    for status in (0, *ours):
        assert f"| {status} | " in COMMAND_LINE
    assert f"| {INTERRUPTED}, {TERMINATED} | " in COMMAND_LINE


def test_the_chapters_call_the_program_by_its_name() -> None:
    """README.md has one line that says how to have it on the PATH."""
    assert sum(page.read_text(encoding="utf-8").count(".venv/bin/rstorigin") for page in PAGES) == 0
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("export PATH=") == 1
