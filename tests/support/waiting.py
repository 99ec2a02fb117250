"""Waits in tests for another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60  # a busy machine is slow
_POLL_S = 0.1

_Found = TypeVar("_Found")


def until(found: Callable[[], _Found], what: str) -> _Found:
    """The first value of `found` that is not empty. Raises AssertionError where none comes."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        answer = found()
        if answer:
            return answer
        time.sleep(_POLL_S)
    raise AssertionError(f"{what} did not appear within {PATIENCE_S} s")
