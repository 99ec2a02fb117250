"""Wireshark's window in tests: on a screen of its own (Xvfb), as an ordinary user, driven by xdotool.

with screen() as display, Window.open(display, home, capture) as window:
    window.press("ctrl+f")
    window.picture(Path("shot.png"))
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wiresharks import Wireshark

PROGRAMS = ("wireshark", "Xvfb", "openbox", "xdotool", "import")
SIZE = "1500x900"
_PATIENCE_S = 40  # how long a window may take to appear; a busy machine is slow
_POLL_S = 0.2


def missing() -> list[str]:
    """The programs that are not installed (scripts/system-packages.sh gui)."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def _running(command: Sequence[str], log: Path, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ended with the block; what it says goes to `log`."""
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
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SIZE}x24", "-ac", "-nolisten", "tcp"]
        stack.enter_context(_running(command, log, pass_fds=[writing]))
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, f"Xvfb did not start:\n{log.read_text(errors='replace')}"
        display = f":{number}"
        stack.enter_context(_running(["openbox"], log, env={**os.environ, "DISPLAY": display}))
        yield display


def until(found: Callable[[], str], what: str) -> str:
    """The first answer of `found` that is not empty."""
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        answer = found()
        if answer:
            return answer
        time.sleep(_POLL_S)
    raise AssertionError(f"{what} did not appear within {_PATIENCE_S} s")


@dataclass(frozen=True)
class Window:
    """Wireshark's main window on `display`."""

    display: str
    id: str

    @classmethod
    @contextmanager
    def open(cls, wireshark: Wireshark, display: str, home: Path, *arguments: str | Path) -> Iterator[Window]:
        """Start the Wireshark of `home` with `arguments`; the window is there when it has read its capture."""
        log = home / "wireshark.log"
        environment = (f"HOME={home}", f"DISPLAY={display}", "XDG_RUNTIME_DIR=" + str(home), "QT_LOGGING_RULES=*=false")
        command = [*wireshark.command, *environment, "wireshark", *map(str, arguments)]
        with _running(command, log):
            found = until(lambda: _ask(display, "search", "--onlyvisible", "--name", r"\.pcap"), "Wireshark's window")
            yield cls(display, found.split()[0])

    def press(self, *keys: str) -> None:
        """Press keys, as xdotool names them ("ctrl+f")."""
        _ask(self.display, "key", "--delay", "50", *keys)

    def write(self, text: str) -> None:
        """Type `text`."""
        _ask(self.display, "type", "--delay", "10", text)

    def click(self, x: int, y: int, button: int = 1) -> None:
        """Click at `x`, `y` of the screen."""
        _ask(self.display, "mousemove", str(x), str(y), "click", str(button))

    def title(self) -> str:
        """What the title bar says."""
        return _ask(self.display, "getwindowname", self.id)

    def windows(self) -> list[str]:
        """The titles of all visible windows."""
        ids = _ask(self.display, "search", "--onlyvisible", "--name", ".").split()
        return [_ask(self.display, "getwindowname", window) for window in ids]

    def picture(self, target: Path, settle_s: float = 1.0) -> None:
        """What the screen shows, as a PNG with few colours."""
        time.sleep(settle_s)
        subprocess.run(
            ["import", "-display", self.display, "-window", "root", "-colors", "128", f"png8:{target}"],
            check=True,
            timeout=60,
        )


def _ask(display: str, *arguments: str) -> str:
    run = subprocess.run(
        ["xdotool", *arguments], env={**os.environ, "DISPLAY": display}, capture_output=True, text=True, timeout=30
    )
    return run.stdout.strip()
