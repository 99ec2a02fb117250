"""`rstorigin plugin`: write the Wireshark plugin and profile, and install them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from generator.profile_files import PROFILE_FOLDER, PROFILE_ZIP, generated_profile
from generator.render import PLUGIN_NAME, render_plugin
from heuristics.errors import visible
from postproc.cli import plugin_install
from postproc.cli.messages import print_message
from postproc.cli.options import RulebookOption, load_rules
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError

app = typer.Typer(name="plugin", help="The Wireshark plugin and profile.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def generate(
    rulebook: RulebookOption = None,
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write to. It is made if it is missing.")
    ] = Path("plugins"),
) -> None:
    """Write the plugin, which judges inside Wireshark by the same rules, and the profile that shows its verdicts."""
    rules = load_rules(rulebook)
    for name, content in {PLUGIN_NAME: render_plugin(rules).encode(), **generated_profile()}.items():
        _write(folder / name, content, rulebook)
    print_message(
        visible(
            f"wrote {folder / PLUGIN_NAME}: {len(rules.rules)} rules, "
            f"rulebook '{rules.header.name}' version {rules.header.version}"
        )
    )
    print_message(visible(f"wrote {folder / PROFILE_FOLDER} and {folder / PROFILE_ZIP}: the Wireshark profile"))


def _write(target: Path, content: bytes, rulebook: Path | None) -> None:
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(str(folder), f"cannot be made: {error.strerror}", "choose another place with -o") from None
    with whole_file(target, [rulebook] if rulebook else []) as file:
        file.write(content)


plugin_install.add_to(app)
