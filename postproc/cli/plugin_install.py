"""`rstorigin plugin install`, `uninstall` and `check`: plugin and profile in the Wiresharks of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from generator.profile import PROFILE_NAME
from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.capture.tshark.program import is_root
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.messages import print_message
from postproc.cli.options import load_rules
from postproc.plugin_setup import check as checking
from postproc.plugin_setup.check import Level
from postproc.plugin_setup.install import (
    Action,
    Part,
    Step,
    apply_install,
    apply_uninstall,
    plan_install,
    plan_uninstall,
    wanted_files,
)
from postproc.plugin_setup.manifest import Manifest, read_manifest
from postproc.plugin_setup.wireshark_folders import InstallTarget, install_targets
from postproc.runtime.errors import UsageError

PluginOnly = Annotated[bool, typer.Option("--plugin-only", help="Leave the profile alone.")]
ProfileOnly = Annotated[bool, typer.Option("--profile-only", help="Leave the plugin alone.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]

InstalledRulebook = Annotated[
    Path | None,
    typer.Option(
        "--rulebook",
        metavar="FILE",
        help="Your rulebook, over the default one. It is remembered; `default` drops it. Default: the one remembered.",
    ),
]
_DEFAULT = "default"  # in the place of a rulebook: none over the default one

_DONE = {Action.WRITE: "wrote", Action.REPLACE: "replaced", Action.KEEP: "kept", Action.REMOVE: "removed"}
_WOULD = {
    Action.WRITE: "would write",
    Action.REPLACE: "would replace",
    Action.KEEP: "would keep",
    Action.REMOVE: "would remove",
}
_START = (
    "Restart Wireshark, or press Ctrl+Shift+L in it to load plugins again.",
    f'Then choose the profile: click on "Profile" at the lower right, or start: wireshark -C "{PROFILE_NAME}"',
)


def install(
    rulebook: InstalledRulebook = None,
    plugin_only: PluginOnly = False,
    profile_only: ProfileOnly = False,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Also replace files that you changed.")] = False,
) -> None:
    """Put plugin and profile where Wireshark finds them. Your own files stay as they are."""
    parts = _parts(plugin_only, profile_only)
    if rulebook is not None and Part.PLUGIN not in parts:
        raise UsageError("--rulebook is for the plugin, and --profile-only leaves it alone: leave one out")
    blocked = False
    for target in install_targets():
        manifest = read_manifest(target.folders.configuration)
        chosen = _chosen(rulebook, manifest)
        steps = plan_install(wanted_files(target.folders, _rules(chosen), parts), manifest, force)
        if not dry_run:
            apply_install(steps, target.folders, chosen)
        _print_steps(target, steps, _WOULD if dry_run else _DONE)
        if rulebook is None and chosen and Part.PLUGIN in parts:
            typer.echo(visible(f"  with your rulebook {chosen}, as before; --rulebook {_DEFAULT} drops it"))
        blocked |= any(step.blocked for step in steps)
    if not dry_run:
        for line in _START if Part.PROFILE in parts else _START[:1]:
            typer.echo(line)
        typer.echo("To see whether it works: rstorigin plugin check")
    if is_root() and not dry_run:
        print_message(
            "installed for root, for whom Wireshark loads no Lua from 4.4 on: install as the user who runs Wireshark"
        )
    if blocked:
        raise typer.Exit(SOME_FAILED)


def uninstall(
    plugin_only: PluginOnly = False,
    profile_only: ProfileOnly = False,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Also remove files that you changed.")] = False,
) -> None:
    """Remove what `install` installed, and nothing else."""
    parts = _parts(plugin_only, profile_only)
    rules = load_rules(None)
    blocked = False
    for target in install_targets():
        files = wanted_files(target.folders, rules, parts)
        steps = plan_uninstall(files, read_manifest(target.folders.configuration), force)
        if not dry_run:
            apply_uninstall(steps, target.folders)
        _print_steps(target, steps, _WOULD if dry_run else _DONE)
        blocked |= any(step.blocked for step in steps)
    if blocked:
        raise typer.Exit(SOME_FAILED)


def check(rulebook: InstalledRulebook = None) -> None:
    """Check whether every Wireshark loads the plugin, and if not, why. Exit status 1 if something is wrong."""
    results = []
    for target in install_targets():
        chosen = _chosen(rulebook, read_manifest(target.folders.configuration))
        results += checking.check(target, _rules(chosen))
    for result in results:
        typer.echo(visible(f"{result.level:<8} {result.text}"))
    if any(result.level is Level.PROBLEM for result in results):
        raise typer.Exit(SOME_FAILED)


def _chosen(rulebook: Path | None, manifest: Manifest) -> Path | None:
    """The user's rulebook that the plugin is to have: the one that is named, or else that of the last installation."""
    if rulebook is None:
        return None if manifest.rulebook is None else Path(manifest.rulebook)
    return None if str(rulebook) == _DEFAULT else rulebook.absolute()


def _rules(chosen: Path | None) -> Rulebook:
    """The default rulebook with the user's over it. Raises RulebookError, and UsageError where the user's is gone."""
    if chosen is not None and not chosen.exists():
        hint = f"name another with --rulebook, or drop it with --rulebook {_DEFAULT}"
        raise UsageError(visible(f"{chosen}: the rulebook of the plugin does not exist ({hint})"))
    return load_rules(chosen)


def _parts(plugin_only: bool, profile_only: bool) -> list[Part]:
    if plugin_only and profile_only:
        raise UsageError("--plugin-only and --profile-only exclude each other: leave one out")
    if plugin_only:
        return [Part.PLUGIN]
    return [Part.PROFILE] if profile_only else list(Part)


def _print_steps(target: InstallTarget, steps: Sequence[Step], verbs: Mapping[Action, str]) -> None:
    programs = ", ".join(map(str, target.tsharks)) or "Wireshark (no tshark is installed that could name its folders)"
    typer.echo(f"For {programs}:")
    for step in steps:
        typer.echo(visible(f"  {verbs[step.action]:<13} {step.path}  ({step.reason})"))
    if not steps:
        typer.echo("  nothing is installed")


def add_to(app: typer.Typer) -> None:
    """Add the subcommands to `app`."""
    for command in (install, uninstall, check):
        app.command()(command)
