"""Which of the known formats a log has: the one by whose column map most of its first lines are sessions."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from postproc.runtime.errors import CaptureError
from postproc.session_log.beginnings import Beginnings
from postproc.session_log.column_map import ColumnMap, known_formats, load_map
from postproc.session_log.log_time import Clock
from postproc.session_log.records import records_of
from postproc.session_log.sessions import sessions_of
from postproc.session_log.text_lines import Lines, text_lines

_LINES_READ = 5000
_SHOWN = 80  # characters of the first line that a message repeats


def recognised(path: Path) -> ColumnMap:
    """The column map of a log. Raises CaptureError where no known format fits."""
    with text_lines(path) as batches:
        first = next(batches, Lines(1, []))
    lines = Lines(first.first, first.texts[:_LINES_READ])
    if not any(text.strip() for text in lines.texts):
        raise CaptureError(str(path), "is empty, or has only empty lines")
    maps = [load_map(name) for name in known_formats()]
    counts = [_understood(lines, column_map) for column_map in maps]
    if not any(counts):
        text = next(text for text in lines.texts if text.strip())
        reason = f"no known format of session logs; it begins: {text.strip()[:_SHOWN]}"
        hint = f"--log-format takes {', '.join(known_formats())}, or a column map of your own"
        raise CaptureError(str(path), reason, hint)
    return maps[counts.index(max(counts))]


def _understood(lines: Lines, column_map: ColumnMap) -> int:
    """How many of the lines are sessions with a time, or begin one."""
    batch = sessions_of(records_of(column_map).read(lines), column_map, Clock(), Beginnings())
    timed = batch.sessions.filter(pl.col("start_us").is_not_null() | pl.col("end_us").is_not_null())
    return timed.height + batch.begun
