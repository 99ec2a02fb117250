"""The hash of files that come with the program: a name for what they do."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def source_hash(packages: tuple[str, ...], suffixes: tuple[str, ...]) -> str:
    """SHA-256 (hex) of the names and contents of the files of these packages that end so.

    Changed code may judge differently, even under the same version number.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, content in _sources(files(package), suffixes):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources(folder: Traversable, suffixes: tuple[str, ...]) -> list[tuple[str, bytes]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(suffixes):
            found.append((entry.name, entry.read_bytes()))
        elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
            found += _sources(entry, suffixes)
    return found
