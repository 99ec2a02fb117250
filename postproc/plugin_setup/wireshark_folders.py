"""The folders where the Wiresharks of this machine look for Lua plugins and profiles of the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postproc.capture.tshark.program import Tshark, find_all_tsharks
from postproc.runtime.errors import TsharkError

_PERSONAL_LUA, _GLOBAL_LUA = "Personal Lua Plugins", "Global Lua Plugins"
_PERSONAL, _GLOBAL = "Personal configuration", "Global configuration"


@dataclass(frozen=True, slots=True)
class Folders:
    """The Wireshark folders of one user. `shared_*` are those of all users, None if no tshark could name them."""

    lua: Path
    configuration: Path
    shared_lua: Path | None = None
    shared_configuration: Path | None = None

    @property
    def all_lua(self) -> list[Path]:
        """Every folder from which Wireshark loads Lua plugins, subfolders included. Old versions use the last one."""
        shared = [self.shared_lua] if self.shared_lua else []
        return [self.lua, *shared, self.configuration / "plugins"]


@dataclass(frozen=True, slots=True)
class InstallTarget:
    """One set of folders to install to, and the tsharks that read them (none if no tshark is installed)."""

    folders: Folders
    tsharks: tuple[Tshark, ...]


def install_targets() -> list[InstallTarget]:
    """Every target on this machine. Several Wiresharks usually share one. Never empty."""
    targets: dict[tuple[Path, Path], InstallTarget] = {}
    for program in find_all_tsharks():
        folders = folders_of(program)
        key = (folders.lua, folders.configuration)
        known = targets.get(key, InstallTarget(folders, ()))
        targets[key] = InstallTarget(known.folders, (*known.tsharks, program))
    return list(targets.values()) or [InstallTarget(usual_folders(), ())]


def folders_of(program: Tshark) -> Folders:
    """The folders that `tshark -G folders` prints. Raises TsharkError if the personal ones are not among them."""
    with program.run(["-G", "folders"]) as run:
        text = run.stdout.read().decode("utf-8", "surrogateescape")
        messages = run.messages
    named = {name.strip(): Path(path.strip()) for name, _, path in _lines(text)}
    if _PERSONAL_LUA not in named or _PERSONAL not in named:
        raise TsharkError(
            f"{program} does not say where its folders are (tshark -G folders): {messages or 'no answer'}"
        )
    return Folders(named[_PERSONAL_LUA], named[_PERSONAL], named.get(_GLOBAL_LUA), named.get(_GLOBAL))


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition(":") for line in text.splitlines() if ":" in line)


def usual_folders() -> Folders:
    """The default folders of Wireshark, for a machine without tshark.

    Source: "Configuration Files and Plugin Folders", appendix B of the Wireshark User's Guide.
    """
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        configuration = _from_environment("WIRESHARK_CONFIG_DIR") or roaming / "Wireshark"
        return Folders(roaming / "Wireshark" / "plugins", configuration)
    configuration = _from_environment("WIRESHARK_CONFIG_DIR") or _unix_configuration()
    return Folders(Path.home() / ".local" / "lib" / "wireshark" / "plugins", configuration)


def _unix_configuration() -> Path:
    modern = (_from_environment("XDG_CONFIG_HOME") or Path.home() / ".config") / "wireshark"
    old = Path.home() / ".wireshark"  # Wireshark still uses it if it exists and the newer one does not
    return old if old.is_dir() and not modern.is_dir() else modern


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
