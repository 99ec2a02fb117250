"""Where the Wiresharks of this machine look for the user's Lua plugins and profiles."""

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
    """The folders of one user's Wireshark; `shared_*` are those of all users, None where nobody could be asked."""

    lua: Path
    configuration: Path
    shared_lua: Path | None = None
    shared_configuration: Path | None = None

    @property
    def all_lua(self) -> list[Path]:
        """Every folder that Lua plugins are loaded from, with all below it; the last one is that of old versions."""
        shared = [self.shared_lua] if self.shared_lua else []
        return [self.lua, *shared, self.configuration / "plugins"]


@dataclass(frozen=True, slots=True)
class Place:
    """One set of folders to install to, and the tsharks that read them (none where no tshark is installed)."""

    folders: Folders
    readers: tuple[Tshark, ...]


def places() -> list[Place]:
    """Every place on this machine: Wiresharks side by side usually share one. Never empty."""
    found: dict[tuple[Path, Path], Place] = {}
    for program in find_all_tsharks():
        folders = folders_of(program)
        key = (folders.lua, folders.configuration)
        known = found.get(key, Place(folders, ()))
        found[key] = Place(known.folders, (*known.readers, program))
    return list(found.values()) or [Place(usual_folders(), ())]


def folders_of(program: Tshark) -> Folders:
    """What `tshark -G folders` answers. Raises TsharkError when that is no use."""
    with program.run(["-G", "folders"]) as run:
        text = run.stdout.read().decode("utf-8", "surrogateescape")
        messages = run.messages
    told = {name.strip(): Path(path.strip()) for name, _, path in _lines(text)}
    if _PERSONAL_LUA not in told or _PERSONAL not in told:
        raise TsharkError(
            f"{program} does not say where its folders are (tshark -G folders): {messages or 'no answer'}"
        )
    return Folders(told[_PERSONAL_LUA], told[_PERSONAL], told.get(_GLOBAL_LUA), told.get(_GLOBAL))


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition(":") for line in text.splitlines() if ":" in line)


def usual_folders() -> Folders:
    """Where Wireshark keeps them when it is not told otherwise, for a machine without tshark.

    Source: "Configuration Files and Plugin Folders", appendix B of the Wireshark User's Guide.
    """
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        configuration = _named("WIRESHARK_CONFIG_DIR") or roaming / "Wireshark"
        return Folders(roaming / "Wireshark" / "plugins", configuration)
    configuration = _named("WIRESHARK_CONFIG_DIR") or _unix_configuration()
    return Folders(Path.home() / ".local" / "lib" / "wireshark" / "plugins", configuration)


def _unix_configuration() -> Path:
    modern = (_named("XDG_CONFIG_HOME") or Path.home() / ".config") / "wireshark"
    old = Path.home() / ".wireshark"  # still used by those who have it and no newer one
    return old if old.is_dir() and not modern.is_dir() else modern


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
