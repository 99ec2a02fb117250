"""`case.toml`, the optional file at the top of a case folder: its name, our networks, and the capture points."""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyAddress, IPvAnyNetwork, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from heuristics.errors import Problem, ProblemsError, nearest
from heuristics.toml_text import load_toml

NAME = "case.toml"
_MAX_BYTES = 2**20
_SHOWN = 60  # characters of a wrong value that a message repeats


class CaseError(ProblemsError):
    """A case.toml with problems."""


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be text")
    if not all(character.isprintable() or character == "\n" for character in value):
        raise PydanticCustomError("text", "must be printable text")
    return value


Text = Annotated[str, BeforeValidator(_text), Field(min_length=1, max_length=2000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(_Table):
    """`[[point]]`: a capture point.

    `captures` are patterns of the captures' paths within the case (`*` matches `/` too). `hosts` are the addresses of
    the machine at whose own interface they were taken. `complete`: they hold every packet of those hosts, unfiltered.
    """

    name: Text
    captures: list[Text] = Field(min_length=1)
    hosts: list[IPvAnyAddress] = Field(default_factory=list)
    complete: bool = False

    def took(self, capture: str) -> bool:
        """Whether the capture at this path within the case was taken here."""
        return any(fnmatchcase(capture, pattern) for pattern in self.captures)


class CaseFile(_Table):
    """A whole case.toml.

    `rulebook` is a path relative to the case; `networks` are those that count as ours; `decode_as` are rules as for
    `tshark -d`.
    """

    name: Text | None = None
    notes: Text | None = None
    networks: list[IPvAnyNetwork] = Field(default_factory=list)
    rulebook: Text | None = None
    decode_as: list[Text] = Field(default_factory=list)
    point: list[Point] = Field(default_factory=list)

    def is_ours(self, address: str) -> bool:
        """Whether the address is in one of our networks."""
        try:
            return any(ip_address(address) in network for network in self.networks)
        except ValueError:  # an export may hold any text
            return False

    def point_of(self, capture: str) -> Point | None:
        """The first capture point whose patterns match a capture's path within the case."""
        return next((point for point in self.point if point.took(capture)), None)


def load_case(folder: Path) -> CaseFile:
    """The case.toml of a case folder; an empty one where the file is missing. Raises CaseError."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return CaseFile()
    except OSError as error:
        raise CaseError([Problem(str(path), "", "", f"cannot be read: {error.strerror}")]) from None
    if len(raw) > _MAX_BYTES:
        raise CaseError([Problem(str(path), "", "", f"larger than {_MAX_BYTES} bytes, so it is no case.toml")])
    try:
        return CaseFile.model_validate(load_toml(raw))
    except ValidationError as error:
        raise CaseError([_problem(str(path), details) for details in error.errors()]) from None
    except ValueError as error:
        fix = "save it as UTF-8 text" if isinstance(error, UnicodeDecodeError) else ""
        raise CaseError([Problem(str(path), "", "", f"not TOML: {error}", fix)]) from None


_FIXES = {
    "ip_any_network": 'write it as "192.0.2.0/24" or "2001:db8::/32", with no bits set beyond the prefix',
    "ip_any_address": 'write it as "192.0.2.1" or "2001:db8::1"',
    "list_type": "write a list in brackets",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "too_short": "name at least one",
}


def _problem(file: str, details: ErrorDetails) -> Problem:
    """A problem that pydantic found, with the key as TOML has it, and a fix."""
    table, *rest = details["loc"]
    in_point = table == "point" and rest and isinstance(rest[0], int)
    number = f"[[point]] number {int(rest[0]) + 1}" if in_point else ""
    path = [str(part) for part in (rest[1:] if in_point else details["loc"])]
    key = ".".join(part for part in path if not part.isdigit())
    known = (Point if in_point else CaseFile).model_fields
    if details["type"] == "extra_forbidden":
        return Problem(file, "", number, f"unknown key '{key[:_SHOWN]}'", nearest(key, known) or _keys(known))
    location = ": ".join(filter(None, (number, key)))
    if details["type"] == "missing":
        return Problem(file, "", location, "is missing", f"every [[point]] needs {_keys(['name', 'captures'])}")
    shown = repr(details["input"])[:_SHOWN]
    message = details["msg"].removeprefix("Input should be").removeprefix("value is").strip()
    return Problem(file, "", location, f"{shown} is wrong: {message}", _FIXES.get(details["type"], ""))


def _keys(names: Any) -> str:
    return ", ".join(names)
