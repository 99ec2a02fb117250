"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from heuristics.rulebook.model import Rulebook


class TableFormat(StrEnum):
    """How a table is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"


class SummaryFormat(StrEnum):
    """How a summary is written: as TableFormat, or as rows for the log pipelines of others."""

    TABLE = "table"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    ECS = "ecs"
    ZEEK = "zeek"


RulebookOption = Annotated[
    Path | None,
    typer.Option(
        "--rulebook", metavar="FILE", help="Your rulebook. Its entries go over those of the default rulebook."
    ),
]

PathsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Captures, exports, and folders and zip archives that hold them. URLs of them work too. `-` is stdin.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout.")
]
LocalOption = Annotated[
    bool, typer.Option("--local/--utc", help="Show times in the time zone of this machine, or in UTC.")
]
WideOption = Annotated[
    bool, typer.Option("--wide", help="Do not fit tables to the width of the terminal, and cut no names.")
]
JobsOption = Annotated[
    int,
    typer.Option("--jobs", "-j", min=0, metavar="N", help="How many captures to read at once. 0: as many as useful."),
]
DecodeAsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--decode-as",
        "-d",
        metavar="RULE",
        help="Have Wireshark decode LAYER==VALUE as PROTOCOL, as tshark -d: udp.port==9000,vxlan. May be repeated.",
    ),
]
CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache", help="Store the results of a case folder in CASE/.rstorigin, and use those stored there."
    ),
]
CacheDirOption = Annotated[
    Path | None, typer.Option("--cache-dir", metavar="DIR", help="Store them in this folder, not in the case folder.")
]
TsharkTimeoutOption = Annotated[
    float,
    typer.Option(
        "--tshark-timeout",
        min=0,
        metavar="SECONDS",
        help="End a tshark that prints nothing for so long. 0: wait for ever.",
    ),
]


LogFormatOption = Annotated[
    str | None,
    typer.Option("--log-format", metavar="NAME|FILE", help="The log's format, or a column map (TOML) of your own."),
]
LogTimezoneOption = Annotated[
    str, typer.Option("--log-timezone", metavar="ZONE", help="The time zone of times that name none.")
]


def load_rules(rulebook: Path | None) -> Rulebook:
    """The default rulebook, with the rulebook of the user over it if there is one. Raises RulebookError."""
    from heuristics.rulebook.model import load  # slow to import: help and completion need no rules

    return load(overlays=() if rulebook is None else (rulebook,))
