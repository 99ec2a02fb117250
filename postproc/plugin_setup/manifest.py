"""What was installed: file by file, so that it can be told apart from what the user made of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from postproc.runtime.atomic_file import whole_file
from postproc.runtime.errors import OutputError

RECORD_NAME = "rstorigin-installed.json"  # in the personal configuration folder; Wireshark ignores it


@dataclass(slots=True)
class Record:
    """`files`: path -> SHA-256 of what was written there; `folders`: those that had to be made."""

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def wrote(self, path: Path, content: bytes) -> bool:
        """Whether `content` is just what was installed at `path`."""
        return self.files.get(str(path)) == digest(content)


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_record(folder: Path) -> Record:
    """The record in a configuration folder; an empty one where there is none. Raises OutputError when it is damaged."""
    path = folder / RECORD_NAME
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        files, folders = dict(told["files"]), list(told["folders"])
    except FileNotFoundError:
        return Record()
    except (OSError, ValueError, KeyError, TypeError):
        raise OutputError(
            str(path), "is not the record that rstorigin wrote", "remove it; what is installed then counts as yours"
        ) from None
    return Record({str(name): str(value) for name, value in files.items()}, [str(name) for name in folders])


def write_record(folder: Path, record: Record) -> None:
    """Keep `record`; an empty one is removed. Raises OutputError."""
    path = folder / RECORD_NAME
    if record.files:
        text = json.dumps({"files": record.files, "folders": record.folders}, indent=1, sort_keys=True)
        with whole_file(path, hint="see that it can be written to") as file:
            file.write(f"{text}\n".encode())
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(path), f"cannot be removed: {error.strerror}") from None
