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
