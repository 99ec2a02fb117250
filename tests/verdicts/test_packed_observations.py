"""Observations come back from their packed form as they were, whatever the number of batches."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.flows_by_hand import OPEN, Talk, written
from support.parity import export, system_wireshark

from heuristics.observables.vocabulary import BY_NAME
from heuristics.rulebook.model import load
from postproc.capture.packet_table import empty_table, normalise, packets_of
from postproc.flows.counterparts import Counterparts
from postproc.flows.host_profile import HostProfile
from postproc.flows.state import CONTEXT_NAMES
from postproc.flows.tracker import Tracker
from postproc.verdicts import packed_observations
from postproc.verdicts.packed_observations import PackedObservations, cut_references
from postproc.verdicts.reset_observables import observe_flow
from postproc.verdicts.scoring import reset_identity


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_nothing_is_lost(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_observations, "_BATCH", batch)
    capture = written(tmp_path / "a.pcap", Talk().packets((*OPEN, "> PA 100", "< R", "< R", "> R")))
    tracker = Tracker(load().thresholds)
    tracker.follow(packets_of(normalise(export(capture, system_wireshark()))))
    alone = Counterparts([empty_table()], empty_table())
    entries = [(reset_identity(reset), observe_flow(reset, HostProfile(), alone)) for reset in tracker.resets]
    assert len(entries) == 3
    packed = PackedObservations()
    packed.add(entries)
    cut_references(tracker.resets)
    assert all(reset.side.last_reset is None for reset in tracker.resets)
    assert sorted(packed.drain(), key=lambda entry: entry[0].packet.frame) == entries
    assert list(packed.drain()) == []


def test_the_context_has_the_observables_of_the_vocabulary() -> None:
    """Their fields in a reset follow from the vocabulary: there are some, and each is an observable."""
    assert len(CONTEXT_NAMES) > 20
    assert set(CONTEXT_NAMES) <= BY_NAME.keys()
