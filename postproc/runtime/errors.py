"""Errors of captures, exports, outputs and tshark: one class for each kind of mistake."""

from __future__ import annotations

import re

from heuristics.errors import Problem, RstoriginError, visible


class TsharkError(RstoriginError):
    """tshark cannot be used. Its text says what to do."""


class TsharkNotFoundError(TsharkError):
    """This machine has no tshark, or $RSTORIGIN_TSHARK names none."""


class TsharkTooOldError(TsharkError):
    """The tshark is older than the oldest that we support."""


class PluginError(RstoriginError):
    """The Lua plugin does not run, or not to the end."""


class CaptureError(RstoriginError):
    """An input that cannot be read. `problem` names the file, the reason and what to do."""

    def __init__(self, file: str, reason: str, hint: str = "") -> None:
        self.problem = Problem(file, "", "", reason, hint)
        super().__init__(file, reason, hint)

    def __str__(self) -> str:
        return str(self.problem)


class NoRoomError(CaptureError):
    """A temporary file cannot be written while an input is read. `problem` names no file."""


class TsharkFailedError(CaptureError):
    """A tshark that did not read a capture as it should. `once_more`: it may do so if it is run again."""

    def __init__(self, file: str, reason: str, hint: str = "", *, once_more: bool = True) -> None:
        super().__init__(file, reason, hint)
        self.once_more = once_more


class OutputError(RstoriginError):
    """An output that cannot be written."""

    def __init__(self, file: str, reason: str, hint: str = "") -> None:
        super().__init__(visible(str(Problem(file, "", "", reason, hint))))


class UsageError(RstoriginError):
    """Arguments that contradict each other. Its text says what to do."""


def why_not_written(error: Exception) -> str:
    """The reason in an error of the system or of Polars, which wraps the reason in words of its own or has none."""
    if reason := getattr(error, "strerror", None):
        return str(reason)
    found = re.search(r"[^:\s][^:]* \(os error \d+\)", str(error))
    return found[0] if found else f"{error}; perhaps the disk is full"
