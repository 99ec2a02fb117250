"""`rstorigin export`: the header fields that resets are judged by, out of a capture."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from postproc.capture.tshark.fields_export import check_capture, print_command, write_parquet, write_tsv
from postproc.capture.tshark.program import find_tshark
from postproc.cli.messages import SOME_FAILED, tell_problems
from postproc.cli.options import OutputOption
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import UsageError


class Format(StrEnum):
    """How an export is written."""

    TSV = "tsv"
    PARQUET = "parquet"


def export(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="The capture: whatever tshark reads.")],
    out: OutputOption = None,
    format_: Annotated[
        Format, typer.Option("--format", help="tsv as `tshark -T fields` prints it; parquet needs -o.")
    ] = Format.TSV,
    only_command: Annotated[
        bool, typer.Option("--print-command", help="Only show the tshark command, for use where there is no rstorigin.")
    ] = False,
) -> None:
    """Write the header fields that resets are judged by. `rstorigin summarize` reads exports like captures.

    An export holds addresses, ports and header fields, but no payload apart from the text that a reset may carry.
    """
    if only_command:
        typer.echo(print_command(capture))
        return
    if format_ is Format.PARQUET and out is None:
        raise UsageError("Parquet is not for a terminal: name a file with -o")
    check_capture(capture)
    found = find_tshark()
    if out is None:
        problems = write_tsv(capture, found, sys.stdout.buffer)
    else:
        write = write_parquet if format_ is Format.PARQUET else write_tsv
        with whole_file(out, [capture]) as file:
            problems = write(capture, found, file)
    tell_problems(problems)
    if problems:
        raise typer.Exit(SOME_FAILED)
