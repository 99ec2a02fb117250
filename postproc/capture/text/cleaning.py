"""Lines of a text as their tool printed them: without the colours, quote marks and indentation of a mail or a page."""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_QUOTED = re.compile(r"^(?:> ?|\| )+")


def cleaned(line: str) -> tuple[str, int]:
    """The text of a line without colours, quote marks and indentation, and how deep it was indented, in columns."""
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    line = line.rstrip().replace("\u00a0", " ")
    if line.startswith((">", "| ")):
        line = _QUOTED.sub("", line, count=1)
    text = line.lstrip()
    return text, 0 if text is line else len(line[: len(line) - len(text)].expandtabs())
