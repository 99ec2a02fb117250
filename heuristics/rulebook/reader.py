"""One rulebook file -> its content, and what is wrong with it, in the words of the person who wrote it.

A file with mistakes still gives what is right in it, so that the rest can be checked too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from heuristics.errors import Problem, nearest
from heuristics.rulebook.schema import (
    ENTRIES,
    IDENTIFIER,
    NAMED_TABLES,
    SLUG,
    TABLES,
    CaseTable,
    RulebookFile,
    Table,
)
from heuristics.toml_text import load_toml

MAX_FILE_BYTES = 2**20

_KEYS_OF: dict[str, type[Table]] = {**TABLES, "cases": CaseTable}
_MAX_SHOWN = 60  # characters of a wrong value that a message repeats
_PATTERNS = {
    IDENTIFIER: "small letters, digits and underscores, a letter first",
    SLUG: "small letters and digits, with single hyphens between",
}
_TOML_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_REASONS = {
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "string_type": "must be text, not {input}",
    "list_type": "must be a list, not {input}",
    "bool_type": "must be true or false, not {input}",
    "literal_error": "must be {expected}, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "model_type": "must be a table, not {input}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "too_long": "has more than {max_length} entries",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "{input} is not allowed",
    "missing": "is missing",
}


def read_layer(name: str, source: Path | Traversable) -> tuple[list[tuple[str, RulebookFile | None]], list[Problem]]:
    """The files of one layer with their names in messages: a file, or those of a folder in the order of their names.

    A file that cannot be read at all has None for its content.
    """
    if not source.is_dir():
        content, found = _read(name, source)
        return [(name, content)], found
    files = sorted((file for file in source.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    if not files:
        return [], [Problem(name, "", "", "this folder holds no rulebook (files whose names end in .toml)")]
    contents: list[tuple[str, RulebookFile | None]] = []
    problems: list[Problem] = []
    for file in files:
        file_name = f"{name}/{file.name}"
        content, found = _read(file_name, file)
        contents.append((file_name, content))
        problems += found
    return contents, problems


def _read(name: str, source: Path | Traversable) -> tuple[RulebookFile | None, list[Problem]]:
    try:
        raw = source.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return None, [Problem(name, "", "", f"cannot be read: {reason}")]
    return parse_file(name, raw)


def parse_file(file: str, raw: bytes) -> tuple[RulebookFile | None, list[Problem]]:
    """The content of a rulebook file named `file` as far as it is right, None where it is no TOML; and its problems."""
    if len(raw) > MAX_FILE_BYTES:
        return None, [Problem(file, "", "", f"larger than {MAX_FILE_BYTES} bytes, so it is no rulebook")]
    try:
        data = load_toml(raw)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return None, [Problem(file, "", f"line {line}", f"not UTF-8: {error.reason}", "save the file as UTF-8")]
    except ValueError as error:
        return None, [_not_toml(file, str(error))]
    problems = [problem for table in ENTRIES for problem in _duplicates(file, data, table)]
    try:
        return RulebookFile.model_validate(data), problems
    except ValidationError as error:
        problems += [_problem(file, data, details) for details in error.errors()]
        return _what_is_right(data, [details["loc"] for details in error.errors()]), problems


def _what_is_right(data: dict[str, Any], wrong: Iterable[tuple[int | str, ...]]) -> RulebookFile:
    """The content without the keys at the places `wrong`, and without the entries whose ids are wrong."""
    for table, *path in wrong:
        path = path[:2]  # a list that is wrong in part is wrong as a whole
        whole = not path or path[-1] in ("id", "[key]") or isinstance(path[-1], int)
        _remove(data, [table, *(path[:1] if whole else path)])
    for name in ENTRIES:
        if name in data:
            data[name] = [entry for entry in data[name] if entry is not None]
    return RulebookFile.model_validate(data)


def _remove(data: Any, place: Sequence[int | str]) -> None:
    """Remove what stands at `place`, unless something around it is removed already. Entries keep their numbers."""
    for part in place[:-1]:
        data = data.get(part) if isinstance(data, dict) else data[int(part)] if isinstance(data, list) else None
    if isinstance(data, dict):
        data.pop(place[-1], None)
    elif isinstance(data, list):
        data[int(place[-1])] = None


def _not_toml(file: str, message: str) -> Problem:
    position = _TOML_POSITION.search(message)
    reason = f"not TOML: {message[: position.start()] if position else message}"
    if not position:
        return Problem(file, "", "", reason)
    place = f"line {position[1]}, column {position[2]}" if position[1] else "end of file"
    return Problem(file, "", place, reason)


def _entries(data: dict[str, Any], table: str) -> list[Any]:
    entries = data.get(table)
    return entries if isinstance(entries, list) else []


def _id(entry: Any) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return _shorten(found) if isinstance(found, str) else ""


def _duplicates(file: str, data: dict[str, Any], table: str) -> list[Problem]:
    counts = Counter(filter(None, map(_id, _entries(data, table))))
    return [
        problem_of(file, table, id_, "id", "given more than once in this file", "give each its own id")
        for id_, count in counts.items()
        if count > 1
    ]


def problem_of(file: str, table: str, id_: str, place: str, reason: str, hint: str = "") -> Problem:
    """A Problem of the entry `id_` of `table` ("rule", "reason", "define")."""
    if table == "rule":
        return Problem(file, id_, place, reason, hint)
    return Problem(file, "", ": ".join(filter(None, (f"{table} '{id_}'", place))), reason, hint)


def _problem(file: str, data: dict[str, Any], details: ErrorDetails) -> Problem:
    """What pydantic found, in the words of the person who wrote the file."""
    table, *path = details["loc"]
    place, reason, hint = _explained(str(table), path, details)
    if table in NAMED_TABLES and path:
        return problem_of(file, str(table), _shorten(str(path[0])), place, reason, hint)
    if len(path) == 0 or not isinstance(path[0], int):
        return Problem(file, "", f"[{table}] {place}".strip() if path else place, reason, hint)
    number = path[0]
    id_ = _id(_entries(data, str(table))[number])
    if id_:
        return problem_of(file, str(table), id_, place, reason, hint)
    return Problem(file, "", ": ".join(filter(None, (f"{table} number {number + 1}", place))), reason, hint)


def _explained(table: str, path: Sequence[int | str], details: ErrorDetails) -> tuple[str, str, str]:
    """Place, reason and hint."""
    if table == "explanation" and len(path) > 2 and path[1] == "cases":
        number, *inside = path[2:]
        place, reason, hint = _explained("cases", [*path[:2], *inside], details)
        return f"case {int(number) + 1}{place and f', {place}'}", reason, hint
    context: dict[str, Any] = details.get("ctx", {})
    key = next((str(part) for part in reversed(path) if isinstance(part, str) and part != "[key]"), "")
    if table in NAMED_TABLES and len(path) < 2 + (path[-1:] == ["[key]"]):
        key = ""  # the name itself
    if table == "cases" and len(path) == 2:
        key = ""  # the case itself
    if details["type"] == "extra_forbidden":
        names = [field.alias or name for name, field in _KEYS_OF[table].model_fields.items()] if path else list(TABLES)
        return "", f"unknown {'key' if path else 'table'} '{_shorten(key or table)}'", nearest(key or table, names)
    if details["type"] == "text":
        return f"{key}, column {context['column']}", str(context["reason"]), str(context.get("hint", ""))
    if details["type"] in ("model_type", "list_type", "dict_type") and len(path) < 2:
        header = f"[[{table}]]" if table in ENTRIES else f"[{table}.NAME]" if table in NAMED_TABLES else f"[{table}]"
        return "" if path else table, "not a table", f"start it with a line {header}"
    shown = {**context, "input": _shorten(repr(details["input"]))}
    template = _REASONS.get(details["type"])
    return (
        key,
        template.format_map(shown) if template else details["msg"],
        _PATTERNS.get(str(context.get("pattern")), ""),
    )


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
