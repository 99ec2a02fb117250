"""The parts of a report, before they are laid out for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Where the table is fitted to a width, names longer than `cut` characters lose their middle, lines of more than
    `most` characters are broken (0: neither), and lines of a `fixed` column never are.
    """

    title: str
    cut: int = 0
    most: int = 0
    fixed: bool = False
    right: bool = False


Cell = str | tuple[str, ...]  # a tuple: its lines


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its title. `below` is a remark, empty if there is none."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    below: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A line to copy, so never broken: a display filter or a command. `label` says what it is."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list: its first line, and the lines below it."""

    head: str
    lines: Sequence[str | Code]


@dataclass(frozen=True, slots=True)
class Listing:
    """A numbered list with its title."""

    title: str
    items: Sequence[Item]
    below: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences, each on a line of its own."""

    sentences: Sequence[str]


Section = Paragraph | Table | Listing
