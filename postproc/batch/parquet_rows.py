"""Rows of Parquet files: results (result_codec.py). Slow to import: Polars."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import polars as pl

from postproc.batch.result_codec import StoredResult
from postproc.capture.tshark.export_reader import DAMAGED
from postproc.runtime.dataclass_codec import without_none
from postproc.runtime.panics import panics_hidden

_PLAIN: dict[type, pl.DataType] = {int: pl.Int64(), float: pl.Float64(), str: pl.String(), bool: pl.Boolean()}


@cache
def schema_of(record: type) -> dict[str, pl.DataType]:
    """The Polars type of every field of a dataclass, in order."""
    hints = get_type_hints(record)
    return {field.name: _polars_type(hints[field.name]) for field in fields(record)}


def _polars_type(hint: Any) -> pl.DataType:
    hint = without_none(hint)
    if get_origin(hint) is Literal:
        return pl.String()
    if get_origin(hint) is tuple:
        return pl.List(_polars_type(get_args(hint)[0]))
    return pl.Struct(schema_of(hint)) if is_dataclass(hint) and isinstance(hint, type) else _PLAIN[hint]


STORED = schema_of(StoredResult)
_Schema = dict[str, pl.DataType]
_DIGEST = "digest"  # the column that each row has besides those of its schema


def one_row(row: dict[str, Any], schema: _Schema) -> bytes:
    """The content of a Parquet file that holds this row, with its digest."""
    file = io.BytesIO()
    pl.DataFrame([row | {_DIGEST: _digest(row)}], schema=schema | {_DIGEST: pl.String()}).write_parquet(file)
    return file.getvalue()


def row_of(content: bytes, schema: _Schema) -> dict[str, Any]:
    """The row in the content of a Parquet file. Raises ValueError where that is not as `one_row` made it."""
    (row,) = _undamaged(pl.read_parquet(io.BytesIO(content), schema=schema | {_DIGEST: pl.String()}))
    return row


def read_rows(files: list[Path], schema: _Schema) -> list[dict[str, Any]]:
    """The rows in these files. Files that are damaged, have other columns, or are gone add none."""
    try:
        with panics_hidden():
            return _undamaged(pl.read_parquet(files, schema=schema | {_DIGEST: pl.String()})) if files else []
    except DAMAGED:
        if len(files) == 1:
            return []
        return [row for file in files for row in read_rows([file], schema)]


def _undamaged(table: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows whose digest is right: Parquet itself does not notice a wrong bit in a value."""
    return [row for row in table.to_dicts() if row.pop(_DIGEST) == _digest(row)]


def _digest(row: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
