"""`about.json` marks a folder with our output tables: --out may replace it, and it is never read as a case."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from postproc.runtime.errors import OutputError

ABOUT = "about.json"
TABLES = ("resets", "flows", "hosts", "captures")
FORMATS = ("parquet", "csv")
OUTPUT_FILES = {ABOUT, *(f"{table}.{form}" for table in TABLES for form in FORMATS)}


def holds_our_tables(folder: Path) -> bool:
    """Whether the folder is marked as one with our tables."""
    try:
        return "rstorigin" in json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def check_folder(folder: Path, inputs: Collection[Path], *, force: bool) -> None:
    """Raises OutputError where `tables.write_tables` would not replace the folder. `force` allows foreign files."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(str(folder), "is not a folder", "choose another place with --out")
    target = folder.resolve()
    protected = [*(path.resolve() for path in inputs), Path.cwd()]
    if any(target == path or target in path.parents for path in protected):
        raise OutputError(str(folder), "holds an input or is where you are", "choose another place with --out")
    present = {path.name for path in folder.iterdir()}
    if not force and present and not (present <= OUTPUT_FILES and holds_our_tables(folder)):
        raise OutputError(
            str(folder), "holds other files than tables of ours", "choose another, or --force removes them"
        )
