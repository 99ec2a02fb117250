"""Sections as a Markdown document."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from postproc.report.sections import Cell, Code, Item, Listing, Paragraph, Section, Table
from postproc.runtime.text import escape_markdown, markdown_code


def markdown_of(title: str, sections: Sequence[Section]) -> str:
    """A document of these sections."""
    return "\n\n".join([f"# {escape_markdown(title)}", *map(_section, sections)])


def _section(section: Section) -> str:
    match section:
        case Paragraph():
            return escape_markdown(" ".join(section.sentences))
        case Table():
            return _with_title(section.title, _table(section), section.below)
        case Listing():
            items = (_item(number, item) for number, item in enumerate(section.items, 1))
            return _with_title(section.title, "\n".join(items), section.below)


def _with_title(title: str, content: str, below: str) -> str:
    return "\n\n".join([f"## {escape_markdown(title)}", content, *([escape_markdown(below)] if below else [])])


def _table(table: Table) -> str:
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    headers = [column.title for column in table.columns]
    # tabulate must not parse numbers: it would change a name such as 1e5 or nan.
    return tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)


def _cell(cell: Cell) -> str:
    return escape_markdown(cell if isinstance(cell, str) else ", ".join(cell))


def _item(number: int, item: Item) -> str:
    start = f"{number}. "
    lines = [f"{start}{escape_markdown(item.head)}", *(f"{' ' * len(start)}- {_line(line)}" for line in item.lines)]
    return "\n".join(lines)


def _line(line: str | Code) -> str:
    if isinstance(line, Code):
        return f"{escape_markdown(line.label)} {markdown_code(line.text)}"
    return escape_markdown(line)
