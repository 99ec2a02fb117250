"""Sentences with `{name}` in them, parsed once, rendered by Python or written as Lua.

Numbers have formats: `{name:time}` writes microseconds in a unit that people use, `{name:n hop}` counts ("1 hop",
"12 hops"), and `{name:#x}` is hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from heuristics.errors import TemplateError, UnknownPlaceholderError, nearest
from heuristics.language.expressions import (
    Defined,
    Evaluate,
    Name,
    Names,
    Reference,
    Threshold,
    lua_reference,
    to_python_value,
)
from heuristics.language.lua_text import lua_string
from heuristics.observables.vocabulary import Type, Value

MISSING = "unknown"  # the text of a value that is not there
MAX_PARTS = 60  # Lua nests one level per part it concatenates, and refuses 200

_TOKEN = re.compile(
    r"(?P<text>[^{}]+)|(?P<brace>\{\{|\}\})"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:(?P<format>time|#x|n [a-z]+(?: [a-z]+)*))?\}"
    r"|(?P<wrong>[{}])"
)
_BRACES = "write {{ or }} for a brace"
_FORMATS = "{name}, {name:time}, {name:n hop} and {name:#x}"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value of a name goes; `format` is empty, "time", "#x", or "n" and what is counted."""

    subject: Reference
    format: str = ""


@dataclass(frozen=True)
class Template:
    """A parsed template: pieces of text and placeholders, no two texts in a row."""

    source: str
    parts: tuple[str | Placeholder, ...]

    def render(self, observation: Mapping[str, Value]) -> str:
        """The text with every value in place; see `value_text`."""
        return "".join(piece if isinstance(piece, str) else piece(observation) for piece in self._pieces)

    @cached_property
    def _pieces(self) -> tuple[str | Callable[[Mapping[str, Value]], str], ...]:
        return tuple(part if isinstance(part, str) else _rendered(part) for part in self.parts)

    def fits(self, text: str) -> bool:
        """Whether `text` may be this template with values in place."""
        return self._pattern.fullmatch(text) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = (re.escape(part) if isinstance(part, str) else ".*?" for part in self.parts)
        return re.compile("".join(parts), re.DOTALL)

    @property
    def subjects(self) -> tuple[Reference, ...]:
        """What the placeholders name."""
        return tuple(part.subject for part in self.parts if isinstance(part, Placeholder))

    def to_lua(self) -> str:
        """A Lua expression for the same text: `"Hop limit " .. text(o.hop_limit)`.

        The plugin defines `text`, `time_text`, `count_text` and `hex_text`, the twins of `value_text` and the others.
        """
        return " .. ".join(lua_string(part) if isinstance(part, str) else _lua_text(part) for part in self.parts)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is compiled: functions cannot be sent to another process."""
        return {"source": self.source, "parts": self.parts}


def _rendered(part: Placeholder) -> Callable[[Mapping[str, Value]], str]:
    """The text of a placeholder as a function of an observation."""
    evaluate, text = _evaluate(part.subject), _text_of(part.format)
    return lambda observation: text(evaluate(observation))


def _text_of(format_: str) -> Callable[[Value], str]:
    if format_.startswith("n "):
        return partial(count_text, thing=format_.removeprefix("n "))
    return {"": value_text, "time": time_text, "#x": hex_text}[format_]


def _lua_text(part: Placeholder) -> str:
    value = lua_reference(part.subject)
    if part.format.startswith("n "):
        return f"count_text({value}, {lua_string(part.format.removeprefix('n '))})"
    return f"{ {'': 'text', 'time': 'time_text', '#x': 'hex_text'}[part.format] }({value})"


def _evaluate(subject: Reference) -> Evaluate:
    """The value of a name as a function of an observation."""
    match subject:
        case Name(name=name):
            return lambda observation: observation.get(name)
        case Threshold(value=value):
            return lambda _: value
        case Defined(definition=definition):
            return to_python_value(definition)


def value_text(value: Value) -> str:
    """The text of a value: numbers in decimal, text as it is, conditions as yes or no, missing as "unknown"."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:d}" if isinstance(value, int) else value


def time_text(value: Value) -> str:
    """Microseconds in a unit that people use: 0.03 ms, 0.9 ms, 1.3 ms, 45 ms, 1.27 s, 900 s."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return value_text(value)
    if value < 5:
        return "less than 0.01 ms"
    if value < 95:
        return f"0.0{(value + 5) // 10} ms"
    if value < 10_000:
        tenths = (value + 50) // 100
        return f"{tenths // 10}.{tenths % 10} ms"
    if value < 999_500:
        return f"{(value + 500) // 1_000} ms"
    if value < 10_000_000:
        hundredths = (value + 5_000) // 10_000
        return f"{hundredths // 100}.{hundredths % 100:02} s"
    return f"{(value + 500_000) // 1_000_000} s"


def count_text(value: Value, thing: str) -> str:
    """A number of things: "1 hop", "1,234 hops", "an unknown number of hops"."""
    if not isinstance(value, int):
        return f"an unknown number of {thing}s"
    return f"{value:,} {thing}{'' if value == 1 else 's'}"


def hex_text(value: Value) -> str:
    """A number in hexadecimal: 0x1a."""
    return f"{value:#x}" if isinstance(value, int) and value >= 0 else value_text(value)


def parse_template(source: str, names: Names) -> Template:
    """Parse `source`, whose placeholders are among `names`; `{{` and `}}` stand for braces.

    Raises TemplateError with the column for an unknown name and for braces that are no placeholder.
    """
    parts: list[str | Placeholder] = []
    for token in _TOKEN.finditer(source):
        if token["wrong"]:
            reason = f"'{token['wrong']}' does not belong to a placeholder"
            raise TemplateError(token.start() + 1, reason, f"only {_FORMATS} are allowed; {_BRACES}")
        if token["name"]:
            subject = _subject(token["name"], token.start() + 2, names)
            format_ = token["format"] or ""
            if format_ and subject.type is not Type.INT:
                reason = f"'{token['name'][:80]}' is no number"
                raise TemplateError(token.start() + 2, reason, f"write it without :{format_}")
            parts.append(Placeholder(subject, format_))
            continue
        text = token["text"] or token["brace"][0]
        if parts and isinstance(parts[-1], str):
            text = str(parts.pop()) + text
        parts.append(text)
    if len(parts) > MAX_PARTS:
        raise TemplateError(1, f"more than {MAX_PARTS} placeholders and pieces of text")
    return Template(source, tuple(parts))


def _subject(name: str, column: int, names: Names) -> Reference:
    subject = names.find(name)
    if subject is None:
        raise UnknownPlaceholderError(column, f"unknown observable '{name[:80]}'", nearest(name, names))
    return subject
