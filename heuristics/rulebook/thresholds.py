"""The numbers of [thresholds]. Both engines measure with them, and conditions may name them."""

from __future__ import annotations

from typing import NamedTuple


class ThresholdMeaning(NamedTuple):
    """What one number is. `unit` is empty for a plain count."""

    name: str
    unit: str
    meaning: str


THRESHOLDS = (
    ThresholdMeaning(
        "burst_gap_us", "us", "resets of one sender that follow one another within this time are one burst"
    ),
    ThresholdMeaning("copy_gap_us", "us", "a second capture of the same packet comes within this time"),
    ThresholdMeaning(
        "speech_wait_us", "us", "packets may overtake one another by this much even where the round trip is short"
    ),
    ThresholdMeaning("run_step", "", "IP IDs of one counter, as far as two resets of one run may lie apart"),
    ThresholdMeaning("talk_gap_us", "us", "packets of one side that follow one another within this time are one run"),
    ThresholdMeaning(
        "seq_reach", "bytes", "sequence numbers further apart than this belong to different conversations"
    ),
    ThresholdMeaning(
        "hop_tolerance", "hops", "a difference up to this is a change of route rather than another sender"
    ),
    ThresholdMeaning("baseline_packets", "packets", "packets of a host from which its hop limit is a baseline"),
)
