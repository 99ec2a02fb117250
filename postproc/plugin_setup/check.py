"""Does the installed plugin work, and if not, why? Wireshark fails silently; this asks it and names the cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.profile_files import WIRESHARKS_OWN_NOTES, render_profile
from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import Rulebook
from postproc.capture.tshark.program import Tshark
from postproc.plugin_setup.install import profile_folder
from postproc.plugin_setup.wireshark_folders import Folders, Place

_HEAD = 4096  # bytes of a Lua file in which a plugin says what it is
_IS_PLUGIN = re.compile(rb'Proto(\(|, )"rstorigin"')
_RULEBOOK = re.compile(rb'^-- GENERATED from the rulebook ("[^\n]*") version (\d+)\.$', re.MULTILINE)
_LUA_OFF = re.compile(r"^\s*(enable_lua\s*=\s*false|disable_lua\s*=\s*true)\b", re.MULTILINE)
_FIELD = b"\trstorigin.verdict\t"
_ERRORS_SHOWN = 6  # lines


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is as it should be, or not; `words` say what to do then."""

    level: Level
    words: str


def _problem(words: str) -> Finding:
    return Finding(Level.PROBLEM, words)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a tshark says: whether the fields are there, which Lua scripts it loaded, and what went wrong."""

    has_fields: bool
    scripts: list[Path]
    errors: list[str]


def check(place: Place, rulebook: Rulebook) -> list[Finding]:
    """Everything worth saying about plugin and profile in one place."""
    plugin = place.folders.lua / PLUGIN_NAME
    findings = [_installed(plugin, rulebook)]
    for reader in place.readers:
        findings += _loads(reader, place.folders, plugin)
    if not place.readers:
        findings.append(_problem("no tshark is installed, so nobody can be asked whether the plugin loads"))
    return [*findings, _profile(profile_folder(place.folders))]


def _installed(plugin: Path, rulebook: Rulebook) -> Finding:
    """Whether the plugin's file is there and what today's rulebook gives."""
    try:
        content = plugin.read_bytes()
    except FileNotFoundError:
        return _problem(f"there is no {plugin}: rstorigin plugin install")
    except OSError as error:
        return _problem(f"{plugin} cannot be read: {error.strerror}")
    found = _RULEBOOK.search(content[:_HEAD])
    if found is None:
        return _problem(f"{plugin} is not the plugin that rstorigin generates: rstorigin plugin install --force")
    made_from = f"made from the rulebook {found[1].decode(errors='replace')} version {found[2].decode()}"
    if content == render_plugin(rulebook).encode():
        return Finding(Level.OK, f"{plugin} is current, {made_from}")
    ours = f'"{rulebook.header.name}" version {rulebook.header.version}'
    return _problem(
        f"{plugin} is {made_from}; it is not what this rstorigin makes from {ours}: rstorigin plugin install "
        "(with --rulebook FILE, for a rulebook of yours)",
    )


def _loads(reader: Tshark, folders: Folders, plugin: Path) -> Iterator[Finding]:
    """Whether one tshark has the plugin's fields, and where from; or why not."""
    answer = _ask(reader)
    copies = _copies(folders.all_lua)
    if answer.has_fields:
        loaded = [path for path in answer.scripts if path in copies] or answer.scripts
        if plugin in loaded and not answer.errors:
            yield Finding(Level.OK, f"{reader} loads it")
        elif plugin not in loaded:
            yield _problem(f"{reader} loads another copy: {_listed(loaded)}")
    else:
        yield _problem(f"{reader} does not have the plugin's fields")
        causes = list(_causes(reader, folders))
        yield from (_problem(cause) for cause in causes)
        if plugin.exists() and not causes and not answer.errors:
            yield _problem("why is not known: ask `tshark -G plugins`, and whether `tshark --version` has Lua")
    if len(copies) > 1:
        yield _problem(f"there are several copies, and only one can load: {_listed(copies)}; remove the others")
    if answer.errors:
        yield _problem(f"{reader} complains of Lua: {' | '.join(answer.errors[:_ERRORS_SHOWN])}")


def _ask(reader: Tshark) -> _Answer:
    with reader.run(["-G", "plugins"]) as run:
        rows = [line.split("\t") for line in run.stdout.read().decode("utf-8", "surrogateescape").splitlines()]
        lines = run.messages.splitlines()
    scripts = [Path(row[-1]) for row in rows if len(row) > 1 and row[-2].strip().lower() == "lua script"]
    with reader.run(["-G", "fields"]) as run:
        has_fields = any(_FIELD in line for line in run.stdout)
    # What comes with the first line of an error is its trace.
    started = next((number for number, line in enumerate(lines) if "Lua: " in line), len(lines))
    return _Answer(has_fields, scripts, [line.strip() for line in lines[started:]])


def _causes(reader: Tshark, folders: Folders) -> Iterator[str]:
    """What keeps `reader` from loading any Lua."""
    shared = folders.shared_configuration
    places = [folders.configuration, folders.lua, *([shared, Path("/etc/wireshark")] if shared else [])]
    for path in (place / "init.lua" for place in places):
        found = _LUA_OFF.search(_text(path))
        if found:
            yield f"{path} turns Lua off ({found[1]}): remove that line"
    if reader.refuses_lua():
        yield "root runs it: from 4.4 on, Wireshark loads no Lua for root, and does not say so; use an ordinary account"
    if "without Lua" in _built_with(reader):
        yield f"{reader} was built without Lua: install another Wireshark"


def _built_with(reader: Tshark) -> str:
    """What `tshark --version` says, on one line."""
    with reader.run(["--version"]) as run:
        return " ".join(run.stdout.read().decode("utf-8", "replace").split())


def _copies(folders: Iterable[Path]) -> list[Path]:
    """Every Lua file in `folders`, or below, that holds the plugin."""
    files = (path for folder in folders for path in sorted(folder.rglob("*.lua")) if path.is_file())
    return list(dict.fromkeys(path for path in files if _IS_PLUGIN.search(_bytes(path)[:_HEAD])))


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # what we cannot read, Wireshark, run by the same user, cannot read either
        return b""


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths)) or "none that it names"


def _profile(folder: Path) -> Finding:
    """Whether the profile is there and current; what the user made of it is theirs."""
    if not folder.is_dir():
        return Finding(Level.NOTE, f"there is no profile {folder}: rstorigin plugin install adds it")
    differ = [
        name
        for name, text in render_profile().items()
        if _bytes(folder / name) != text.encode() and name not in WIRESHARKS_OWN_NOTES
    ]
    if differ:
        return Finding(
            Level.NOTE, f"{folder} is there; not as rstorigin makes it, or changed by you: {', '.join(differ)}"
        )
    return Finding(Level.OK, f"{folder} is current")
