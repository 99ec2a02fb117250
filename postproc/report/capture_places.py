"""Which captures were taken at one place: only there can distances of two captures be compared."""

from __future__ import annotations

from collections.abc import Sequence

from postproc.batch.job import CaptureResult

_Sign = tuple[str, int]  # an address, and a hop limit that its packets have at a place


def capture_places(results: Sequence[CaptureResult]) -> dict[str, int]:
    """A number for the place of each capture, by the name of the capture.

    Captures are of one place if the packets of a host arrive there with the same hop limit. A capture that shares no
    host with another one is of a place of its own.
    """
    places = [*range(len(results))]  # by capture: an earlier one of its place, or itself
    first: dict[_Sign, int] = {}

    def place_of(index: int) -> int:
        while places[index] != index:
            index = places[index]
        return index

    for index, result in enumerate(results):
        for sign in _signs(result):
            places[place_of(index)] = place_of(first.setdefault(sign, index))
    return {result.name: place_of(index) for index, result in enumerate(results)}


def _signs(result: CaptureResult) -> set[_Sign]:
    point = result.capture_point
    rows = (each.row for each in result.resets)
    of_rows = {(row.src, row.hop_baseline) for row in rows if row.hop_baseline is not None}
    return of_rows | {*zip(point.hosts, point.hop_limits, strict=True)}
