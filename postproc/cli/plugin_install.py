"""`rstorigin plugin install`, `uninstall` and `check`: the plugin and the profile in this machine's Wiresharks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from generator.profile import PROFILE_NAME
from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.capture.tshark.program import is_root
from postproc.cli.messages import SOME_FAILED, tell
from postproc.cli.options import RulebookOption, load_rules
from postproc.plugin_setup import check as checking
from postproc.plugin_setup.check import Level
from postproc.plugin_setup.install import (
    Does,
    Part,
    Step,
    apply_install,
    apply_uninstall,
    plan_install,
    plan_uninstall,
    wanted_files,
)
from postproc.plugin_setup.manifest import Record, read_record
from postproc.plugin_setup.wireshark_folders import Folders, Place, places
from postproc.runtime.errors import UsageError

PluginOnly = Annotated[bool, typer.Option("--plugin-only", help="Leave the profile alone.")]
ProfileOnly = Annotated[bool, typer.Option("--profile-only", help="Leave the plugin alone.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

Plan = Callable[[Mapping[Path, bytes], Record, bool], list[Step]]
Apply = Callable[[Iterable[Step], Folders], None]

_DONE = {Does.WRITE: "wrote", Does.REPLACE: "replaced", Does.KEEP: "kept", Does.REMOVE: "removed"}
_WOULD = {
    Does.WRITE: "would write",
    Does.REPLACE: "would replace",
    Does.KEEP: "would keep",
    Does.REMOVE: "would remove",
}
_START = (
    "Restart Wireshark, or press Ctrl+Shift+L in it to load plugins again.",
    f'Then choose the profile: click on "Profile" at the lower right, or start: wireshark -C "{PROFILE_NAME}"',
)


def install(
    rulebook: RulebookOption = None,
    plugin_only: PluginOnly = False,
    profile_only: ProfileOnly = False,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Replace also what you changed.")] = False,
) -> None:
    """Put plugin and profile where Wireshark finds them. Files that are yours stay as they are."""
    parts = _parts(plugin_only, profile_only)
    rules = load_rules(rulebook)
    spared = _everywhere(plan_install, apply_install, rules, parts, dry_run, force)
    if not dry_run:
        for line in _START if Part.PROFILE in parts else _START[:1]:
            typer.echo(line)
        typer.echo("Whether it works: rstorigin plugin check")
    if is_root() and not dry_run:
        tell("installed for root, for whom Wireshark loads no Lua from 4.4 on: install as the user who runs Wireshark")
    if spared:
        raise typer.Exit(SOME_FAILED)


def uninstall(
    plugin_only: PluginOnly = False,
    profile_only: ProfileOnly = False,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Remove also what you changed.")] = False,
) -> None:
    """Take away what `install` put there, and nothing else."""
    parts = _parts(plugin_only, profile_only)
    if _everywhere(plan_uninstall, apply_uninstall, load_rules(None), parts, dry_run, force):
        raise typer.Exit(SOME_FAILED)


def check(rulebook: RulebookOption = None) -> None:
    """Ask every Wireshark whether it loads the plugin; if not, say why. Exit status 1 where something is wrong."""
    rules = load_rules(rulebook)
    good = True
    for place in places():
        for finding in checking.check(place, rules):
            typer.echo(visible(f"{finding.level:<8} {finding.words}"))
            good &= finding.level is not Level.PROBLEM
    if not good:
        raise typer.Exit(SOME_FAILED)


def _parts(plugin_only: bool, profile_only: bool) -> list[Part]:
    if plugin_only and profile_only:
        raise UsageError("--plugin-only and --profile-only exclude each other: leave one out")
    if plugin_only:
        return [Part.PLUGIN]
    return [Part.PROFILE] if profile_only else list(Part)


def _everywhere(plan: Plan, apply: Apply, rules: Rulebook, parts: Sequence[Part], dry_run: bool, force: bool) -> bool:
    """Plan and do it in every Wireshark; whether something was spared that the user has to know of."""
    spared = False
    for place in places():
        steps = plan(wanted_files(place.folders, rules, parts), read_record(place.folders.configuration), force)
        spared |= _carry_out(place, steps, apply, dry_run)
    return spared


def _carry_out(place: Place, steps: Sequence[Step], apply: Apply, dry_run: bool) -> bool:
    """Do the steps, and say so; whether something was spared that the user has to know of."""
    if not dry_run:
        apply(steps, place.folders)
    typer.echo(f"For {', '.join(map(str, place.readers)) or 'Wireshark (no tshark is installed that could be asked)'}:")
    words = _WOULD if dry_run else _DONE
    for step in steps:
        typer.echo(visible(f"  {words[step.does]:<13} {step.path}  ({step.why})"))
    if not steps:
        typer.echo("  nothing is installed")
    return any(step.spares for step in steps)


def add_to(app: typer.Typer) -> None:
    """Make them subcommands of `app`."""
    for command in (install, uninstall, check):
        app.command()(command)
