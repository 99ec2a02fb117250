"""Copies among the inputs: the same capture twice, perhaps compressed, converted or exported, counts once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from operator import attrgetter

from heuristics.errors import visible
from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import NO_CAPTURE_POINT
from postproc.verdicts.result_row import ResetRow

_SHOWN = 3  # copies that a message names
_of_packet = attrgetter(*(field.name for field in fields(ResetRow) if field.name != "capture"))


def without_copies(results: Sequence[CaptureResult]) -> list[CaptureResult]:
    """The results; that of a copy holds nothing but its name, and of which other input it is a copy.

    A copy has as many packets as an earlier input, begins and ends at the same microsecond, and all its resets and
    ICMP errors have the same frames, times, fields and verdicts.
    """
    first: dict[object, str] = {}
    return [_counted_once(result, first.setdefault(key, result.name)) for result, key in _keyed(results)]


def _keyed(results: Sequence[CaptureResult]) -> list[tuple[CaptureResult, object]]:
    return [(result, _content(result) or result.name) for result in results]


def _content(result: CaptureResult) -> object:
    """What makes a copy; None where too little is known of the packets."""
    if not result.readable or not result.packets or result.capture_point == NO_CAPTURE_POINT:
        return None
    rows = tuple(_of_packet(each.row) for each in (*result.resets, *result.errors))
    return result.packets, result.capture_point.first_us, result.capture_point.last_us, rows


def _counted_once(result: CaptureResult, original: str) -> CaptureResult:
    if original == result.name:
        return result
    return replace(result, resets=(), errors=(), flows=b"", capture_point=NO_CAPTURE_POINT, copy_of=original)


def copies_message(results: Sequence[CaptureResult]) -> str:
    """What a user has to know of the copies; empty where there are none."""
    pairs = [f"{result.name} is a copy of {result.copy_of}" for result in results if result.copy_of]
    if not pairs:
        return ""
    more = f"; and {len(pairs) - _SHOWN:,} more" if len(pairs) > _SHOWN else ""
    return visible(f"counted once: {'; '.join(pairs[:_SHOWN])}{more}")
