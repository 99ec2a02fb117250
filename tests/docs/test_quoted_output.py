"""What the documentation quotes is what the program prints. `make docs` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.method_picture import PICTURE, picture
from docs.quoted_output import ROOT, pages, quotations, rewritten


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_quotations_are_what_the_program_prints(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert rewritten(text) == text


def test_the_readme_quotes_a_summary() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "rstorigin summarize examples/first-five-minutes" in [*quotations(text)]
    assert rewritten(text.replace("8 of 17 resets are forged", "9 of 17 resets are forged")) == text


def test_the_picture_of_the_method_is_what_its_program_draws() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture()
