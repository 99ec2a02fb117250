"""What can go wrong with captures, exports, outputs and tshark; one class per kind of mistake."""

from __future__ import annotations

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


class OutputError(RstoriginError):
    """An output that cannot be written."""

    def __init__(self, file: str, reason: str, hint: str = "") -> None:
        super().__init__(visible(str(Problem(file, "", "", reason, hint))))


class UsageError(RstoriginError):
    """Arguments that do not go together. Its text says what to do."""
