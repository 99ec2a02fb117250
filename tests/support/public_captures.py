"""Public captures, not part of this repository: tests read them where they are, and say where they were skipped."""

from __future__ import annotations

import pytest

from bench import public_captures

FOLDER = public_captures.folder()
TABLE = FOLDER / "expected.csv"
CAPTURES = sorted(path for path in FOLDER.glob("*") if path.suffix in (".pcap", ".pcapng", ".cap"))
needs_public_captures = pytest.mark.skipif(bool(public_captures.missing()), reason=public_captures.missing())
# A test over captures is given this too: one test that says that the public ones were skipped.
SKIPPED = () if CAPTURES else (pytest.param(FOLDER, marks=needs_public_captures, id="public captures"),)
