"""A fields export -> frames of text columns. Reads TSV as tshark prints it (compressed or UTF-16, too), and Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS, OPTIONAL_FIELDS
from postproc.capture.file_type import FileType
from postproc.capture.text_stream import text_stream
from postproc.capture.tshark.fields_export import print_command
from postproc.capture.tshark.tsv_reader import FieldsText, columns
from postproc.capture.tshark.values import Rejected, check_numbers
from postproc.runtime.errors import CaptureError
from postproc.runtime.panics import panics_hidden

# Errors of reading a damaged Parquet file; Polars may panic on one.
DAMAGED = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)

_ROWS = 200_000  # of a Parquet file at a time


def read_export(path: Path, file_type: FileType, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    """The columns FIELDS of the export at `path`, in frames of bounded size.

    Rows with a wrong value are left out, and an export whose last line has no end is read up to that line; `problems`
    then gets an entry. Raises CaptureError, also where no row is right.
    """
    remedy = f"make it anew: rstorigin export CAPTURE -o FILE, or {print_command(Path('CAPTURE'))} > FILE"
    rejected = Rejected() if file_type is not FileType.PARQUET else Rejected("row", 0)
    if file_type is FileType.PARQUET:
        yield from _parquet(path, remedy, rejected)
        cut_short = False
    else:
        with text_stream(path, remedy) as file:
            text = FieldsText(file, str(path), remedy, rejected=rejected)
            yield from text.frames()
        cut_short = text.cut_short
    if rejected.count and not rejected.kept:
        raise CaptureError(str(path), rejected.first, remedy)
    if rejected.count:
        problems.append(Problem(str(path), "", "", rejected.reason(), remedy))
    if cut_short:
        reason = "the export is cut short in the middle of a line; the packets before it were read"
        problems.append(Problem(str(path), "", "", reason, "make it anew"))


def _parquet(path: Path, remedy: str, rejected: Rejected) -> Iterator[pl.DataFrame]:
    try:
        with panics_hidden():
            table = pl.scan_parquet(path)
            schema = table.collect_schema()
            rows = table.select(pl.len()).collect().item()
        if missing := [name for name in FIELDS if not _fits(name, schema)]:
            raise CaptureError(str(path), f"the export lacks {', '.join(missing)}, as text", remedy)
        for start in range(0, rows, _ROWS):
            with panics_hidden():
                frame = table.select(columns(FIELDS, schema)).slice(start, _ROWS).collect()
            frame = rejected.without(frame)
            check_numbers(frame, str(path))
            yield frame
    except DAMAGED as error:
        reason = str(error).partition("\n")[0]
        raise CaptureError(str(path), f"is not a Parquet file that can be read: {reason}", remedy) from None


def _fits(name: str, schema: pl.Schema) -> bool:
    return schema[name] == pl.String if name in schema else name in OPTIONAL_FIELDS
