"""The Wiresharks that tests can run: the system's, and those that scripts/wireshark-versions.sh set up beside it.

    @pytest.mark.versions
    @pytest.mark.parametrize("wireshark", available(), ids=str)
    def test_the_plugin_loads(wireshark: Wireshark) -> None:
        result = wireshark.tshark("-r", CAPTURE, "-Y", "rstorigin", plugins=[PLUGIN])
        assert result.stderr == ""

Every program runs as an ordinary user with an empty home folder, whoever runs the tests: from Wireshark 4.4 on, Lua
does not load for root, without a word.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from generator.render import VERDICT_VARIABLE

DEFAULT_ROOTS = "/var/tmp/rstorigin-wiresharks"  # also in scripts/wireshark-versions.sh
NOBODY = 65534  # user nobody, group nogroup (nobody outside Debian)
PERSONAL_CONFIGURATION = Path(".config/wireshark")  # tshark -G folders, the same from 4.0 to 4.6
PERSONAL_LUA_PLUGINS = Path(".local/lib/wireshark/plugins")


@dataclass(frozen=True)
class Wireshark:
    """One installed Wireshark. `command` goes before a program's name; `root` is its own Linux tree, if any."""

    name: str
    version: tuple[int, ...]
    command: tuple[str, ...]
    root: Path | None

    def __str__(self) -> str:
        """The name in test ids: "trixie-4.4.18"."""
        return f"{self.name}-{'.'.join(map(str, self.version))}"

    def tshark(
        self,
        *arguments: str | Path,
        plugins: Sequence[Path] = (),
        scripts: Sequence[Path] = (),
        configuration: Path | None = None,
        verdicts: Path | None = None,
        judge: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run this Wireshark's tshark; see `run`."""
        return self.run(
            "tshark",
            *arguments,
            plugins=plugins,
            scripts=scripts,
            configuration=configuration,
            verdicts=verdicts,
            judge=judge,
            timeout=timeout,
        )

    def run(
        self,
        program: str,
        *arguments: str | Path,
        plugins: Sequence[Path] = (),
        scripts: Sequence[Path] = (),
        configuration: Path | None = None,
        verdicts: Path | None = None,
        judge: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this Wireshark (tshark, capinfos, editcap ...) and return its output and exit status.

        An argument that is a `Path` is a file or folder to read. The program gets a copy under the same name, since it
        sees neither the tree of the tests nor, perhaps, files of their owner. Strings go as they are.

        `plugins` are put into the personal Lua plugin folder; `scripts` are loaded by `-X lua_script`, so that
        `-X lua_script1:WORD` is told to the first of them; `configuration` becomes the personal configuration folder
        (its `profiles/NAME` serves `-C NAME`); the plugin takes `verdicts` over. Without a `configuration`, `judge`
        switches an installed plugin on. `timeout` is in seconds; past it, `subprocess.TimeoutExpired` is raised.
        """
        with self.home() as home:
            for plugin in plugins:
                _copy(plugin, home / PERSONAL_LUA_PLUGINS / plugin.name)
            if configuration is not None:
                _copy(configuration, home / PERSONAL_CONFIGURATION)
            elif plugins and judge:
                preferences = home / PERSONAL_CONFIGURATION / "preferences"
                preferences.parent.mkdir(parents=True)
                preferences.write_text("rstorigin.judge: TRUE\n", encoding="utf-8")
            words = []
            for script in scripts:
                copy = home / "scripts" / script.name
                _copy(script, copy)
                words += ["-X", f"lua_script:{self.inside(copy)}"]
            for index, argument in enumerate(arguments):
                if isinstance(argument, Path):
                    copy = home / str(index) / argument.name  # a folder each: two inputs may have the same name
                    _copy(argument, copy)
                    words.append(str(self.inside(copy)))
                else:
                    words.append(argument)
            settings = [f"HOME={self.inside(home)}"]
            if verdicts is not None:
                copy = home / "handed-over" / verdicts.name
                _copy(verdicts, copy)
                settings.append(f"{VERDICT_VARIABLE}={self.inside(copy)}")
            give_away(home)
            return subprocess.run(
                [*self.command, *settings, program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )

    @contextmanager
    def home(self) -> Iterator[Path]:
        """A new folder that the program may write to. It is deleted after the block."""
        with tempfile.TemporaryDirectory(prefix="rstorigin-", dir=self.root / "tmp" if self.root else None) as folder:
            yield Path(folder)

    def inside(self, path: Path) -> Path:
        """`path` as the program names it."""
        return Path("/") / path.relative_to(self.root) if self.root else path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def give_away(home: Path) -> None:
    """Make `home` and all in it the ordinary user's, when we are root."""
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


def _command(root: Path | None) -> tuple[str, ...]:
    """The command that runs a program in `root` (None: this system) as an ordinary user; it ends in `env`."""
    # The caller's settings (profiles, locale, time zone) must not count.
    path = "/usr/bin:/bin" if root else os.environ.get("PATH", os.defpath)
    env = ("env", "-i", f"PATH={path}", "LC_ALL=C.UTF-8", "TZ=UTC")
    if os.geteuid() == 0:
        if root:
            return ("chroot", f"--userspec={NOBODY}:{NOBODY}", str(root), *env)
        return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *env)
    if root:  # without rights: where the kernel lets users have namespaces of their own
        return ("unshare", "--map-current-user", f"--root={root}", "--wd=/", "--", *env)
    return env


def _probe(name: str, root: Path | None) -> Wireshark | None:
    """The Wireshark in `root`, or None where none runs."""
    candidate = Wireshark(name, (), _command(root), root)
    try:
        answer = candidate.tshark("--version", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # "TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3)." and "TShark (Wireshark) 4.6.9."
    found = re.match(r"TShark \(Wireshark\) (\d+)\.(\d+)\.(\d+)", answer.stdout)
    if answer.returncode != 0 or found is None:
        return None
    return Wireshark(name, tuple(map(int, found.groups())), candidate.command, root)


@cache
def available() -> tuple[Wireshark, ...]:
    """Every Wireshark that runs on this machine: the system's first, then by version."""
    roots = Path(os.environ.get("RSTORIGIN_WIRESHARKS", DEFAULT_ROOTS))
    folders = sorted(path for path in roots.glob("[!.]*") if path.is_dir()) if roots.is_dir() else []
    others = [wireshark for folder in folders if (wireshark := _probe(folder.name, folder))]
    system = _probe("system", None)
    return (*((system,) if system else ()), *sorted(others, key=lambda wireshark: wireshark.version))
