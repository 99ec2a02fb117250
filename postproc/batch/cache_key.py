"""The settings key: a name for everything that a result depends on, except the capture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from heuristics.rulebook.model import Rulebook
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


@cache
def program_hash() -> str:
    """The hash of our own source. Changed code may judge differently, even under the same version number."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for name, content in _sources(files(package)):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources(folder: Traversable) -> list[tuple[str, bytes]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _sources(entry)
        elif entry.name.endswith(".py"):
            found.append((entry.name, entry.read_bytes()))
    return found
