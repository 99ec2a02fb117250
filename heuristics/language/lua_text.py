"""Text and names as Lua source that no input can break out of."""

from __future__ import annotations

import re

OBSERVATION = "o"  # the Lua table whose fields are the observables and the definitions
THRESHOLDS = "THRESHOLDS"  # the Lua table whose fields are the numbers of [thresholds]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Lua 5.4 reference manual, section 3.1; 5.2 has the same
_KEYWORD = re.compile(
    "and|break|do|else|elseif|end|false|for|function|goto|if|in|local|nil|not|or|repeat|return|then|true|until|while"
)
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\')


def lua_string(text: str | bytes) -> str:
    r"""`text` (str as UTF-8) as a double-quoted Lua string literal.

    Only printable ASCII other than the double quote and the backslash stands for itself; every other byte is a
    three-digit decimal escape (`\010`), which a digit that follows cannot change.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return '"' + "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03d}" for byte in raw) + '"'


def lua_field(table: str, name: str) -> str:
    """The Lua source that reads key `name` of `table`: `o.hop_gap`, or `o["end"]` where Lua allows no dot."""
    if _IDENTIFIER.fullmatch(name) and not _KEYWORD.fullmatch(name):
        return f"{table}.{name}"
    return f"{table}[{lua_string(name)}]"
