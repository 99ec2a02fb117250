"""The command line starts fast: what is slow to import is imported only where it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = ("polars", "numpy", "rich", "distributed", "pyshark")


@pytest.mark.parametrize("command", ["app", "summarize", "reconcile", "plugin", "rules"])
def test_a_command_loads_nothing_slow(command: str) -> None:
    """A run over a case that has not changed needs none of them."""
    script = f"import sys; import postproc.cli.{command}; print(*sorted(set(sys.modules) & {set(SLOW)}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_a_kept_rulebook_is_not_checked_anew() -> None:
    """Neither the tables of a rulebook's files nor what judges captures is loaded to list the rules."""
    script = (
        "import sys; sys.argv[1:] = ['rules', 'list']; from postproc.cli.app import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        "print(*(each for each in sys.modules if each in ('heuristics.rulebook.schema', 'postproc.case.run')))"
    )
    run = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in range(2)]
    assert run[1].stdout.splitlines()[:-1] == run[0].stdout.splitlines()[:-1]
    assert run[1].stdout.splitlines()[-1] == ""


def test_subcommands_are_completed_without_their_modules() -> None:
    script = (
        "import sys; from postproc.cli.app import app; import typer; group = typer.main.get_command(app)\n"
        "context = group.make_context('rstorigin', [], resilient_parsing=True)\n"
        "found = [item.value for item in group.shell_complete(context, 's')]\n"
        "print(*found, *(each for each in sys.modules if each in ('postproc.cli.summarize', 'postproc.cli.schema')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["summarize", "schema"]
