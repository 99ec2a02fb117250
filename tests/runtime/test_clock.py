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


@pytest.mark.usefixtures("three_hours_east")
@pytest.mark.parametrize("clock", [IN_UTC, Clock(local=True)])
def test_a_time_of_text_without_dates_is_a_time_of_day_as_printed(clock: Clock) -> None:
    evening = 18 * 3600 + 26 * 60
    assert clock.moment(evening + 0.25, 3) == "18:26:00.250 (no date)"
    assert clock.span(evening, evening + 61) == "from 18:26:00 to 18:27:01 (no date)"
    assert clock.in_table(evening) == "18:26:00"


def test_a_time_of_a_log_without_years_has_none() -> None:
    november = (333 * 24 + 18) * 3600
    assert IN_UTC.moment(november) == "11-30 18:00:00 (no year)"
    assert IN_UTC.span(november, november + 60) == "on 11-30 from 18:00:00 to 18:01:00 (no year)"
    assert IN_UTC.in_table(november) == "11-30 18:00:00"


def test_times_that_no_calendar_has_are_shown_all_the_same() -> None:
    assert IN_UTC.moment(1e18) == "1000000000000000000.000000 s after 1970"
    assert IN_UTC.span(0, 1e18) == "at 00:00:00 (no date)"
    assert IN_UTC.in_table(1e18) == "1000000000000000000"
