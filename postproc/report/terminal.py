"""Sections for a terminal: fitted to a width, with colours for verdicts where they are asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from heuristics.errors import visible
from heuristics.rulebook.scoring import Verdict
from heuristics.verdict_colours import VERDICT_COLOURS
from postproc.report.screen import WIDTH, Screen
from postproc.report.sections import Cell, Code, Item, Listing, Paragraph, Section, Table
from postproc.runtime.text import cut_in_the_middle

_WIDE = 10_000  # characters
_STYLES = {
    rf"(?<!likely )\b{Verdict.FORGED}\b": VERDICT_COLOURS[Verdict.FORGED].terminal,
    rf"\b(?:probably|{Verdict.LIKELY_FORGED})\b": VERDICT_COLOURS[Verdict.LIKELY_FORGED].terminal,
    rf"\b{Verdict.UNCLEAR}\b": VERDICT_COLOURS[Verdict.UNCLEAR].terminal,
    rf"\b(?:likely )?{Verdict.GENUINE}\b": VERDICT_COLOURS[Verdict.GENUINE].terminal,
}


def laid_out(sections: Sequence[Section], screen: Screen) -> str:
    """The text of the sections, with an empty line between."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=screen.width or _WIDE,
        force_terminal=screen.colours,
        color_system="standard" if screen.colours else None,
        highlight=False,
        legacy_windows=False,
    )
    for number, section in enumerate(sections):
        if number:
            console.print()
        _print(console, section, screen)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _print(console: Console, section: Section, screen: Screen) -> None:
    match section:
        case Paragraph():
            for sentence in section.sentences:
                console.print(_text(sentence))
        case Table() if screen.width and screen.width < WIDTH:
            _print(console, _as_listing(section), screen)
        case Table():
            console.print(_title(section.title))
            console.print(_table(section, screen))
            if section.below:
                console.print(_text(section.below))
        case Listing():
            console.print(_title(section.title))
            for number, item in enumerate(section.items, 1):
                _print_item(console, number, item)
            if section.below:
                console.print(_text(section.below))


def _as_listing(table: Table) -> Listing:
    """The table for a narrow screen: its rows one below the other."""
    titles = [column.title for column in table.columns]
    items = []
    for row in table.rows:
        first, *rest = (cell if isinstance(cell, str) else ", ".join(cell) for cell in row)
        items.append(Item(first, [f"{title}: {text}" for title, text in zip(titles[1:], rest, strict=True) if text]))
    return Listing(table.title, items, table.below)


def _print_item(console: Console, number: int, item: Item) -> None:
    start = f"{number}. "
    console.print(_hanging(start, item.head))
    for line in item.lines:
        if isinstance(line, Code):  # in one line, to be copied
            console.print(Text(f"{' ' * len(start)}- {visible(line.label)} {visible(line.text)}"), soft_wrap=True)
        else:
            console.print(Padding(_hanging("- ", line), (0, 0, 0, len(start))))


def _hanging(start: str, text: str) -> RenderableType:
    """`text` after `start`, with further lines below its beginning."""
    grid = RichTable.grid()
    grid.add_column(width=len(start))
    grid.add_column(overflow="fold")
    grid.add_row(start, _text(text))
    return grid


def _title(text: str) -> Text:
    return Text(visible(text).upper(), style="bold")


def _table(table: Table, screen: Screen) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns:
        shown.add_column(
            column.title,
            no_wrap=screen.width is None or column.fixed,
            overflow="fold",
            max_width=column.most or None if screen.width else None,
            justify="right" if column.right else "left",
        )
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        shown.add_row(*(_cell(cell, column.cut if screen.width else 0) for column, cell in cells))
    return shown


def _cell(cell: Cell, cut: int) -> Text:
    lines = (cell,) if isinstance(cell, str) else cell
    return _text(*(cut_in_the_middle(visible(line), cut) if cut else line for line in lines))


def _text(*lines: str) -> Text:
    """The lines, harmless, with the verdicts in them in their colours."""
    shown = Text("\n".join(map(visible, lines)))
    for pattern, style in _STYLES.items():
        shown.highlight_regex(pattern, style)
    return shown
