"""The command `rstorigin`. Each subcommand has a module, which is imported only when the subcommand runs."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from heuristics.errors import nearest, visible
from postproc.cli.debug_option import with_debug_option
from postproc.cli.messages import ErrorReportingGroup
from postproc.runtime.signals import ending_in_order

# Subcommand -> its line in the help. The module of that name (with `_` for `-`) has a function of that name, or an
# `app` with commands.
_COMMANDS = {
    "summarize": "Judge every TCP reset and ICMP error: who sent it?",
    "reconcile": "Compare captures from both ends: which resets never left?",
    "explain": "Explain one TCP reset, with its evidence.",
    "open": "Judge captures, and show one in Wireshark with the verdicts.",
    "kernel-trace": "Print the command that traces the resets of this kernel.",
    "compare": "Compare two cases: did the change help?",
    "report": "Write a report of a whole case to send to others.",
    "annotate": "Copy a capture, with the verdicts as packet comments.",
    "export": "Write the header fields that rstorigin judges resets by.",
    "plugin": "The Wireshark plugin and profile.",
    "schema": "Print the JSON Schema of results or rulebooks.",
    "rules": "Show, check and try the rules that rstorigin judges resets by.",
}


class LazyGroup(ErrorReportingGroup):
    """The subcommands. To import all of them takes longer than to report a case that has not changed."""

    _only_named = False  # subcommands are asked for by name and help alone

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the subcommands, in the order of the help."""
        return [*_COMMANDS]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the part of the help that lists the subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl([*_COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The subcommand that the arguments begin with. The error about an unknown one names the nearest."""
        if args and args[0] not in _COMMANDS and not ctx.resilient_parsing and (hint := nearest(args[0], _COMMANDS)):
            ctx.fail(visible(f"there is no command '{args[0]}' ({hint})"))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a shell offers for the beginning of an argument. To name subcommands, none has to be imported."""
        self._only_named = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._only_named = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The subcommand of this name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        if self._only_named:
            return TyperCommand(cmd_name, help=_COMMANDS[cmd_name])
        name = cmd_name.replace("-", "_")
        module = import_module(f"postproc.cli.{name}")
        if hasattr(module, "app"):
            return with_debug_option(typer.main.get_group(module.app))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_show_locals=False)
        alone.command(cmd_name)(getattr(module, name))
        return with_debug_option(typer.main.get_command(alone))


app = typer.Typer(
    name="rstorigin",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # local variables would show data of a capture
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(requested: bool) -> None:
    if not requested:
        return
    # Slow to import, and rarely needed.
    from postproc.capture.tshark.program import describe_tshark
    from postproc.runtime.versions import own_version

    typer.echo(f"rstorigin {own_version()}\n{describe_tshark()}")
    raise typer.Exit


@app.callback()
def rstorigin(
    ctx: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the versions of rstorigin and tshark."
        ),
    ] = False,
) -> None:
    """Who really sent that TCP reset? Finds forged TCP resets in packet captures."""
    ctx.with_resource(ending_in_order())  # the module of the command is imported by now
