"""The command `rstorigin`. One module for each subcommand."""

from __future__ import annotations

from typing import Annotated

import typer

from postproc import tshark
from postproc.cli import explain, export, plugin, reconcile, rules, summarize
from postproc.cli.messages import TellingGroup

app = typer.Typer(
    name="rstorigin",
    cls=TellingGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show what is in a capture
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(summarize.summarize)
app.command()(reconcile.reconcile)
app.command()(explain.explain)
app.command()(export.export)
app.add_typer(plugin.app)
app.add_typer(rules.app)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and rarely asked for

    try:
        ours = version("rstorigin")
    except PackageNotFoundError:  # run from the source tree
        ours = "(not installed)"
    typer.echo(f"rstorigin {ours}\n{tshark.described()}")
    raise typer.Exit


@app.callback()
def rstorigin(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the versions of rstorigin and tshark."
        ),
    ] = False,
) -> None:
    """Who really sent that TCP reset? Tells forged resets from genuine ones in packet captures."""
