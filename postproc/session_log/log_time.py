"""Times of logs: text in the ways in which devices write it -> microseconds since the epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from postproc.runtime.errors import UsageError

SECOND_US = 1_000_000
_HALF_A_YEAR_US = 183 * 86_400 * SECOND_US
_WITH_ZONE = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z", "%d/%b/%Y:%H:%M:%S %z")
_WITHOUT_ZONE = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%b %e %Y %H:%M:%S%.f",  # Cisco: Nov 30 2026 12:00:00
)
_WITHOUT_YEAR = "%Y %b %e %H:%M:%S%.f"  # syslog (RFC 3164) leaves the year out; it is put in front
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?([0-5]\d))?")


@dataclass(frozen=True, slots=True)
class Clock:
    """How to read times: the zone of those that name none, and about when it was (us), for those without a year."""

    zone: tzinfo = UTC
    near_us: int = 0


def parse_zone(text: str) -> tzinfo:
    """A time zone by its name, or by its distance from UTC such as +02:00. Raises UsageError."""
    if found := _OFFSET.fullmatch(text):
        distance = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if distance < timedelta(hours=24):
            return timezone(-distance if found[1] == "-" else distance)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"no time zone {text!r}: write Europe/Berlin, UTC or +02:00") from None


def times_us(text: pl.Series, clock: Clock, formats: Iterable[str] = ()) -> pl.Series:
    """The times (us), null where the text is no time. A number counts seconds, or ms, us, ns by its size.

    `formats` are tried before those that we know, in the notation of Polars (that of strptime).
    """
    times = _of_numbers(text)
    cleaned = text.str.strip_chars().str.replace(r"Z$", "+00:00").str.replace_all(r"\s+", " ")
    cleaned = cleaned.str.replace(r"([+-]\d\d):(\d\d)$", "${1}${2}")
    for form in (*formats, *_WITH_ZONE, *_WITHOUT_ZONE):
        if times.null_count() == text.null_count():
            return times
        found = cleaned.str.strptime(pl.Datetime("us"), form, strict=False)
        times = _filled(times, _as_utc(found, clock.zone) if "%z" not in form else found)
    return times if times.null_count() == text.null_count() else _filled(times, _without_year(cleaned, clock))


def durations_us(text: pl.Series) -> pl.Series:
    """Durations (us): seconds, with or without a fraction, or hours:minutes:seconds."""
    hours, minutes, seconds = (
        text.str.extract(r"^(\d+):(\d\d?):(\d\d?)$", group).cast(pl.Int64, strict=False) for group in (1, 2, 3)
    )
    plain = (text.cast(pl.Float64, strict=False) * SECOND_US).round().cast(pl.Int64, strict=False)
    return plain.fill_null((hours * 3600 + minutes * 60 + seconds) * SECOND_US)


def _filled(times: pl.Series, found: pl.Series) -> pl.Series:
    return times.fill_null(found.dt.epoch("us"))


def _of_numbers(text: pl.Series) -> pl.Series:
    whole = text.str.extract(r"^(\d{8,19})(?:\.\d+)?$").cast(pl.Int64, strict=False)
    fraction = text.str.extract(r"^\d+\.(\d+)$").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
    frame = pl.DataFrame({"whole": whole, "fraction": fraction.fill_null(0)})
    return frame.select(
        pl.when(pl.col("whole") < 10**11)
        .then(pl.col("whole") * SECOND_US + pl.col("fraction"))
        .when(pl.col("whole") < 10**14)
        .then(pl.col("whole") * 1000)
        .when(pl.col("whole") < 10**17)
        .then(pl.col("whole"))
        .otherwise(pl.col("whole") // 1000)
    ).to_series()


def _as_utc(found: pl.Series, zone: tzinfo) -> pl.Series:
    """Times of `zone` as times of UTC."""
    if isinstance(zone, ZoneInfo):
        placed = found.dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null")
        return placed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    distance = zone.utcoffset(None)
    return found - distance if distance else found


def _without_year(cleaned: pl.Series, clock: Clock) -> pl.Series:
    """Of the years around `clock.near_us`, the one that brings each time nearest to it."""
    near = datetime.fromtimestamp(clock.near_us / SECOND_US, UTC)

    def in_year(year: int) -> pl.Series:
        found = f"{year} " + cleaned  # not pl.format, in which Polars 2.1 panics on a column of several chunks
        return _as_utc(found.str.strptime(pl.Datetime("us"), _WITHOUT_YEAR, strict=False), clock.zone)

    return _nearest((in_year(year) for year in (near.year, near.year - 1, near.year + 1)), clock.near_us)


def _nearest(candidates: Iterable[pl.Series], near_us: int) -> pl.Series:
    chosen: pl.Series | None = None
    for each in candidates:
        if chosen is None:
            chosen = each
            continue
        far = (chosen.dt.epoch("us") - near_us).abs() > _HALF_A_YEAR_US
        closer = (each.dt.epoch("us") - near_us).abs() <= _HALF_A_YEAR_US
        chosen = chosen.zip_with(~(far.fill_null(value=True) & closer.fill_null(value=False)), each)
    assert chosen is not None
    return chosen
