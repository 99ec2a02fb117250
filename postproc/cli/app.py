"""The command `rstorigin`. One module for each subcommand, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer

from postproc.capture.tshark.program import describe_tshark
from postproc.cli.messages import TellingGroup
from postproc.runtime.signals import ending_in_order

# What each does, in a few words. Its module has a function of its name, or an `app` with commands of its own.
_COMMANDS = {
    "summarize": "Judge every TCP reset and ICMP error: who sent it?",
    "reconcile": "Compare captures from both ends: which resets never left?",
    "explain": "Tell the story of one TCP reset, with its evidence.",
    "export": "Write the header fields that resets are judged by.",
    "plugin": "The Wireshark plugin and profile.",
    "rules": "Show and check the rules that resets are judged by.",
}


class LazyGroup(TellingGroup):
    """The subcommands. Importing all of them takes longer than telling of a case that has not changed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        return [*_COMMANDS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Their part of the help."""
        with formatter.section("Commands"):
            formatter.write_dl([*_COMMANDS.items()])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, None where there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"postproc.cli.{cmd_name}")
        if hasattr(module, "app"):
            return typer.main.get_group(module.app)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_show_locals=False)
        alone.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(alone)


app = typer.Typer(
    name="rstorigin",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show what is in a capture
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and rarely asked for

    try:
        ours = version("rstorigin")
    except PackageNotFoundError:  # run from the source tree
        ours = "(not installed)"
    typer.echo(f"rstorigin {ours}\n{describe_tshark()}")
    raise typer.Exit


@app.callback()
def rstorigin(
    ctx: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the versions of rstorigin and tshark."
        ),
    ] = False,
) -> None:
    """Who really sent that TCP reset? Tells forged resets from genuine ones in packet captures."""
    ctx.with_resource(ending_in_order())  # the command's module is imported by now
