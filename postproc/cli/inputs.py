"""Inputs as commands take them: one that may be a file, stdin, a pipe, a URL or a member of a zip archive."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORT_TYPES
from postproc.capture.local_copy import local_copy
from postproc.case.run import inputs_at
from postproc.cli.exit_status import WRONG_USAGE
from postproc.cli.messages import print_problems
from postproc.cli.progress import TerminalMonitor
from postproc.runtime.errors import CaptureError

_SHOWN = 3  # captures of an archive that a message names


def one_input(ctx: typer.Context, name: str) -> Source:
    """The input as a file on this machine, until the command ends. Raises CaptureError."""
    found = ctx.with_resource(inputs_at([name], TerminalMonitor()))
    if not found.files:
        print_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    if len(found.files) > 1:
        some = ", ".join([source.name for source in found.files[:_SHOWN]] + ["..."] * (len(found.files) > _SHOWN))
        raise CaptureError(name, f"holds {len(found.files)} captures", f"name one of them: {some}")
    return ctx.with_resource(local_copy(found.files[0]))


def paths_to_explain(sources: Sequence[Source]) -> dict[str, str]:
    """The paths of the captures that rstorigin explain can read, by their names in rows. Stdin cannot be read twice."""
    return {
        source.name: f"./{source.label}" if source.label.startswith("-") else source.label
        for source in sources
        if source.url is None and source.given is None and source.file_type not in EXPORT_TYPES
    }
