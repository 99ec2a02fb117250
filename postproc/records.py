"""Dataclasses <-> rows of a Parquet file: the schema follows the annotations, so a new field needs no change here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import polars as pl

_PLAIN: dict[type, pl.DataType] = {int: pl.Int64(), float: pl.Float64(), str: pl.String(), bool: pl.Boolean()}
_Record = TypeVar("_Record")

# What reading a damaged Parquet file raises; its reader may panic on one.
DAMAGED_PARQUET = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


@cache
def schema_of(record: type) -> dict[str, pl.DataType]:
    """The Polars type of every field of a dataclass, in order."""
    hints = get_type_hints(record)
    return {field.name: _polars_type(hints[field.name]) for field in fields(record)}


def to_plain(value: Any) -> Any:
    """A dataclass as a dict, a tuple as a list, at any depth; what Polars makes rows from."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(record: type[_Record], row: Mapping[str, Any]) -> _Record:
    """The dataclass that `row` was made from."""
    hints: dict[str, Any] = _hints(record)  # type: ignore[arg-type]  # a class is hashable
    return record(**{name: _revived(hints[name], value) for name, value in row.items()})


@cache
def _hints(record: Any) -> dict[str, Any]:
    return {name: _without_none(hint) for name, hint in get_type_hints(record).items()}


def _revived(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return tuple(_revived(item, each) for each in value)
    return from_plain(hint, value) if is_dataclass(hint) and isinstance(hint, type) else value


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint


def _polars_type(hint: Any) -> pl.DataType:
    hint = _without_none(hint)
    if get_origin(hint) is Literal:
        return pl.String()
    if get_origin(hint) is tuple:
        return pl.List(_polars_type(get_args(hint)[0]))
    return pl.Struct(schema_of(hint)) if is_dataclass(hint) and isinstance(hint, type) else _PLAIN[hint]
