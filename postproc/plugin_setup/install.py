"""Install and uninstall: first a plan of steps, file by file, then the doing. What the user changed is spared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.profile import PROFILE_NAME
from generator.profile_files import WIRESHARKS_OWN_NOTES, render_profile
from generator.render import GENERATED_MARK, PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import Rulebook
from postproc.plugin_setup.manifest import Record, digest, read_record, write_record
from postproc.plugin_setup.wireshark_folders import Folders
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError


class Part(StrEnum):
    """What can be installed."""

    PLUGIN = "plugin"
    PROFILE = "profile"


class Does(StrEnum):
    """What a step does to its file."""

    WRITE = "write"
    REPLACE = "replace"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Step:
    """One file: what becomes of it, and why. `spares` marks what the user has to know: it was not done."""

    does: Does
    path: Path
    why: str
    content: bytes = b""
    spares: bool = False


def profile_folder(folders: Folders) -> Path:
    """The folder of the profile."""
    return folders.configuration / "profiles" / PROFILE_NAME


def wanted_files(folders: Folders, rulebook: Rulebook, parts: Iterable[Part]) -> dict[Path, bytes]:
    """Path -> content of everything that an installation consists of."""
    files: dict[Path, bytes] = {}
    if Part.PLUGIN in parts:
        files[folders.lua / PLUGIN_NAME] = render_plugin(rulebook).encode()
    if Part.PROFILE in parts:
        files |= {profile_folder(folders) / name: text.encode() for name, text in render_profile().items()}
    return files


def plan_install(files: Mapping[Path, bytes], record: Record, force: bool) -> list[Step]:
    """What has to be done so that `files` are there. With `force`, the user's changes go."""
    return [_install_step(path, content, record, force) for path, content in files.items()]


def _install_step(path: Path, content: bytes, record: Record, force: bool) -> Step:
    there = _content(path)
    if there is None:
        return Step(Does.WRITE, path, "new", content)
    if there == content:
        return Step(Does.KEEP, path, "up to date", content)
    if record.wrote(path, there):
        return Step(Does.REPLACE, path, "an older version", content)
    if path.name == PLUGIN_NAME and GENERATED_MARK in there:
        return Step(Does.REPLACE, path, "a copy of the plugin that was put there by hand", content)
    if force:
        return Step(Does.REPLACE, path, "changed; replaced as you asked", content)
    if path.name in WIRESHARKS_OWN_NOTES and str(path) in record.files:
        return Step(Does.KEEP, path, "your column widths")
    return Step(Does.KEEP, path, f"{_not_ours(path, record)}; --force replaces it", spares=True)


def plan_uninstall(files: Mapping[Path, bytes], record: Record, force: bool) -> list[Step]:
    """What has to be done so that nothing of `files` is left. With `force`, changed files go too."""
    return [step for path in files if (step := _uninstall_step(path, record, force))]


def _uninstall_step(path: Path, record: Record, force: bool) -> Step | None:
    there = _content(path)
    if there is None:
        return None
    if record.wrote(path, there):
        return Step(Does.REMOVE, path, "as it was installed")
    if str(path) in record.files and path.name in WIRESHARKS_OWN_NOTES:
        return Step(Does.REMOVE, path, "with the column widths that Wireshark noted in it")
    if force:
        return Step(Does.REMOVE, path, "changed; removed as you asked")
    return Step(Does.KEEP, path, f"{_not_ours(path, record)}; --force removes it", spares=True)


def _not_ours(path: Path, record: Record) -> str:
    return "you changed it" if str(path) in record.files else "rstorigin did not install it"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(str(path), f"cannot be read: {error.strerror}", "move it out of the way") from None


def apply_install(steps: Iterable[Step], folders: Folders) -> None:
    """Do the steps and keep a record of them, after each one. Raises OutputError."""
    record = read_record(folders.configuration)
    _make(folders.configuration, record)
    for step in steps:
        if step.does in (Does.WRITE, Does.REPLACE):
            _make(step.path.parent, record)
            with whole_file(step.path, hint="see that the folder can be written to") as file:
                file.write(step.content)
        if step.content:
            record.files[str(step.path)] = digest(step.content)
            write_record(folders.configuration, record)


def apply_uninstall(steps: Iterable[Step], folders: Folders) -> None:
    """Do the steps, then remove the folders that an installation had made, where they are empty. Raises OutputError."""
    record = read_record(folders.configuration)
    for step in steps:
        if step.does is Does.REMOVE:
            try:
                step.path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(str(step.path), f"cannot be removed: {error.strerror}") from None
            record.files.pop(str(step.path), None)
    record.files = {path: value for path, value in record.files.items() if Path(path).exists()}
    write_record(folders.configuration, record)
    for folder in sorted(record.folders, key=len, reverse=True):  # the inner ones first
        _remove_if_empty(Path(folder))


def _make(folder: Path, record: Record) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(str(folder), f"cannot be made: {error.strerror}", "is its owner you?") from None
    record.folders += [str(path) for path in missing]


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # gone, or somebody else keeps something in it
        return
