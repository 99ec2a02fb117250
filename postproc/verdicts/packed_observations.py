"""Observations of many resets in little memory, while the rest of the capture is followed.

A verdict needs the whole capture, so what the flows say of all resets has to wait. A pickle takes a fraction of the
memory of the objects. The flows themselves are let go.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from itertools import islice

from postproc.flows.state import Reset
from postproc.verdicts.reset_observables import FlowObservation
from postproc.verdicts.scoring import ResetIdentity

Entry = tuple[ResetIdentity, FlowObservation]
_BATCH = 4096  # so many observations are objects at one time


class PackedObservations:
    """Observations, pickled in batches."""

    def __init__(self) -> None:
        self._batches: list[bytes] = []

    def add(self, entries: Iterable[Entry]) -> None:
        """Pickle the entries."""
        remaining = iter(entries)
        while batch := [*islice(remaining, _BATCH)]:
            self._batches.append(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL))

    def drain(self) -> Iterator[Entry]:
        """All entries in any order. Each batch is gone once it is read."""
        while self._batches:
            yield from pickle.loads(self._batches.pop())


def cut_references(resets: Iterable[Reset]) -> None:
    """Cut the references from each side of a flow to its resets, which keep one another and their flows in memory."""
    for reset in resets:
        reset.side.recent_resets, reset.side.last_reset = [], None
