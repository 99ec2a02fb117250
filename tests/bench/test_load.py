"""The inputs that load is measured with are what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import rows

from bench.load import KINDS, make

EXPECTED = {"flows": 40, "one-flow": 40, "hosts": 4, "icmp": 40, "traffic": 0, "stream": 8, "captures": 30}
SIZES = {"traffic": 1, "captures": 3}


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_has_what_it_is_called(kind: str, tmp_path: Path) -> None:
    found = rows(make(kind, SIZES.get(kind, 40), tmp_path), "--no-cache")
    assert len(found) == EXPECTED[kind]
    assert {row["kind"] for row in found} <= {"icmp" if kind == "icmp" else "rst"}
