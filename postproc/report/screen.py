"""Where text is shown, which is known before anything is laid out for it (terminal.py, which is slow to import)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from shutil import get_terminal_size

WIDTH, _LEAST = 80, 40  # characters


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the text is shown: its width in characters, None for as wide as it gets, and whether it has colours."""

    width: int | None = WIDTH
    colours: bool = False


def screen_of_stdout(*, wide: bool = False) -> Screen:
    """The terminal that stdout is, or 80 columns without colours. No colours where NO_COLOR is set (no-color.org)."""
    terminal = sys.stdout.isatty()
    width = max(get_terminal_size((WIDTH, 24)).columns, _LEAST) if terminal else WIDTH
    return Screen(None if wide else width, terminal and not os.environ.get("NO_COLOR"))
