"""The settings key: a name for everything that a result depends on, except the capture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from heuristics.rulebook.model import Rulebook
from heuristics.source_hash import source_hash
from postproc.capture.tshark.program import Version

_PACKAGES = ("heuristics", "postproc")


def settings_key(rulebook: Rulebook, tshark: Version | None, options: Mapping[str, Any]) -> str:
    """A name for everything that a result depends on, except the capture."""
    settings = {
        "program": program_hash(),
        "polars": version("polars"),
        "rulebook": rulebook.hash,
        "tshark": tshark,
        "options": dict(options),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def program_hash() -> str:
    """The hash of our own source."""
    return source_hash(_PACKAGES, (".py",))
