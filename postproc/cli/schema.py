"""`rstorigin schema`: the JSON Schemas of what programs read and write."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from postproc.cli.messages import write_result
from postproc.cli.options import OutputOption
from postproc.report.schemas import row_schema, rulebook_schema, summary_schema


class Subject(StrEnum):
    """What a schema describes."""

    SUMMARY = "summary"
    ROWS = "rows"
    RULEBOOK = "rulebook"


_SCHEMAS: dict[Subject, Callable[[], dict[str, Any]]] = {
    Subject.SUMMARY: summary_schema,
    Subject.ROWS: row_schema,
    Subject.RULEBOOK: rulebook_schema,
}


def schema(
    subject: Annotated[
        Subject,
        typer.Argument(
            metavar="[SUBJECT]",
            help="summary: the document of --format json; rows: a line of jsonl; rulebook: a rulebook, for editors.",
        ),
    ] = Subject.SUMMARY,
    out: OutputOption = None,
) -> None:
    """Print a JSON Schema: of the result, of its rows, or of a rulebook."""
    write_result(json.dumps(_SCHEMAS[subject](), indent=2), out)
