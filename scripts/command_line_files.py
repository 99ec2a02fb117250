"""Write the man page and the shell completions of rstorigin, from the program itself.

`python scripts/command_line_files.py FOLDER` (`make docs`) writes them into the folder `share` of the source tree
FOLDER. The wheel installs them below the prefix's `share`, where man and the shells look.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # imported there

from postproc.cli.app import app
from postproc.cli.reference import STATUSES, VARIABLES

_NAME = "rstorigin"
_COMPLETIONS = {
    "bash": "bash-completion/completions/rstorigin",
    "zsh": "zsh/site-functions/_rstorigin",
    "fish": "fish/vendor_completions.d/rstorigin.fish",
}


def files() -> dict[str, str]:
    """Path below `share` -> content."""
    variable = f"_{_NAME.upper()}_COMPLETE"
    scripts = {
        path: get_completion_script(prog_name=_NAME, complete_var=variable, shell=shell).rstrip() + "\n"
        for shell, path in _COMPLETIONS.items()
    }
    return {f"man/man1/{_NAME}.1": man_page(), **scripts}


def man_page() -> str:
    """The man page, in the macros of man(7)."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name=_NAME)
    lines = [
        f'.TH {_NAME.upper()} 1 "" "{_NAME}" "User Commands"',
        ".SH NAME",
        _text(f"{_NAME} - who really sent that TCP reset?"),
        ".SH SYNOPSIS",
        f".B {_NAME}",
        _text("[--version] COMMAND [OPTIONS] [ARGUMENTS]"),
        ".SH DESCRIPTION",
        _text(group.help),
        ".SH OPTIONS",
        *_parameters(group, context),
        ".SH COMMANDS",
        *_commands(group, context),
        ".SH EXIT STATUS",
        *_listed({str(int(status)): meaning for status, meaning in STATUSES.items()}),
        ".SH ENVIRONMENT",
        *_listed(VARIABLES),
        ".SH SEE ALSO",
        ".BR tshark (1),",
        ".BR wireshark (1),",
        ".BR tcpdump (8)",
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _commands(command, below)
            continue
        usage = " ".join([below.command_path, *command.collect_usage_pieces(below)])
        yield f'.SS "{_text(usage)}"'
        for number, paragraph in enumerate(command.help.split("\n\n")):
            yield from (".PP",) if number else ()
            yield _text(paragraph)
        yield from _parameters(command, below)


def _parameters(command: Any, context: Any) -> Iterator[str]:
    """Arguments and options, as the help lists them."""
    found: dict[str, str] = {}
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            names, meaning = record
            # The record of an argument also has the type that Python gives it.
            found[parameter.metavar if parameter.param_type_name == "argument" else names] = meaning
    yield from _listed(found)


def _listed(meanings: dict[str, str]) -> Iterator[str]:
    for name, meaning in meanings.items():
        yield from (".TP", f".B {_text(name)}", _text(meaning))


def _text(text: str) -> str:
    """Plain text as man(7) takes it: one line, nothing in it is a request or an escape."""
    line = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq").replace("`", r"\(ga")
    return rf"\&{line}" if line.startswith((".", "'")) else line


def main() -> None:
    """Write the files."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python scripts/command_line_files.py FOLDER")
    for path, content in files().items():
        target = Path(sys.argv[1]) / "share" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
