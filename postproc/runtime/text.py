"""Text for people: safe to show, whoever wrote it.

Packets and file names may hold any text. Everywhere, control characters, ANSI sequences and characters that change the
writing direction are shown as escapes (`heuristics.errors.visible`). Markdown, spreadsheets and shells need more.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
from collections.abc import Iterable

from heuristics.errors import visible
from heuristics.language.template import count_text

# Characters with a meaning in Markdown (GitHub's, too), and in the HTML that Markdown passes through.
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#$])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A cell that begins with one of these is a formula to a spreadsheet (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_markdown(text: str) -> str:
    """`text` as plain words in Markdown, also in the cell of a table."""
    safe = "".join(_HTML.get(character, character) for character in visible(text))
    return _MARKDOWN.sub(r"\\\1", safe)


def markdown_code(text: str) -> str:
    """`text` as a code span in Markdown. A code span cannot hold backticks, so they become quotes."""
    return f"`{visible(text).replace('`', chr(39))}`"


def plural(count: int, thing: str) -> str:
    """`count` and the noun `thing`, in the plural where the count asks for it: 1 packet, 1,234 packets."""
    return count_text(count, thing)


def csv_text(text: str) -> str:
    """`text` as a cell that no spreadsheet reads as a formula: one that begins like a formula gets a `'` in front."""
    return visible(f"'{text}" if text.startswith(_FORMULA) else text)


def csv_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV. Its texts are made safe by `csv_text`; truth values are `true` and `false`, as in JSON."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(_csv_cell, row) for row in rows)
    return table.getvalue().removesuffix("\n")


def _csv_cell(cell: object) -> object:
    if isinstance(cell, bool):
        return str(cell).lower()
    return csv_text(cell) if isinstance(cell, str) else cell


def shell_word(text: str) -> str:
    r"""`text` as one word of a shell command, safe to show: unprintable bytes as `$'\x1b'` (bash, zsh)."""
    if text.isprintable():
        return shlex.quote(text)
    quoted = (rf"\{c}" if c in "\\'" else c if c.isprintable() else _bytes(c) for c in text)
    return f"$'{''.join(quoted)}'"


def shell_command(words: Iterable[str]) -> str:
    """A shell command of these words; see `shell_word`."""
    return " ".join(map(shell_word, words))


def _bytes(character: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in os.fsencode(character))


def cut_in_the_middle(text: str, width: int) -> str:
    """`text` with its middle left out, where it is longer than `width` characters."""
    if len(text) <= width:
        return text
    end = (width - 3) // 2
    return f"{text[: width - 3 - end]}...{text[-end:]}"
