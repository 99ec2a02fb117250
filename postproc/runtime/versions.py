"""The version of rstorigin."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The installed version; `(not installed)` where the program runs from its source tree."""
    try:
        return version("rstorigin")
    except PackageNotFoundError:
        return "(not installed)"
