"""Wireshark's window in tests: on a screen of its own (Xvfb), as an ordinary user with a new home, driven by xdotool.

    with opened(CAPTURE, PLUGIN, render_profile()) as window:
        window.press("ctrl+f")
        window.picture(Path("shot.png"))

Positions are pixels of a screen of WIDTH x HEIGHT, which the window fills.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from generator.profile import PROFILE_NAME
from generator.render import VERDICT_VARIABLE
from support.waiting import until
from support.wiresharks import PERSONAL_CONFIGURATION, PERSONAL_LUA_PLUGINS, Wireshark, available, give_away

PROGRAMS = ("wireshark", "Xvfb", "openbox", "xdotool", "xclip", "import")
WIDTH, HEIGHT = 1500, 960
_MENU_S = 0.5
_AGAIN_S = 10
_GONE_S = 10


def missing() -> list[str]:
    """The programs that are not installed (scripts/system-packages.sh gui)."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def with_window() -> list[Wireshark]:
    """The Wiresharks that have a window: the system's, if installed, and others (scripts/wireshark-versions.sh)."""
    return [each for each in available() if each.root is None or (each.root / "usr/bin/wireshark").is_file()]


@contextmanager
def _running(command: Sequence[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block. Its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def screen() -> Iterator[str]:
    """A screen with a window manager, as $DISPLAY names it."""
    with tempfile.TemporaryDirectory(prefix="rstorigin-x-") as folder, ExitStack() as stack:
        log = Path(folder) / "log"
        reading, writing = os.pipe()
        command = [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            f"{WIDTH}x{HEIGHT}x24",
            "-ac",
            "-nolisten",
            "tcp",
        ]
        stack.enter_context(_running(command, log, pass_fds=[writing]))
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, f"Xvfb did not start:\n{log.read_text(errors='replace')}"
        display = f":{number}"
        stack.enter_context(_running(["openbox"], log, env={**os.environ, "DISPLAY": display}))
        yield display


@dataclass(frozen=True)
class Window:
    """Wireshark's main window on `display`, with its user's `home`, which it names `inside`."""

    display: str
    home: Path
    inside: Path
    id: str

    def press(self, *keys: str) -> None:
        """Press keys, as xdotool names them ("ctrl+f")."""
        _ask(self.display, "key", "--delay", "60", *keys)

    def write(self, text: str) -> None:
        """Type `text`."""
        _ask(self.display, "type", "--delay", "10", text)

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Click at `x`, `y` of the screen."""
        _ask(self.display, "mousemove", str(x), str(y), "click", str(button))

    def title(self) -> str:
        """The text of the title bar."""
        return _ask(self.display, "getwindowname", self.id)

    def select(self, frame: int) -> None:
        """Go > Go to Packet, then into the packet list."""
        self.press("Escape", "ctrl+g")
        self.write(str(frame))
        self.press("Return")

    def clipboard(self) -> str:
        """The text that was copied last."""
        run = subprocess.run(
            ["xclip", "-o", "-selection", "clipboard"],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return run.stdout

    def has(self, title: str) -> bool:
        """Whether there is a window with `title`."""
        return bool(_find(self.display, f"^{title}$"))

    def filter(self, text: str) -> None:
        """Apply a display filter. A window that is still busy loses keys: look whether it did."""
        self.press(*["Escape"] * 3, "ctrl+slash", "ctrl+a")
        self.write(text)
        time.sleep(1)  # the input field completes words during typing
        self.press("Return")
        time.sleep(1)

    def dialog(self, title: str, opens: Callable[[], None]) -> str:
        """The id of the window with `title`, which the keys or clicks of `opens` bring up.

        A window that is still busy loses keys, so `opens` is done again where nothing appears.
        """
        last = -math.inf

        def found() -> str:
            nonlocal last
            there = _find(self.display, f"^{title}$")
            if not there and time.monotonic() - last > _AGAIN_S:
                opens()
                last = time.monotonic()
            return there

        try:
            return until(found, f"the window {title!r}")
        except AssertionError as error:
            shown = [_ask(self.display, "getwindowname", each) for each in _all(self.display, "..")]
            raise AssertionError(f"{error}; on the screen: {', '.join(map(repr, shown))}") from None

    def answer(self, title: str, says: Callable[[], None], *, select_all: bool = True) -> None:
        """Do `says` and press Return in the window with `title`, again until it is gone: it may still be busy.

        A list of completions takes the first Return.
        """

        def gone() -> bool:
            if select_all:
                self.press("ctrl+a")
            says()
            self.press("Return")
            ends = time.monotonic() + _GONE_S
            while time.monotonic() < ends and self.has(title):
                time.sleep(0.1)
            return not self.has(title)

        until(gone, f"the end of the window {title!r}")

    def closed(self, title: str) -> None:
        """Wait until there is no window with `title`."""
        until(lambda: not self.has(title), f"the end of the window {title!r}")

    def menu(self, *keys: str) -> None:
        """Open a menu ("alt+f") and walk through it; a menu needs a moment to take keys."""
        self.press(keys[0])
        time.sleep(_MENU_S)
        self.press(*keys[1:])
        time.sleep(_MENU_S)

    def picture(self, target: Path, part: str = "", settle_s: float = 1.5) -> None:
        """A picture of the screen, as a PNG with few colours; `part` as WIDTHxHEIGHT+X+Y, else all of it."""
        time.sleep(settle_s)
        crop = ["-crop", part, "+repage"] if part else []
        subprocess.run(
            [
                "import",
                "-display",
                self.display,
                "-window",
                "root",
                *crop,
                "+dither",
                "-colors",
                "64",
                f"png8:{target}",
            ],
            check=True,
            timeout=60,
        )

    def resize(self, window: str, width: int, height: int) -> None:
        """Make a window as large as this, at the upper left."""
        _ask(self.display, "windowmove", window, "100", "100")
        _ask(self.display, "windowsize", "--sync", window, str(width), str(height))

    def place(self, window: str) -> tuple[int, int, int, int]:
        """Left, top, width and height of a window."""
        told = dict(
            line.split("=")
            for line in _ask(self.display, "getwindowgeometry", "--shell", window).splitlines()
            if "=" in line
        )
        return int(told["X"]), int(told["Y"]), int(told["WIDTH"]), int(told["HEIGHT"])


@contextmanager
def opened(
    capture: Path,
    plugin: Path,
    profile: Mapping[str, str] | None,
    verdicts: Path | None = None,
    wireshark: Wireshark | None = None,
    *,
    choose: bool = True,
) -> Iterator[Window]:
    """A Wireshark (default: the system's) with `capture` open, filling a screen of its own.

    `profile` (file name -> text) is installed, if given, and chosen, unless `choose` is False; the plugin takes over a
    copy of `verdicts`.
    """
    wireshark = wireshark or available()[0]
    with wireshark.home() as home, screen() as display:
        files = {str(PERSONAL_LUA_PLUGINS / plugin.name): plugin.read_text(encoding="utf-8")}
        files |= {
            str(PERSONAL_CONFIGURATION / "profiles" / PROFILE_NAME / name): text
            for name, text in (profile or {}).items()
        }
        for name, text in files.items():
            target = home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        for file in filter(None, (capture, verdicts)):
            shutil.copyfile(file, home / file.name)
        give_away(home)
        inside = wireshark.inside(home)
        environment = [f"HOME={inside}", f"DISPLAY={display}", f"XDG_RUNTIME_DIR={inside}"]
        if verdicts is not None:
            environment.append(f"{VERDICT_VARIABLE}={inside / verdicts.name}")
        chosen = ["-C", PROFILE_NAME] if profile and choose else []
        command = [*wireshark.command, *environment, "wireshark", *chosen, "-r", str(inside / capture.name)]
        with _running(command, home / "wireshark.log"):
            found = str(until(lambda: _find(display, f"^{capture.name}$"), "Wireshark's window"))
            _ask(display, "windowmove", found, "0", "0")
            _ask(display, "windowsize", "--sync", found, str(WIDTH - 2), str(HEIGHT - 25))
            _ask(display, "windowactivate", "--sync", found)  # else the first keys may get lost
            time.sleep(1)
            yield Window(display, home, inside, found)


def _find(display: str, name: str) -> str:
    """The id of the visible window whose title matches `name`, or nothing."""
    return next(iter(_all(display, name)), "")


def _all(display: str, name: str) -> list[str]:
    """The ids of all such windows."""
    return _ask(display, "search", "--onlyvisible", "--name", name).split()


def _ask(display: str, *arguments: str) -> str:
    run = subprocess.run(
        ["xdotool", *arguments], env={**os.environ, "DISPLAY": display}, capture_output=True, text=True, timeout=60
    )
    return run.stdout.strip()
