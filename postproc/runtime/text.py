"""Text from packets and file names is anyone's: made harmless for where it goes.

Control characters, ANSI sequences and characters that turn the writing direction are shown as escapes everywhere
(`heuristics.errors.visible`); here is what Markdown, spreadsheets and shells need on top of that.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
from collections.abc import Iterable

from heuristics.errors import visible

# Marks that begin something in Markdown (GitHub's too), and the HTML that Markdown lets through.
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#$])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What makes spreadsheets take a cell for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def markdown(text: str) -> str:
    """`text` as plain words in Markdown, also in a cell of a table."""
    safe = "".join(_HTML.get(character, character) for character in visible(text))
    return _MARKDOWN.sub(r"\\\1", safe)


def markdown_code(text: str) -> str:
    """`text` as a code span in Markdown; backticks become quotes, since no escape for them exists there."""
    return f"`{visible(text).replace('`', chr(39))}`"


def csv_text(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: a `'` goes before what begins like one."""
    return visible(f"'{text}" if text.startswith(_FORMULA) else text)


def csv_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV; see `csv_text`."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([csv_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return table.getvalue().removesuffix("\n")


def shell_word(text: str) -> str:
    r"""`text` as one word of a shell command, safe to show: what is not printable as bytes in `$'\x1b'` (bash, zsh)."""
    if text.isprintable():
        return shlex.quote(text)
    quoted = (rf"\{c}" if c in "\\'" else c if c.isprintable() else _bytes(c) for c in text)
    return f"$'{''.join(quoted)}'"


def shell_command(words: Iterable[str]) -> str:
    """A command line of these words; see `shell_word`."""
    return " ".join(map(shell_word, words))


def _bytes(character: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in os.fsencode(character))
