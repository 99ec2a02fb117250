"""The option --debug, which every command has: tracebacks of errors that nobody foresaw."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from postproc.runtime.failures import debugging


def with_debug_option(command: Any) -> Any:
    """`command` with the option; a group's commands get it when they are asked for."""
    if hasattr(command, "get_command"):
        find = command.get_command

        def get_command(ctx: Any, cmd_name: str) -> Any:
            found = find(ctx, cmd_name)
            return None if found is None else with_debug_option(found)

        command.get_command = get_command
    elif not any(parameter.name == "debug" for parameter in command.params):
        command.params.append(_option())
    return command


def _start(ctx: typer.Context, asked: bool) -> None:
    if asked:
        ctx.find_root().with_resource(debugging())  # until the error is reported


def _option() -> Any:
    """The option itself: typer makes it, as how it is made depends on the version of typer."""

    def carrier(
        debug: Annotated[
            bool,
            typer.Option(
                "--debug",
                callback=_start,
                expose_value=False,
                help="Show the traceback of an error of rstorigin itself, for a bug report.",
            ),
        ] = False,
    ) -> None:
        """Has the option."""

    app = typer.Typer(add_completion=False)
    app.command()(carrier)
    return next(each for each in typer.main.get_command(app).params if each.name == "debug")
