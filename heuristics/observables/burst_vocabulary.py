"""The observables of a burst: resets of one sender, each soon after the one before."""

from __future__ import annotations

from heuristics.observables.observable import Mark, ObservableSource, Type, table

FLOW, GIVEN = ObservableSource.FLOW, Mark.GIVEN

BURST = table(
    Type.INT,
    (
        "burst_size",
        FLOW,
        "",
        "resets of this sender in one burst (each soon after the one before), copies counted once",
        GIVEN,
    ),
    ("burst_values", FLOW, "", "different hop limits among them", GIVEN),
    (
        "burst_foreign",
        FLOW,
        "",
        "different hop limits among them that the sender's authentic packets in the flow never show",
        GIVEN,
    ),
    ("burst_seqs", FLOW, "", "different sequence numbers among them", GIVEN),
    (
        "burst_span",
        FLOW,
        "bytes",
        "how far the highest sequence number lies beyond the lowest, among those with this one's hop limit",
        GIVEN,
    ),
    ("burst_ahead", FLOW, "", "different sequence numbers among them that lie beyond all the sender sent", GIVEN),
) + table(
    Type.BOOL,
    (
        "burst_windows_count",
        FLOW,
        "",
        "three resets or more in the burst, and the windows of all of them count up by one",
        GIVEN,
    ),
)
