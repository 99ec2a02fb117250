"""Times are absolute, in one zone that is named, and never fail."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from postproc.runtime.clock import IN_UTC, Clock

NOON = 1_700_000_000.123456  # 2023-11-14 22:13:20 UTC


@pytest.fixture
def three_hours_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Etc/GMT-3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_has_date_time_and_zone() -> None:
    assert IN_UTC.moment(NOON) == "2023-11-14 22:13:20 UTC"
    assert IN_UTC.moment(NOON, 3) == "2023-11-14 22:13:20.123 UTC"
    assert IN_UTC.moment(NOON, 6) == "2023-11-14 22:13:20.123456 UTC"
    assert IN_UTC.in_table(NOON) == "2023-11-14 22:13:20"


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (NOON + 0.1, "at 2023-11-14 22:13:20 UTC"),
        (NOON + 60, "on 2023-11-14 from 22:13:20 to 22:14:20 UTC"),
        (NOON + 86_400, "from 2023-11-14 22:13:20 UTC to 2023-11-15 22:13:20 UTC"),
    ],
)
def test_a_span_says_its_date_once(last: float, said: str) -> None:
    assert IN_UTC.span(NOON, last) == said


@pytest.mark.usefixtures("three_hours_east")
def test_local_times_name_their_zone() -> None:
    clock = Clock(local=True)
    assert clock.moment(NOON) == "2023-11-15 01:13:20 +03"
    assert (clock.zone, IN_UTC.zone) == ("+03", "UTC")


def test_times_that_no_calendar_has_are_shown_all_the_same() -> None:
    assert IN_UTC.moment(1e18) == "1000000000000000000.000000 s after 1970"
    assert IN_UTC.span(0, 1e18).startswith("at 1970")
    assert IN_UTC.in_table(1e18) == "1000000000000000000"
