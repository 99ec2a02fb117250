"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.rulebook.model import Rulebook, load


class Format(StrEnum):
    """How a table is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"


RulebookOption = Annotated[
    Path | None,
    typer.Option("--rulebook", metavar="FILE", help="Your own rulebook, laid over the one that comes with rstorigin."),
]

PathsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Captures, exports, and case folders that hold some at any depth; URLs of them too."
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write, instead of stdout.")
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", min=0, metavar="N", help="Captures read at once; 0: as many as are worth it.")
]
CacheOption = Annotated[
    bool, typer.Option("--cache/--no-cache", help="Keep results in CASE/.rstorigin, and use those kept there.")
]


def load_rules(rulebook: Path | None) -> Rulebook:
    """The default rulebook with the user's laid over it, if any. Raises RulebookError."""
    return load(overlays=() if rulebook is None else (rulebook,))
