"""Install and uninstall. A plan has a step for each file; applying it does not touch what the user changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.profile import PROFILE_NAME
from generator.profile_files import WRITTEN_BY_WIRESHARK, render_profile
from generator.render import GENERATED_MARK, PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import Rulebook
from postproc.plugin_setup.manifest import Manifest, digest, read_manifest, write_manifest
from postproc.plugin_setup.wireshark_folders import Folders
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError


class Part(StrEnum):
    """The parts of an installation."""

    PLUGIN = "plugin"
    PROFILE = "profile"


class Action(StrEnum):
    """What a step does to its file."""

    WRITE = "write"
    REPLACE = "replace"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one file, and why.

    `blocked`: the file is not as rstorigin installed it, so the step leaves it alone, and the user must know.
    """

    action: Action
    path: Path
    reason: str
    content: bytes = b""
    blocked: bool = False


def profile_folder(folders: Folders) -> Path:
    """The folder of the profile."""
    return folders.configuration / "profiles" / PROFILE_NAME


def wanted_files(folders: Folders, rulebook: Rulebook, parts: Iterable[Part]) -> dict[Path, bytes]:
    """Path -> content of every file of an installation."""
    files: dict[Path, bytes] = {}
    if Part.PLUGIN in parts:
        files[folders.lua / PLUGIN_NAME] = render_plugin(rulebook).encode()
    if Part.PROFILE in parts:
        files |= {profile_folder(folders) / name: text.encode() for name, text in render_profile().items()}
    return files


def plan_install(files: Mapping[Path, bytes], manifest: Manifest, force: bool) -> list[Step]:
    """The steps after which `files` exist. With `force`, they overwrite changes of the user."""
    return [_install_step(path, content, manifest, force) for path, content in files.items()]


def _install_step(path: Path, content: bytes, manifest: Manifest, force: bool) -> Step:
    found = _content(path)
    if found is None:
        return Step(Action.WRITE, path, "new", content)
    if found == content:
        return Step(Action.KEEP, path, "up to date", content)
    if manifest.wrote(path, found):
        return Step(Action.REPLACE, path, "an older version", content)
    if path.name == PLUGIN_NAME and GENERATED_MARK in found:
        return Step(Action.REPLACE, path, "a copy of the plugin that was put there by hand", content)
    if force:
        return Step(Action.REPLACE, path, "changed; replaced as you asked", content)
    if path.name in WRITTEN_BY_WIRESHARK and str(path) in manifest.files:
        return Step(Action.KEEP, path, "your column widths")
    return Step(Action.KEEP, path, f"{_not_ours(path, manifest)}; --force replaces it", blocked=True)


def plan_uninstall(files: Mapping[Path, bytes], manifest: Manifest, force: bool) -> list[Step]:
    """The steps after which none of `files` exists. With `force`, they also remove changed files."""
    return [step for path in files if (step := _uninstall_step(path, manifest, force))]


def _uninstall_step(path: Path, manifest: Manifest, force: bool) -> Step | None:
    found = _content(path)
    if found is None:
        return None
    if manifest.wrote(path, found):
        return Step(Action.REMOVE, path, "as it was installed")
    if str(path) in manifest.files and path.name in WRITTEN_BY_WIRESHARK:
        return Step(Action.REMOVE, path, "with the column widths that Wireshark noted in it")
    if force:
        return Step(Action.REMOVE, path, "changed; removed as you asked")
    return Step(Action.KEEP, path, f"{_not_ours(path, manifest)}; --force removes it", blocked=True)


def _not_ours(path: Path, manifest: Manifest) -> str:
    return "you changed it" if str(path) in manifest.files else "rstorigin did not install it"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(str(path), f"cannot be read: {error.strerror}", "move it to another place") from None


def apply_install(steps: Iterable[Step], folders: Folders, rulebook: Path | None) -> None:
    """Do the steps, and write the manifest after each of them, with the user's `rulebook`. Raises OutputError."""
    manifest = read_manifest(folders.configuration)
    manifest.rulebook = None if rulebook is None else str(rulebook)
    _make(folders.configuration, manifest)
    for step in steps:
        if step.action in (Action.WRITE, Action.REPLACE):
            _make(step.path.parent, manifest)
            with whole_file(step.path, hint="make the folder writable") as file:
                file.write(step.content)
        if step.content:
            manifest.files[str(step.path)] = digest(step.content)
            write_manifest(folders.configuration, manifest)


def apply_uninstall(steps: Iterable[Step], folders: Folders) -> None:
    """Do the steps, then remove the empty folders that an installation made. Raises OutputError."""
    manifest = read_manifest(folders.configuration)
    for step in steps:
        if step.action is Action.REMOVE:
            try:
                step.path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(str(step.path), f"cannot be removed: {error.strerror}") from None
            manifest.files.pop(str(step.path), None)
    manifest.files = {path: value for path, value in manifest.files.items() if Path(path).exists()}
    if not any(Path(path).name == PLUGIN_NAME for path in manifest.files):
        manifest.rulebook = None
    write_manifest(folders.configuration, manifest)
    for folder in sorted(manifest.folders, key=len, reverse=True):  # the inner ones first
        _remove_if_empty(Path(folder))


def _make(folder: Path, manifest: Manifest) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be made: {error.strerror}", "check who owns the folder above it"
        ) from None
    manifest.folders += [str(path) for path in missing]


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # the folder is gone, or holds files of others
        return
