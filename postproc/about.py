"""`about.json`, by which a folder with tables of ours is known: replaced by the next ones, never read as a case."""

from __future__ import annotations

import json
from pathlib import Path

ABOUT = "about.json"
TABLES = ("resets", "flows", "hosts", "captures")
FORMATS = ("parquet", "csv")
FILES = {ABOUT, *(f"{table}.{form}" for table in TABLES for form in FORMATS)}


def is_about_us(folder: Path) -> bool:
    """Whether the folder says that it holds tables of ours."""
    try:
        return "rstorigin" in json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False
