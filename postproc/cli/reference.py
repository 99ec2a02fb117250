"""docs/reference.md: every command and option, environment variable and entry of the rulebook, by name.

`python -m postproc.cli.reference > docs/reference.md` (`make docs`) writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from heuristics.rulebook.model import Rulebook, load
from postproc.cli import exit_status
from postproc.cli.app import app
from postproc.runtime.signals import INTERRUPTED, TERMINATED
from postproc.runtime.text import escape_markdown

# What a user may set; tests find every variable that the program reads.
VARIABLES = {
    "RSTORIGIN_TSHARK": "The tshark to use: a path, or a name on PATH.",
    "RSTORIGIN_DEBUG": "Any value: show tracebacks, as --debug does. For workers of a cluster, too.",
    "TMPDIR": "The folder for temporary files.",
    "NO_COLOR": "Any value: no colours on the terminal.",
    "POLARS_MAX_THREADS": "How many threads each process may use; by default the processes share the cores.",
    "WIRESHARK_CONFIG_DIR": "Where Wireshark has its settings, and plugin install puts the profile.",
    "XDG_CONFIG_HOME": "The same, for the folder above it.",
    "APPDATA": "The same on Windows.",
    "RSTORIGIN_VERDICTS": "The file of verdicts that the plugin shows; rstorigin open sets it.",
    "XDG_CACHE_HOME": "The folder above rstorigin's cache: plugin and verdicts of rstorigin open, the rulebook, "
    "tshark's version (these two not on Windows).",
    "LOCALAPPDATA": "The same on Windows.",
    "HOME": "The user's folder, where the settings of Wireshark are otherwise.",
    "ProgramFiles": "Where tshark is looked for on Windows.",
    "ProgramFiles(x86)": "The same, for programs of 32 bits.",
}
STATUSES = {
    0: "Done.",
    exit_status.SOME_FAILED: "Done, but some input could not be read, or not to its end.",
    exit_status.WRONG_USAGE: "Nothing was done: wrong arguments, a rulebook with mistakes, no tshark, no input.",
    exit_status.FOUND: "Done, and what --fail-on names was found.",
    INTERRUPTED: "Interrupted (Ctrl-C).",
    TERMINATED: "Asked to end (SIGTERM).",
}


def reference() -> str:
    """The whole page, in Markdown."""
    rules = load()
    parts = [
        "# Reference",
        "Written by `make docs` from the program. What it all means is in the other chapters.",
        "## Commands",
        *(_command(path, command) for path, command in commands(typer.main.get_command(app))),
        "## Exit statuses",
        _table(("status", "meaning"), [(str(int(status)), meaning) for status, meaning in sorted(STATUSES.items())]),
        "## Environment variables",
        _table(("variable", "meaning"), [(f"`{name}`", meaning) for name, meaning in VARIABLES.items()]),
        "## Entries of the default rulebook",
        *_entries(rules),
    ]
    return "\n\n".join(parts) + "\n"


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group, with the words that call it."""
    yield path, command
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


def _command(path: tuple[str, ...], command: Any) -> str:
    rows = [
        (f"`{', '.join([*parameter.opts, *parameter.secondary_opts])}`", escape_markdown(parameter.help or ""))
        for parameter in command.params
        if parameter.param_type_name == "option"
    ]
    name = " ".join(("rstorigin", *path))
    summary = escape_markdown(str(command.help).partition("\n\n")[0].replace("\n", " "))
    return "\n\n".join(filter(None, (f"### {name}", summary, _table(("option", "meaning"), rows) if rows else "")))


def _entries(rules: Rulebook) -> Iterator[str]:
    yield "### Rules"
    yield _table(
        ("rule", "weight", "meaning"), [(f"`{rule.id}`", str(rule.weight), rule.title) for rule in rules.rules]
    )
    yield "### Explanations"
    yield _table(("explanation", "meaning"), [(f"`{each.id}`", each.title) for each in rules.explanations])
    for title, entries in (
        ("Devices", rules.devices),
        ("Reasons", rules.reasons),
        ("Causes", rules.causes),
        ("Where resets were sent from", rules.wheres),
        ("Advice", rules.advices),
        ("ICMP errors", rules.icmp),
    ):
        yield f"### {title}"
        yield _table(("entry", "text"), [(f"`{each.id}`", escape_markdown(each.say.source)) for each in entries])


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines).replace(
        "| --- " * len(header) + "|", "|---" * len(header) + "|"
    )


if __name__ == "__main__":
    sys.stdout.write(reference())
