"""Public captures, not part of this repository: where they are on this machine, if they are."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "RSTORIGIN_SHARED"
_BESIDE = Path(__file__).parents[2] / "shared"  # beside the repository's folder


def captures_of_others() -> Path:
    """The folder of captures that are no part of this repository; it may not exist.

    It is `captures` in the folder that the variable RSTORIGIN_SHARED names.
    """
    return Path(os.environ.get(VARIABLE) or _BESIDE) / "captures"


def folder() -> Path:
    """The folder of the public captures and of expected.csv, the table of verdicts to accept; it may not exist."""
    return captures_of_others() / "real"


def missing() -> str:
    """Why programs that read the public captures skip them; empty where the captures are there."""
    table = folder() / "expected.csv"
    return "" if table.is_file() else f"public captures, not part of this repository: no {table} ({VARIABLE})"
