"""The manifest: which files rstorigin installed, with what content, and by which rulebook of the user.

A file that differs was changed by the user.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError

MANIFEST_NAME = "rstorigin-installed.json"  # in the personal configuration folder; Wireshark ignores it


@dataclass(slots=True)
class Manifest:
    """`files`: path -> SHA-256 of the content written there. `folders`: the folders that rstorigin made.

    `rulebook`: the path of the user's rulebook that the plugin has over the default one.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    rulebook: str | None = None

    def wrote(self, path: Path, content: bytes) -> bool:
        """Whether rstorigin installed exactly `content` at `path`."""
        return self.files.get(str(path)) == digest(content)


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a configuration folder, empty if there is none. Raises OutputError if it is damaged."""
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files, folders = dict(content["files"]), list(content["folders"])
        rulebook = content.get("rulebook")  # older records have none
        if not isinstance(rulebook, str | None):
            raise TypeError
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(
            str(path), "is not the record that rstorigin wrote", "remove it; installed files then count as yours"
        ) from None
    return Manifest({str(name): str(value) for name, value in files.items()}, [str(name) for name in folders], rulebook)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, or remove its file if it is empty. Raises OutputError."""
    path = folder / MANIFEST_NAME
    if manifest.files:
        text = json.dumps(asdict(manifest), indent=1, sort_keys=True)
        with whole_file(path, hint="make the file writable") as file:
            file.write(f"{text}\n".encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(path), f"cannot be removed: {error.strerror}") from None
