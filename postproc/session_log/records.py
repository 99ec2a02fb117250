"""Lines of a log -> the texts of the fields that a column map asks for, one row a line."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl

from postproc.session_log.column_map import ColumnMap, Place, as_format, keys_of, regex_groups
from postproc.session_log.text_lines import Lines

# key=value and key="value"; a backslash protects a quote. Nothing is tried twice, so any line takes linear time.
_PAIR = re.compile(r'(?<![\w.@/-])([\w.@/-]++)=(?:"((?:[^"\\]|\\.)*+)"|([^\s"]\S*+))?')
_FIELD = "="  # before the names of a log's own fields, which may be any text
_NOTHING = ("", "-", "--", "n/a", "none", "null", "(empty)")  # how logs write that there is no value


class Records(ABC):
    """Reads the records of one log, in file order. Each syntax is a subclass."""

    def __init__(self, column_map: ColumnMap) -> None:
        self.map = column_map
        self.keys = [key for _, places in column_map.fields.by_column() for place in places for key in keys_of(place)]
        self._prefix_groups = regex_groups(column_map.prefix)

    def read(self, lines: Lines) -> pl.DataFrame:
        """The columns of `fields`, as text and null where a record lacks them; `line` is the number of the line.

        `text` is the line itself. Empty lines and comments are left out.
        """
        batch = pl.DataFrame({"text": lines.texts}, schema={"text": pl.String()}).with_row_index("line", lines.first)
        batch = batch.with_columns(pl.col("line").cast(pl.Int64)).filter(pl.col("text").str.strip_chars() != "")
        if self.map.comment:
            batch = batch.filter(~pl.col("text").str.starts_with(self.map.comment) | self._is_header())
        body, before = batch["text"], pl.DataFrame()
        if self.map.prefix:
            if self._prefix_groups:
                before = body.str.extract_groups(self.map.prefix).struct.unnest()
            body = body.str.replace(self.map.prefix, "")
        values = self.parse(body)
        values = values.with_columns(before[name] for name in before.columns if name in self.keys)
        values = values.rename({name: f"{_FIELD}{name}" for name in values.columns})
        # In one chunk: Polars 2.1 panics in pl.format on a column of several.
        return batch.hstack(values).rechunk().select("line", "text", *self._columns(values.columns))

    def _is_header(self) -> pl.Expr:
        return pl.col("text").str.starts_with(self.map.header) if self.map.header else pl.lit(value=False)

    def _columns(self, present: Iterable[str]) -> list[pl.Expr]:
        known = set(present)
        return [
            pl.coalesce(pl.lit(None, pl.String), *(_value(place, known) for place in places)).alias(name)
            for name, places in self.map.fields.by_column()
        ]

    @abstractmethod
    def parse(self, body: pl.Series) -> pl.DataFrame:
        """The fields named in `keys`, as text, under their names; a position under its number."""


def _value(place: Place, present: set[str]) -> pl.Expr:
    keys = keys_of(place)
    names = [f"{_FIELD}{key}" for key in keys]
    if not present.issuperset(names):
        return pl.lit(None, pl.String)
    values = [_present(pl.col(name)) for name in names]
    return pl.format(as_format(place), *values) if isinstance(place, str) and keys != [place] else values[0]


def _present(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(~stripped.str.to_lowercase().is_in(_NOTHING)).then(stripped)


class _Delimited(Records):
    """Cells between delimiters, quoted where they hold one. A header, or `columns`, names them."""

    def __init__(self, column_map: ColumnMap) -> None:
        super().__init__(column_map)
        self._header = ""
        self._positions = self._of_names(column_map.columns) if column_map.columns else self._of_positions()

    def _of_names(self, names: Sequence[str]) -> dict[str, int]:
        """Where each field is. Vendors do not agree with themselves on capitals."""
        at = {name.strip().lower(): position for position, name in reversed([*enumerate(names)])}
        return {str(key): at[key.lower()] for key in self.keys if isinstance(key, str) and key.lower() in at}

    def _of_positions(self) -> dict[str, int]:
        return {str(key): key - 1 for key in self.keys if isinstance(key, int)}

    def read(self, lines: Lines) -> pl.DataFrame:
        """The same without the header."""
        return super().read(lines).filter(pl.col("text") != self._header)

    def parse(self, body: pl.Series) -> pl.DataFrame:
        rows: list[list[str]] = []
        frames: list[pl.DataFrame] = []
        for text in body:
            cells = self._cells(text)
            if self._names_fields(text, cells):
                frames.append(self._frame(rows))
                rows.clear()
                frames.append(self._frame([[]]))  # the header's own row
            else:
                rows.append(cells)
        frames.append(self._frame(rows))
        return pl.concat(frames, how="diagonal")

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self.map.delimiter)
        try:  # one line at a time: an open quote cannot swallow the next lines
            return next(csv.reader([text], delimiter=self.map.delimiter), [])
        except csv.Error:  # a carriage return or a very long cell inside
            return text.split(self.map.delimiter)

    def _names_fields(self, text: str, cells: list[str]) -> bool:
        """Whether the line is a header; if so, its names count from now on."""
        if text == self._header:
            return True
        if self.map.header:
            if not text.startswith(self.map.header):
                return False
            cells = self._cells(text.removeprefix(self.map.header))
        elif self._header:
            return False
        found = self._of_names(cells)
        ends = (self.map.fields.src, self.map.fields.dst)
        if not all(any(str(place) in found for place in places) for places in ends):
            return False
        self._header, self._positions = text, found
        return True

    def _frame(self, rows: Sequence[Sequence[str]]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                key: [cells[position] if position < len(cells) else None for cells in rows]
                for key, position in self._positions.items()
            },
            schema=dict.fromkeys(self._positions, pl.String()),
        )


class _PerLine(Records):
    """Syntaxes in which each line names its fields."""

    def parse(self, body: pl.Series) -> pl.DataFrame:
        keys = dict.fromkeys(str(key) for key in self.keys)
        columns: dict[str, list[str | None]] = {key: [] for key in keys}
        for text in body:
            value_of = self.lookup(text)
            for key, column in columns.items():
                column.append(value_of(key))
        return pl.DataFrame(columns, schema=dict.fromkeys(keys, pl.String()))

    @abstractmethod
    def lookup(self, text: str) -> Callable[[str], str | None]:
        """What gives the value of a field of this line."""


class _Pairs(_PerLine):
    """key=value, with quotes around a value that holds blanks. The first of equal keys counts."""

    def lookup(self, text: str) -> Callable[[str], str | None]:
        found = {key.lower(): quoted or plain for key, quoted, plain in reversed(_PAIR.findall(text))}
        return lambda key: found.get(key.lower())


class _Json(_PerLine):
    """One JSON object a line; dots in a key lead into objects."""

    def lookup(self, text: str) -> Callable[[str], str | None]:
        try:
            found = json.loads(text[text.find("{") :], parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            found = None
        return lambda key: _inside(found, key)


def _inside(value: Any, key: str) -> str | None:
    if isinstance(value, dict) and key not in value:
        first, _, rest = key.partition(".")
        return _inside(value.get(first), rest) if rest else None
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, bool):
        return str(found).lower()
    return found if isinstance(found, str) else None


class _Pattern(Records):
    """Lines that regular expressions take apart; each pattern gives the groups that those before it lack."""

    def parse(self, body: pl.Series) -> pl.DataFrame:
        matches = [body.str.extract_groups(pattern).struct.unnest() for pattern in self.map.patterns]
        wanted = dict.fromkeys(str(key) for key in self.keys)
        return pl.DataFrame(
            {
                name: pl.select(pl.coalesce(columns)).to_series()
                for name in wanted
                if (columns := [match[name] for match in matches if name in match.columns])
            }
        )


_SYNTAXES: dict[str, type[Records]] = {"delimited": _Delimited, "pairs": _Pairs, "json": _Json, "pattern": _Pattern}


def records_of(column_map: ColumnMap) -> Records:
    """What reads the records of a log as this map describes it."""
    return _SYNTAXES[column_map.syntax](column_map)
