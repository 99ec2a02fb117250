"""Dataclasses <-> plain rows for Parquet and JSON, by their annotations: a new field needs no change here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

_Record = TypeVar("_Record")


class _Reader(NamedTuple):
    """How a plain value becomes that of a field: the types that it may have, and the function that restores it.

    `revive` is None where the plain value is the value.
    """

    types: frozenset[type]
    revive: Callable[[Any], Any] | None


def to_plain(value: Any) -> Any:
    """A dataclass as a dict, a tuple as a list, at any depth."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(record: type[_Record], row: object) -> _Record:
    """The dataclass that `to_plain` made `row` from. Raises ValueError for anything that it does not make."""
    readers = _readers(record)  # type: ignore[arg-type]  # a class is hashable
    if not isinstance(row, dict) or row.keys() != readers.keys():
        raise ValueError(f"a row of {record.__name__} has other columns")
    values = row.copy()
    for name, (types, revive) in readers.items():  # runs for every value of every row
        value = values[name]
        if type(value) not in types:
            raise ValueError(f"{name} of {record.__name__} cannot be {value!r}")
        if revive is not None and value is not None:
            values[name] = revive(value)
    return record(**values)


@cache
def _readers(record: Any) -> dict[str, _Reader]:
    hints = get_type_hints(record)
    return {field.name: _reader(hints[field.name]) for field in fields(record)}


def _reader(hint: Any) -> _Reader:
    plain = without_none(hint)
    type_, revive = _type_and_revive(plain)
    return _Reader(frozenset({type_} if plain is hint else {type_, NoneType}), revive)


def _type_and_revive(hint: Any) -> tuple[type, Callable[[Any], Any] | None]:
    if get_origin(hint) is tuple:
        return list, partial(_items, _reader(get_args(hint)[0]))
    if get_origin(hint) is Literal:
        return str, partial(_one_of, get_args(hint))
    assert isinstance(hint, type)  # no other hints are in use
    return (dict, partial(from_plain, hint)) if is_dataclass(hint) else (hint, None)


def _items(reader: _Reader, values: list[Any]) -> tuple[Any, ...]:
    if not reader.types.issuperset(map(type, values)):
        raise ValueError(f"{values!r} has an item of another type")
    return tuple(values) if reader.revive is None else tuple(map(reader.revive, values))


def _one_of(allowed: tuple[str, ...], value: str) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
    return value


def without_none(hint: Any) -> Any:
    """The type T of the hint `T | None`; any other hint as it is."""
    if get_origin(hint) in (Union, UnionType):
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint
