"""`rstorigin export`: write the header fields of a capture that resets are judged by."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from postproc.capture.prefilter.packet_count import packets_in
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.fields_export import check_capture, print_command, write_parquet, write_tsv
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, find_tshark
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.inputs import one_input
from postproc.cli.messages import print_problems
from postproc.cli.options import DecodeAsOption, OutputOption, TsharkTimeoutOption
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import UsageError


class ExportFormat(StrEnum):
    """How an export is written."""

    TSV = "tsv"
    PARQUET = "parquet"


def export(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="The capture, of any type that tshark reads. `-` is stdin.")
    ],
    out: OutputOption = None,
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="tsv: what `tshark -T fields` prints; parquet: needs -o.")
    ] = ExportFormat.TSV,
    only_command: Annotated[
        bool, typer.Option("--print-command", help="Only print the tshark command, for a machine without rstorigin.")
    ] = False,
    decode_as: DecodeAsOption = None,
    tshark_timeout: TsharkTimeoutOption = DEFAULT_TIMEOUT_S,
) -> None:
    """Write the header fields that resets are judged by. `rstorigin summarize` reads exports like captures.

    An export holds addresses, ports and header fields. Of payload, it holds only the text that a reset may carry.
    """
    if only_command:
        typer.echo(print_command(Path(name), decode_as or ()))
        return
    if format_ is ExportFormat.PARQUET and out is None:
        raise UsageError("Parquet cannot be printed to a terminal: name a file with -o")
    source = one_input(ctx, name)
    capture = source.path
    check_capture(capture)
    found = replace(with_decode_as(find_tshark(), decode_as or ()), timeout_s=tshark_timeout)
    expected = packets_in(capture)
    if out is None:
        problems = write_tsv(capture, found, sys.stdout.buffer, expected)
    else:
        write = write_parquet if format_ is ExportFormat.PARQUET else write_tsv
        with whole_file(out, [Path(name), capture]) as file:
            problems = write(capture, found, file, expected)
    print_problems(source.labelled(problems))
    if problems:
        raise typer.Exit(SOME_FAILED)
