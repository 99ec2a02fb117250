"""What can go wrong with captures, exports, outputs and tshark; one class per kind of mistake."""

from __future__ import annotations

import re

from heuristics.errors import Problem, RstoriginError, visible


class TsharkError(RstoriginError):
    """tshark cannot be used. Its text says what to do."""


class TsharkNotFoundError(TsharkError):
    """There is no tshark on this machine, or none where $RSTORIGIN_TSHARK says."""


class TsharkTooOldError(TsharkError):
    """The tshark found is older than the oldest we read captures with."""


class PluginError(RstoriginError):
    """The Lua plugin did not run, or not to its end."""


class CaptureError(RstoriginError):
    """An input that cannot be read. `problem` names the file, the reason and what to do."""

    def __init__(self, file: str, reason: str, hint: str = "") -> None:
        self.problem = Problem(file, "", "", reason, hint)
        super().__init__(file, reason, hint)

    def __str__(self) -> str:
        return str(self.problem)


class NoRoomError(CaptureError):
    """A temporary file that cannot be written while an input is read; `problem` names no file."""


class OutputError(RstoriginError):
    """An output that cannot be written."""

    def __init__(self, file: str, reason: str, hint: str = "") -> None:
        super().__init__(visible(str(Problem(file, "", "", reason, hint))))


class UsageError(RstoriginError):
    """Arguments that do not go together. Its text says what to do."""


def why_not_written(error: Exception) -> str:
    """The reason in an error of the system, or of Polars, which adds words of its own or has no others."""
    if reason := getattr(error, "strerror", None):
        return str(reason)
    found = re.search(r"[^:\s][^:]* \(os error \d+\)", str(error))
    return found[0] if found else f"{error}; the disk is full, perhaps"
