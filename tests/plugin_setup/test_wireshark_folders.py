"""Where plugin and profile go on a machine without tshark, and on one with several."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from support.command_line import fake_tshark, run

from heuristics.rulebook.model import load
from postproc.capture.tshark.program import find_tshark
from postproc.plugin_setup.install import Part, wanted_files
from postproc.plugin_setup.wireshark_folders import Folders, folders_of, install_targets, usual_folders


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty home and no programs."""
    for variable in ("RSTORIGIN_TSHARK", "XDG_CONFIG_HOME", "WIRESHARK_CONFIG_DIR", "APPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("postproc.capture.tshark.program._usual_places", list)
    return tmp_path


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_unix(platform: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    home = machine / "home"
    assert usual_folders() == Folders(home / ".local/lib/wireshark/plugins", home / ".config/wireshark")
    (home / ".wireshark").mkdir(parents=True)
    assert usual_folders().configuration == home / ".wireshark"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(machine / "xdg"))
    (machine / "xdg/wireshark").mkdir(parents=True)
    assert usual_folders().configuration == machine / "xdg/wireshark"
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(machine / "mine"))
    assert usual_folders().configuration == machine / "mine"


def test_windows(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(machine / "Roaming"))
    wireshark = machine / "Roaming/Wireshark"
    assert usual_folders() == Folders(wireshark / "plugins", wireshark)


def test_install_without_tshark(machine: Path) -> None:
    installed = run("plugin", "install")
    assert installed.exit_code == 0
    assert "no tshark is installed" in installed.stdout
    assert (machine / "home/.local/lib/wireshark/plugins/rstorigin.lua").is_file()
    checked = run("plugin", "check")
    assert checked.exit_code == 1
    assert "cannot check whether the plugin loads" in checked.stdout
    assert run("plugin", "uninstall").exit_code == 0
    assert list((machine / "home").rglob("*")) == []


def answering(folder: Path, version: str, home: Path) -> Path:
    """A tshark of some version that keeps its user's files below `home`."""
    program = fake_tshark(folder, "")
    program.write_text(
        f"#!/bin/sh\ncase $1 in\n-h) echo 'TShark (Wireshark) {version}.' ;;\n"
        f"-G) printf 'Personal configuration:\\t{home}/config\\nPersonal Lua Plugins:\\t{home}/lua\\n' ;;\nesac\n",
        encoding="utf-8",
    )
    return program


def test_several_wiresharks(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that share their folders are one place; what is too old counts for nothing."""
    folders = [machine / name for name in ("one", "two", "three", "old", "again")]
    programs = [
        answering(folders[0], "4.0.17", machine / "a"),
        answering(folders[1], "4.6.9", machine / "a"),
        answering(folders[2], "4.4.18", machine / "b"),
        answering(folders[3], "3.6.2", machine / "c"),
    ]
    folders[4].mkdir()
    (folders[4] / "tshark").symlink_to(programs[0])
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    found = install_targets()
    assert [place.folders.lua for place in found] == [machine / "a/lua", machine / "b/lua"]
    assert [[reader.program for reader in place.tsharks] for place in found] == [programs[:2], programs[2:3]]


def test_a_tshark_that_does_not_say(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(fake_tshark(machine / "bin", "TShark (Wireshark) 4.0.17.")))
    refused = run("plugin", "install")
    assert refused.exit_code == 2
    assert "does not say where its folders are" in refused.stderr


# As `tshark -G folders` prints them there: names, tabs, paths; Windows ends lines with CR LF, and a folder with "\".
WINDOWS = (
    "Temp:                \tC:\\Users\\me\\AppData\\Local\\Temp\r\n"
    "Personal configuration:\tC:\\Users\\me\\AppData\\Roaming\\Wireshark\\\r\n"
    "Global configuration:\tC:\\Program Files\\Wireshark\r\n"
    "System:              \tC:\\Program Files\\Wireshark\r\n"
    "Program:             \tC:\\Program Files\\Wireshark\r\n"
    "Personal Plugins:    \tC:\\Users\\me\\AppData\\Roaming\\Wireshark\\plugins\\4.4\r\n"
    "Global Plugins:      \tC:\\Program Files\\Wireshark\\plugins\\4.4\r\n"
    "Personal Lua Plugins:\tC:\\Users\\me\\AppData\\Roaming\\Wireshark\\plugins\r\n"
    "Global Lua Plugins:  \tC:\\Program Files\\Wireshark\\plugins\r\n"
)
MACOS = (
    "Temp:                \t/var/folders/ab/cd/T/\n"
    "Personal configuration:\t/Users/me/.config/wireshark\n"
    "Global configuration:\t/Applications/Wireshark.app/Contents/Resources/share/wireshark\n"
    "Personal Plugins:    \t/Users/me/.local/lib/wireshark/plugins/4-4\n"
    "Global Plugins:      \t/Applications/Wireshark.app/Contents/PlugIns/wireshark/4-4\n"
    "Personal Lua Plugins:\t/Users/me/.local/lib/wireshark/plugins\n"
    "Global Lua Plugins:  \t/Applications/Wireshark.app/Contents/PlugIns/wireshark\n"
)


@pytest.mark.parametrize(
    ("text", "path", "lua", "profile"),
    [
        (
            WINDOWS,
            PureWindowsPath,
            r"C:\Users\me\AppData\Roaming\Wireshark\plugins\rstorigin.lua",
            r"C:\Users\me\AppData\Roaming\Wireshark\profiles\RST origin\preferences",
        ),
        (
            MACOS,
            PurePosixPath,
            "/Users/me/.local/lib/wireshark/plugins/rstorigin.lua",
            "/Users/me/.config/wireshark/profiles/RST origin/preferences",
        ),
    ],
    ids=["windows", "macos"],
)
def test_plugin_and_profile_on_other_systems(
    text: str, path: type[PurePath], lua: str, profile: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the paths of that system, as pathlib has them there."""
    monkeypatch.setattr("postproc.plugin_setup.wireshark_folders.Path", path)
    program = fake_tshark(machine / "bin", "TShark (Wireshark) 4.4.19.")
    (machine / "folders").write_bytes(text.encode())
    program.write_text(
        f"#!/bin/sh\ncase $1 in\n-h) echo 'TShark (Wireshark) 4.4.19.' ;;\n-G) cat {machine / 'folders'} ;;\nesac\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PATH", f"{machine / 'bin'}{os.pathsep}/bin:/usr/bin")
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(program))
    folders = folders_of(find_tshark())
    files = {str(each) for each in wanted_files(folders, load(), [Part.PLUGIN, Part.PROFILE])}
    assert {lua, profile} < files
