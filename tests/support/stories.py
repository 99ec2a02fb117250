"""Runs `rstorigin explain` in tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from support.command_line import run

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "first-five-minutes"


def program(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, as a shell runs it, with every warning that Python knows."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", "from postproc.__main__ import main; main()", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def story(*arguments: str | Path) -> dict[str, Any]:
    """The story as JSON."""
    content: dict[str, Any] = json.loads(told("explain", *arguments, "--format", "json"))
    return content


@cache
def told(*arguments: str | Path) -> str:
    """What a command prints, told once."""
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def fields(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The lines of the comparison by field."""
    return {line["field"]: line for line in content["comparison"]["lines"]}
