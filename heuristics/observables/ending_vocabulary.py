"""The observables that say whether a reset ended its connection, for causes more than for verdicts."""

from __future__ import annotations

from heuristics.observables.observable import Mark, ObservableSource, Type, table

ENDING = table(
    Type.BOOL,
    (
        "after_end",
        ObservableSource.CONTEXT,
        "",
        "the connection had ended before: FINs of both sides, the sender's FIN where the reset has no ACK (its socket "
        "is gone), or an earlier reset of either side that the connection did not survive",
        Mark.GIVEN,
    ),
    (
        "ended_connection",
        ObservableSource.FLOW,
        "",
        "the connection was open and ended with this reset; no: it had ended before, it went on, or the reset is "
        "behind what its receiver expects; missing where the flow shows nothing before it, or other sequence numbers",
    ),
)
