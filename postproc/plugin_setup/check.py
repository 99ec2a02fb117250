"""Check whether the installed plugin works, and if not, why: Wireshark itself fails without a message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.profile_files import WRITTEN_BY_WIRESHARK, render_profile
from generator.render import PLUGIN_NAME, render_plugin
from heuristics.rulebook.model import Rulebook
from postproc.capture.tshark.program import Tshark
from postproc.plugin_setup.install import profile_folder
from postproc.plugin_setup.wireshark_folders import Folders, InstallTarget

_HEAD = 4096  # bytes at the start of a Lua file that identify the plugin
_IS_PLUGIN = re.compile(rb'Proto(\(|, )"rstorigin"')
_RULEBOOK = re.compile(rb'^-- GENERATED from the rulebook ("[^\n]*") version (\d+)\.$', re.MULTILINE)
_LUA_OFF = re.compile(r"^\s*(enable_lua\s*=\s*false|disable_lua\s*=\s*true)\b", re.MULTILINE)
_FIELD = b"\trstorigin.verdict\t"
_ERRORS_SHOWN = 6  # lines


class Level(StrEnum):
    """How much a result matters."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. If something is wrong, `text` also says what to do."""

    level: Level
    text: str


def _problem(text: str) -> CheckResult:
    return CheckResult(Level.PROBLEM, text)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of a tshark: whether it has the fields, which Lua scripts it loaded, and its Lua errors."""

    has_fields: bool
    scripts: list[Path]
    errors: list[str]


def check(target: InstallTarget, rulebook: Rulebook) -> list[CheckResult]:
    """Check plugin and profile of one target."""
    plugin = target.folders.lua / PLUGIN_NAME
    results = [_installed(plugin, rulebook)]
    for program in target.tsharks:
        results += _loads(program, target.folders, plugin)
    if not target.tsharks:
        results.append(_problem("no tshark is installed, so rstorigin cannot check whether the plugin loads"))
    return [*results, _profile(profile_folder(target.folders))]


def _installed(plugin: Path, rulebook: Rulebook) -> CheckResult:
    """Whether the plugin is installed, and is what the rulebook gives now."""
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
        return CheckResult(Level.OK, f"{plugin} is current, {made_from}")
    ours = f'"{rulebook.header.name}" version {rulebook.header.version}'
    return _problem(
        f"{plugin} is {made_from}; it is not what this rstorigin makes from {ours}: rstorigin plugin install "
        "(add --rulebook FILE if you use a rulebook of your own)",
    )


def _loads(program: Tshark, folders: Folders, plugin: Path) -> Iterator[CheckResult]:
    """Whether one tshark has the fields of the plugin, and from which copy; if not, why."""
    answer = _ask(program)
    copies = _copies(folders.all_lua)
    if answer.has_fields:
        loaded = [path for path in answer.scripts if path in copies] or answer.scripts
        if plugin in loaded and not answer.errors:
            yield CheckResult(Level.OK, f"{program} loads it")
        elif plugin not in loaded:
            yield _problem(f"{program} loads another copy: {_listed(loaded)}")
    else:
        yield _problem(f"{program} does not have the plugin's fields")
        causes = list(_causes(program, folders))
        yield from (_problem(cause) for cause in causes)
        if plugin.exists() and not causes and not answer.errors:
            yield _problem("the cause is unknown: look at `tshark -G plugins`, and for Lua in `tshark --version`")
    if len(copies) > 1:
        yield _problem(f"there are several copies, and only one can load: {_listed(copies)}; remove the others")
    if answer.errors:
        yield _problem(f"{program} reports Lua errors: {' | '.join(answer.errors[:_ERRORS_SHOWN])}")


def _ask(program: Tshark) -> _Answer:
    with program.run(["-G", "plugins"]) as run:
        rows = [line.split("\t") for line in run.stdout.read().decode("utf-8", "surrogateescape").splitlines()]
        lines = run.messages.splitlines()
    scripts = [Path(row[-1]) for row in rows if len(row) > 1 and row[-2].strip().lower() == "lua script"]
    with program.run(["-G", "fields"]) as run:
        has_fields = _FIELD in run.stdout.read()
    # The lines after the first line of an error are its stack trace.
    started = next((number for number, line in enumerate(lines) if "Lua: " in line), len(lines))
    return _Answer(has_fields, scripts, [line.strip() for line in lines[started:]])


def _causes(program: Tshark, folders: Folders) -> Iterator[str]:
    """The reasons why `program` cannot load any Lua."""
    shared = folders.shared_configuration
    candidates = [folders.configuration, folders.lua, *([shared, Path("/etc/wireshark")] if shared else [])]
    for path in (folder / "init.lua" for folder in candidates):
        found = _LUA_OFF.search(_text(path))
        if found:
            yield f"{path} turns Lua off ({found[1]}): remove that line"
    if program.refuses_lua():
        yield "root runs it: from 4.4 on, Wireshark loads no Lua for root, without a message; use an ordinary account"
    if "without Lua" in _built_with(program):
        yield f"{program} was built without Lua: install another Wireshark"


def _built_with(program: Tshark) -> str:
    """What `tshark --version` prints, as one line."""
    with program.run(["--version"]) as run:
        return " ".join(run.stdout.read().decode("utf-8", "replace").split())


def _copies(folders: Iterable[Path]) -> list[Path]:
    """Every Lua file in `folders` or their subfolders that is a copy of the plugin."""
    files = (path for folder in folders for path in sorted(folder.rglob("*.lua")) if path.is_file())
    return list(dict.fromkeys(path for path in files if _IS_PLUGIN.search(_bytes(path)[:_HEAD])))


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # Wireshark, run by the same user, cannot read it either
        return b""


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths)) or "it names none"


def _profile(folder: Path) -> CheckResult:
    """Whether the profile is installed and current. The user may change it, so a difference is only a note."""
    if not folder.is_dir():
        return CheckResult(Level.NOTE, f"there is no profile {folder}: rstorigin plugin install adds it")
    differ = [
        name
        for name, text in render_profile().items()
        if _bytes(folder / name) != text.encode() and name not in WRITTEN_BY_WIRESHARK
    ]
    if differ:
        return CheckResult(
            Level.NOTE,
            f"{folder} is installed; these files are of another version, or you changed them: {', '.join(differ)}",
        )
    return CheckResult(Level.OK, f"{folder} is current")
