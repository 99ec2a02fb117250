"""Text of packets for tests, made of captures by the real tcpdump."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_tcpdump = pytest.mark.skipif(
    shutil.which("tcpdump") is None, reason="tcpdump is not installed (scripts/system-packages.sh test)"
)


def tcpdump(capture: Path, options: str) -> str:
    """What `tcpdump OPTIONS -r CAPTURE` prints, with times in UTC."""
    command = ["tcpdump", *options.split(), "-r", str(capture)]
    made = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL, env={"TZ": "UTC"})
    return made.stdout.decode()


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    path = folder / "packets.txt"
    path.write_bytes(text.encode())
    return path
