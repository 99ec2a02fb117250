"""Starts Wireshark or tshark with a capture and the verdicts that the plugin takes over."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from generator.profile import PROFILE_NAME
from generator.profile_files import column_format
from generator.render import PLUGIN_NAME, VERDICT_FILE_VERSION, VERDICT_VARIABLE, render_plugin
from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from heuristics.user_cache import cache_folder
from postproc.capture.tshark.program import Tshark
from postproc.plugin_setup.install import profile_folder
from postproc.plugin_setup.wireshark_folders import Folders, folders_of
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError, UsageError

_TAKES_VERDICTS = f"rstorigin-verdicts\\t{VERDICT_FILE_VERSION}".encode()
_MAKE_FOLDER = "set XDG_CACHE_HOME to a folder that you may write to"


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what to add to the environment."""

    words: tuple[str, ...]
    environment: Mapping[str, str]

    def __str__(self) -> str:
        """The command as a shell takes it."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*settings, shlex.join(self.words)])

    def start(self) -> subprocess.Popen[bytes]:
        """Start the program. Raises UsageError where that is not possible."""
        try:
            return subprocess.Popen(self.words, env={**os.environ, **self.environment})
        except OSError as error:
            raise UsageError(visible(f"{self.words[0]} cannot be started: {error.strerror}")) from None


def find_wireshark(tshark: Tshark) -> Path:
    """The Wireshark beside `tshark`, else the one on PATH. Raises UsageError."""
    beside = [tshark.program.with_name(name) for name in ("wireshark", "Wireshark", "Wireshark.exe")]
    found = next((path for path in beside if path.is_file()), None) or shutil.which("wireshark")
    if found is None:
        raise UsageError(
            "Wireshark is not installed: Debian and Ubuntu `apt install wireshark`, elsewhere "
            "https://www.wireshark.org; or add --tshark"
        )
    return Path(found)


def verdict_path(capture: Path) -> Path:
    """Where the verdicts of a capture stand: always the same file, so that an open Wireshark can read new verdicts."""
    return cache_folder() / "verdicts" / f"{sha256(os.fsencode(capture.resolve())).hexdigest()[:32]}.txt"


def write_verdicts(target: Path, lines: Iterable[str]) -> None:
    """Write the lines to `target`, whole or not at all. Raises OutputError."""
    _make(target.parent)
    with whole_file(target, hint=_MAKE_FOLDER, follow=False) as file:
        file.writelines(line.encode() for line in lines)


def wireshark_command(
    tshark: Tshark, capture: Path, verdicts: Path, rulebook: Rulebook, arguments: Sequence[str]
) -> Command:
    """The command that shows `capture` in Wireshark, with the profile where it is installed."""
    folders = folders_of(tshark)
    look = ("-C", PROFILE_NAME) if profile_folder(folders).is_dir() else ("-o", f"gui.column.format:{column_format()}")
    program = str(find_wireshark(tshark))
    words = (program, *_plugin_options(folders, rulebook), *look, "-r", str(capture), *arguments)
    return Command(words, {VERDICT_VARIABLE: str(verdicts)})


def tshark_command(
    tshark: Tshark, capture: Path, verdicts: Path, rulebook: Rulebook, arguments: Sequence[str]
) -> Command:
    """The command that prints `capture` with tshark. One pass is enough."""
    words = (str(tshark.program), *_plugin_options(folders_of(tshark), rulebook), "-r", str(capture), *arguments)
    return Command(words, {VERDICT_VARIABLE: str(verdicts)})


def _plugin_options(folders: Folders, rulebook: Rulebook) -> tuple[str, ...]:
    """What loads the plugin where it is not installed. Raises UsageError where an older one is."""
    for folder in folders.all_lua:
        installed = folder / PLUGIN_NAME
        if installed.is_file():
            if _TAKES_VERDICTS not in installed.read_bytes():
                raise UsageError(
                    visible(f"{installed} is an older plugin, which takes no verdicts over: rstorigin plugin install")
                )
            return ()
    target = cache_folder() / PLUGIN_NAME
    _make(target.parent)
    with whole_file(target, hint=_MAKE_FOLDER, follow=False) as file:
        file.write(render_plugin(rulebook).encode())
    return ("-X", f"lua_script:{target}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(str(folder), f"cannot be made: {error.strerror}", _MAKE_FOLDER) from None
