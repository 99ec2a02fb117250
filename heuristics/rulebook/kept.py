"""The default rulebook as it was read the last time: to read its files anew takes ten times as long."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

from heuristics import user_cache
from heuristics.source_hash import source_hash

_NAME = "rulebook.pickle"
_PACKAGE = "heuristics"
_DAMAGED = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError, ValueError)


def kept_rulebook() -> Any:
    """The rulebook that `keep_rulebook` kept, None where that is gone or the program has changed since."""
    content = user_cache.kept(_NAME, _key())
    if content is None:
        return None
    try:
        return _Reader(io.BytesIO(content)).load()
    except _DAMAGED:
        return None


def keep_rulebook(rulebook: object) -> None:
    """Keep the default rulebook for the next run."""
    user_cache.keep(_NAME, _key(), pickle.dumps(rulebook, pickle.HIGHEST_PROTOCOL))


def _key() -> str:
    """A name for all that the content depends on: the files of the rulebook, the code that reads them, Python."""
    return f"{sys.version}\0{source_hash((_PACKAGE,), ('.py', '.toml'))}"


class _Reader(pickle.Unpickler):
    """Makes objects of the classes of this package only: nothing else belongs to a rulebook.

    What protects the user is not this, but that only the user can write to the file (user_cache).
    """

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name."""
        if (module, name) == ("builtins", "frozenset"):
            return frozenset
        found = super().find_class(module, name) if module.startswith(f"{_PACKAGE}.") else None
        if not isinstance(found, type) or found.__module__ != module:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a rulebook")
        return found
