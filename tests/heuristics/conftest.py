"""What several test files of the rulebook need."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rulebook_files import BASE, written


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return written(tmp_path, "base.toml", BASE)
