"""The observables of what the sender of a reset says itself (heuristics/protocol/stated_cause.py)."""

from __future__ import annotations

from heuristics.observables.observable import Mark, ObservableSource, Type, table

HEADER = ObservableSource.HEADER

STATED = (
    table(
        Type.BOOL,
        ("f5_trailer", HEADER, "", "the frame has the Ethernet trailer of an F5 BIG-IP with a reset cause", Mark.GIVEN),
    )
    + table(
        Type.STR,
        (
            "stated_cause",
            HEADER,
            "",
            "why the sender says that it reset: an F5 BIG-IP in payload or Ethernet trailer, or a diagnostic payload",
        ),
    )
    + table(
        Type.INT,
        (
            "stated_reason",
            HEADER,
            "",
            "the reason in a diagnostic payload (IETF draft); missing in fields exports and in text",
        ),
        ("stated_enterprise", HEADER, "", "the enterprise number whose reason that is; 0: the IETF's own"),
    )
)
