"""`about.json`, by which a folder with tables of ours is known: replaced by the next ones, never read as a case."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from postproc.runtime.errors import OutputError

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


def check_folder(folder: Path, inputs: Collection[Path], *, force: bool) -> None:
    """Raises OutputError where `tables.write_tables` would not replace what is there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(str(folder), "is not a folder", "choose another place with --out")
    place = folder.resolve()
    spared = [path.resolve() for path in inputs]
    if any(place == path or place in path.parents for path in [*spared, Path.cwd()]):
        raise OutputError(str(folder), "holds an input or is where you are", "choose another place with --out")
    present = {path.name for path in folder.iterdir()}
    if not force and present and not (present <= FILES and is_about_us(folder)):
        raise OutputError(
            str(folder), "holds other files than tables of ours", "choose another, or --force removes them"
        )
