"""`rstorigin plugin`: write the Wireshark plugin of a rulebook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.errors import visible
from postproc.atomic import whole_file
from postproc.cli.messages import tell
from postproc.cli.options import RulebookOption, load_rules
from postproc.errors import OutputError

app = typer.Typer(name="plugin", help="The Wireshark plugin.", no_args_is_help=True)


@app.callback()
def _plugin() -> None:
    """Keep `generate` a subcommand, even while it is the only one."""


@app.command()
def generate(
    rulebook: RulebookOption = None,
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write to; made where it is missing.")
    ] = Path("plugins"),
) -> None:
    """Write the plugin: the same rules, judged inside Wireshark."""
    rules = load_rules(rulebook)
    text = render_plugin(rules)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(str(folder), f"cannot be made: {error.strerror}", "choose another place with -o") from None
    target = folder / PLUGIN_NAME
    with whole_file(target, [rulebook] if rulebook else []) as file:
        file.write(text.encode())
    tell(
        visible(
            f"wrote {target}: {len(rules.rules)} rules, rulebook '{rules.header.name}' version {rules.header.version}"
        )
    )
