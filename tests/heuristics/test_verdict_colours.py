"""Every verdict has one set of colours, which can be read and told apart."""

from __future__ import annotations

from itertools import combinations

import pytest
from support.colours import SIGHT, contrast, difference

from heuristics.rulebook.scoring import Verdict
from heuristics.verdict_colours import VERDICT_COLOURS

LIGHT, DARK = ("FFFFFF", "F6F8FA"), ("0D1117", "161B22")  # the pages of reports, and what is raised on them


def test_every_verdict_has_colours_that_can_be_read() -> None:
    assert [*VERDICT_COLOURS] == [*Verdict]
    for colours in VERDICT_COLOURS.values():
        assert all(contrast(colours.on_light, page) >= 4.5 for page in LIGHT)
        assert all(contrast(colours.on_dark, page) >= 4.5 for page in DARK)


@pytest.mark.parametrize("sight", SIGHT)
def test_areas_can_be_told_apart(sight: str) -> None:
    for one, other in combinations(VERDICT_COLOURS.values(), 2):
        assert difference(one.fill, other.fill, sight) >= 18
