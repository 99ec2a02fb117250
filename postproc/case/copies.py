"""Copies among the inputs: one capture twice, perhaps compressed, converted or exported. Summaries count it once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from operator import attrgetter

from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import NO_CAPTURE_POINT
from postproc.verdicts.result_row import ResetRow

_of_packet = attrgetter(*(field.name for field in fields(ResetRow) if field.name != "capture"))


def with_copies_marked(results: Iterable[CaptureResult]) -> list[CaptureResult]:
    """The results. Those of copies say of which earlier input they are one.

    A copy has as many packets as the other input, begins and ends at the same microsecond, and all its resets and
    ICMP errors have the same frames, times, fields and verdicts.
    """
    first: dict[object, str] = {}
    marked = []
    for result in results:
        original = first.setdefault(_content(result) or result.name, result.name)
        marked.append(result if original == result.name else replace(result, copy_of=original))
    return marked


def _content(result: CaptureResult) -> object:
    """What makes a copy; None where too little is known of the packets."""
    rows = tuple(_of_packet(each.row) for each in (*result.resets, *result.errors))
    if not rows or not result.packets or result.capture_point == NO_CAPTURE_POINT:
        return None
    return result.packets, result.capture_point.first_us, result.capture_point.last_us, rows
