"""Column maps: how the records of one kind of session log are written, as a TOML file says.

docs/session-logs.md describes every key. The maps of the known formats are in formats/; a user's map has the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from heuristics.errors import Problem, ProblemsError, nearest
from heuristics.toml_text import load_toml

_MAX_BYTES = 2**20
_SHOWN = 60  # characters of a wrong value that a message repeats
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class ColumnMapError(ProblemsError):
    """A column map with problems."""


class Claim(StrEnum):
    """What a log says about the end of a session. `src` and `dst` are the ends as the log names them."""

    RESET_BY_SRC = "reset by src"
    RESET_BY_DST = "reset by dst"
    RESET = "reset"  # by one of them
    FIN = "fin"
    TIMEOUT = "timeout"
    DENIED = "denied"  # by the device that wrote the log
    NOTHING = "nothing"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def regex_groups(pattern: str) -> list[str]:
    """The names of the groups of a regular expression as Polars reads it: in linear time, whatever the text."""
    if not pattern:
        return []
    try:
        groups = pl.Series([""]).str.extract_groups(pattern)
    except (pl.exceptions.PolarsError, ValueError) as error:
        reason = re.sub(r"\s+", " ", str(error).rpartition("error: ")[2]).strip()[:_SHOWN]
        raise PydanticCustomError("regex", "not a regular expression: {reason}", {"reason": reason}) from None
    return [field.name for field in groups.dtype.fields] if isinstance(groups.dtype, pl.Struct) else []


def _regex(value: str) -> str:
    regex_groups(value)
    return value


# Where a value stands: names of fields, templates of several such as "{date} {time}", or positions from 1. The first
# that a record has counts.
Place = Annotated[int, Field(ge=1, le=1000, strict=True)] | Annotated[str, Field(min_length=1, max_length=200)]
Places = Annotated[list[Place], BeforeValidator(_listed), Field(min_length=1)]
Regex = Annotated[str, Field(max_length=4000), AfterValidator(_regex)]
Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], BeforeValidator(_listed)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fields(_Table):
    """`[fields]`: where the values of a session stand.

    `kind` distinguishes records; `reason` is why the session ended, in the log's words; `flags_src` and `flags_dst` are
    the TCP flags that each end sent, as one number (0x in front, or `flags_base`).
    """

    src: Places
    dst: Places
    sport: Places
    dport: Places
    start: Places | None = None
    end: Places | None = None
    duration: Places | None = None
    nat_src: Places | None = None
    nat_dst: Places | None = None
    nat_sport: Places | None = None
    nat_dport: Places | None = None
    protocol: Places | None = None
    session: Places | None = None
    rule: Places | None = None
    reason: Places | None = None
    flags_src: Places | None = None
    flags_dst: Places | None = None
    kind: Places | None = None

    def by_column(self) -> Iterator[tuple[str, list[Place]]]:
        """The columns that the map fills, with their places."""
        for name in type(self).model_fields:
            if (places := getattr(self, name)) is not None:
                yield name, places


class ColumnMap(_Table):
    """A whole column map.

    `only` are the values of `kind` that are ended sessions; `other` matches lines that are none, though they belong to
    the log; `begin` matches those on which a session begins, whose end comes on another line. `prefix` is cut from the
    start of each line; its named groups are fields. `precision_s` is by how much times may be off (seconds).
    """

    title: Annotated[str, Field(min_length=1, max_length=200)]
    reference: str = ""
    syntax: Literal["delimited", "pairs", "json", "pattern"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    comment: str = ""
    header: str = ""
    columns: list[str] = Field(default_factory=list)
    prefix: Regex = ""
    patterns: Annotated[list[Regex], BeforeValidator(_listed)] = Field(default_factory=list)
    other: Regex = ""
    begin: Regex = ""
    only: Words = Field(default_factory=list)
    time_formats: Words = Field(default_factory=list)
    precision_s: Annotated[float, Field(ge=0, le=3600)] = 1
    flags_base: Literal[10, 16] = 10
    fields: Fields
    ends: dict[Claim, Words] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> ColumnMap:
        if (self.syntax == "pattern") != bool(self.patterns):
            raise PydanticCustomError("patterns", "patterns and syntax = 'pattern' need each other")
        if self.only and self.fields.kind is None:
            raise PydanticCustomError("only", "only needs fields.kind, whose values it lists")
        if self.begin and self.fields.session is None:
            raise PydanticCustomError("only", "begin needs fields.session, by which beginning and end are joined")
        if not (self.fields.start or self.fields.end):
            raise PydanticCustomError("time", "fields needs start or end: a session without a time matches no packets")
        groups = {name for each in (self.prefix, *self.patterns) for name in regex_groups(each)}
        for column, places in self.fields.by_column():
            for place in places:
                self._check_place(column, place, groups)
        return self

    def _check_place(self, column: str, place: Place, groups: set[str]) -> None:
        for key in keys_of(place):
            if isinstance(key, int) and self.syntax != "delimited":
                raise PydanticCustomError("place", f"fields.{column}: positions are for syntax = 'delimited' only")
            if self.syntax == "pattern" and key not in groups:
                raise PydanticCustomError("place", f"fields.{column}: no pattern has a group named '{key}'")

    def claims(self) -> dict[str, Claim]:
        """What each word of `reason` claims, by the word in lower case."""
        return {word.lower(): claim for claim, words in self.ends.items() for word in words}


def keys_of(place: Place) -> list[str | int]:
    """The fields that a place reads: itself, or those in the braces of a template."""
    if isinstance(place, int):
        return [place]
    keys = _PLACEHOLDER.findall(place)
    return [int(key) if key.isdecimal() else key for key in keys] if keys else [place]


def as_format(place: str) -> str:
    """A template as Polars writes formats."""
    return _PLACEHOLDER.sub("{}", place)


def known_formats() -> list[str]:
    """The names of the formats that come with rstorigin."""
    return sorted(each.name.removesuffix(".toml") for each in _folder().iterdir() if each.name.endswith(".toml"))


def load_map(name_or_file: str) -> ColumnMap:
    """The column map of a known format, or the one in a file. Raises ColumnMapError."""
    if name_or_file in known_formats():
        return parsed(name_or_file, _folder().joinpath(f"{name_or_file}.toml").read_bytes())
    path = Path(name_or_file)
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        known = nearest(name_or_file, known_formats()) or f"known formats: {', '.join(known_formats())}"
        raise _error(name_or_file, f"no known format, and no file that can be read: {error.strerror}", known) from None
    except ValueError as error:  # a NUL in the name
        raise _error(name_or_file, str(error)) from None
    if len(raw) > _MAX_BYTES:
        raise _error(name_or_file, f"larger than {_MAX_BYTES} bytes, so it is no column map")
    return parsed(name_or_file, raw)


def parsed(file: str, raw: bytes) -> ColumnMap:
    """The column map in these bytes. Raises ColumnMapError, whose messages name `file`."""
    try:
        return ColumnMap.model_validate(load_toml(raw))
    except ValidationError as error:
        raise ColumnMapError([_problem(file, details) for details in error.errors()]) from None
    except ValueError as error:
        raise _error(file, f"not TOML: {error}", "save it as UTF-8 text") from None


def _folder() -> Any:
    return files("postproc.session_log").joinpath("formats")


def _error(file: str, reason: str, hint: str = "") -> ColumnMapError:
    return ColumnMapError([Problem(file, "", "", reason, hint)])


def _problem(file: str, details: ErrorDetails) -> Problem:
    """A problem that pydantic found, with the key as TOML has it, and a fix."""
    path = [str(part) for part in details["loc"] if part not in ("[key]", "constrained-int", "constrained-str")]
    path = [part for part in path if not part.startswith(("function-", "list["))]
    place = ".".join(path)
    table = path[0] if path else ""
    if details["type"] == "extra_forbidden":
        known = Fields.model_fields if table == "fields" else ColumnMap.model_fields
        return Problem(file, "", place, "unknown key", nearest(path[-1], known) or f"known: {', '.join(known)}")
    if details["type"] == "missing":
        return Problem(file, "", place, "is missing", "docs/session-logs.md describes every key")
    if details["type"] == "enum" and table == "ends":
        claims = ", ".join(f"'{claim}'" for claim in Claim)
        return Problem(file, "", place, "is no end of a session", f"the ends are: {claims}")
    message = details["msg"].removeprefix("Input should be ").strip()
    shown = "" if details["type"] in ("patterns", "only", "time", "place") else f"{repr(details['input'])[:_SHOWN]}: "
    return Problem(file, "", place, f"{shown}{message}")
