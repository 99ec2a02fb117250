"""Dataclasses <-> plain rows for Parquet and JSON, by their annotations: a new field needs no change here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")
_Reviver = Callable[[Any], Any]


def to_plain(value: Any) -> Any:
    """A dataclass as a dict, a tuple as a list, at any depth."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(record: type[_Record], row: Mapping[str, Any]) -> _Record:
    """The dataclass that `to_plain` made `row` from."""
    values = dict(row)
    for name, revive in _revivers(record).items():  # type: ignore[arg-type]  # a class is hashable
        if values[name] is not None:
            values[name] = revive(values[name])
    return record(**values)


@cache
def _revivers(record: Any) -> dict[str, _Reviver]:
    """For each field whose plain value differs from its value, the function that restores it."""
    found = {name: _reviver(hint) for name, hint in get_type_hints(record).items()}
    return {name: revive for name, revive in found.items() if revive is not None}


def _reviver(hint: Any) -> _Reviver | None:
    hint = without_none(hint)
    if get_origin(hint) is tuple:
        item = _reviver(get_args(hint)[0])
        return tuple if item is None else lambda values: tuple(map(item, values))
    return partial(from_plain, hint) if isinstance(hint, type) and is_dataclass(hint) else None


def without_none(hint: Any) -> Any:
    """The type T of the hint `T | None`; any other hint as it is."""
    if get_origin(hint) in (Union, UnionType):
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint
