"""Explanation templates: text with `{observable}` in it, parsed once, rendered by Python or written as Lua."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from heuristics.errors import TemplateError, nearest
from heuristics.language.lua_text import OBSERVATION, lua_field, lua_string
from heuristics.observables.vocabulary import Value

MISSING = "unknown"  # what stands for an observable that is not there
MAX_PARTS = 60  # Lua nests one level per part it concatenates, and refuses 200

_TOKEN = re.compile(r"(?P<text>[^{}]+)|(?P<brace>\{\{|\}\})|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<wrong>[{}])")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value of an observable goes."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: pieces of text and placeholders, no two texts in a row."""

    source: str
    parts: tuple[str | Placeholder, ...]

    def render(self, observation: Mapping[str, Value]) -> str:
        """The text with every value in place; see `value_text`."""
        pieces = (p if isinstance(p, str) else value_text(observation.get(p.name)) for p in self.parts)
        return "".join(pieces)

    def to_lua(self) -> str:
        """A Lua expression for the same text: `"Hop limit " .. text(o.hop_limit)`.

        The plugin defines `text`, the twin of `value_text`.
        """
        return " .. ".join(
            lua_string(part) if isinstance(part, str) else f"text({lua_field(OBSERVATION, part.name)})"
            for part in self.parts
        )


def value_text(value: Value) -> str:
    """A value as explanations show it: numbers in decimal, text as is, conditions yes or no, missing "unknown"."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:d}" if isinstance(value, int) else value


def parse_template(source: str, names: Collection[str]) -> Template:
    """Parses `source`, whose placeholders are among `names`; `{{` and `}}` stand for braces.

    Raises TemplateError with the column for an unknown name and for braces that are not a plain `{name}`.
    """
    parts: list[str | Placeholder] = []
    for token in _TOKEN.finditer(source):
        if token["wrong"]:
            reason = f"'{token['wrong']}' does not belong to a placeholder"
            raise TemplateError(token.start() + 1, reason, "only {name} is allowed; write {{ or }} for a brace")
        if token["name"]:
            if token["name"] not in names:
                reason = f"unknown observable '{token['name'][:80]}'"
                raise TemplateError(token.start() + 2, reason, nearest(token["name"], names))
            parts.append(Placeholder(token["name"]))
            continue
        text = token["text"] or token["brace"][0]
        if parts and isinstance(parts[-1], str):
            text = str(parts.pop()) + text
        parts.append(text)
    if len(parts) > MAX_PARTS:
        raise TemplateError(1, f"more than {MAX_PARTS} placeholders and pieces of text")
    return Template(source, tuple(parts))
