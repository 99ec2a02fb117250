"""The observables that say how a connection ended, for causes more than for verdicts."""

from __future__ import annotations

from heuristics.observables.observable import Mark, ObservableSource, Type, table

CONTEXT, FLOW, CAPTURE = ObservableSource.CONTEXT, ObservableSource.FLOW, ObservableSource.CAPTURE

ENDING = (
    table(
        Type.BOOL,
        (
            "after_end",
            CONTEXT,
            "",
            "the connection had ended before: FINs of both sides, the sender's FIN where the reset has no ACK (its "
            "socket is gone), or an earlier reset of either side that the connection did not survive",
            Mark.GIVEN,
        ),
        (
            "ended_connection",
            FLOW,
            "",
            "the connection was open and ended with this reset; no: it had ended before, it went on, or the reset is "
            "behind what its receiver expects; missing where the flow shows nothing before it, or other numbers",
        ),
        (
            "crossed_fin",
            CONTEXT,
            "",
            "the sender had sent a FIN, and the peer's last packet does not acknowledge it: both were on their way at "
            "the same time; missing where the sender sent no FIN",
        ),
    )
    + table(
        Type.INT,
        ("silence_us", CONTEXT, "us", "the longer of idle_us and peer_pause_us, as far as they are known"),
        (
            "silent_resets",
            CAPTURE,
            "",
            "resets of this sender in the capture that ended a connection after a silence of a minute or more",
            Mark.GIVEN,
        ),
        ("least_silence_us", CAPTURE, "us", "the shortest of these silences"),
    )
    + table(
        Type.STR,
        (
            "known_timeout",
            CAPTURE,
            "",
            "the usual idle timeout that least_silence_us is near, or silence_us where that is missing; or 'none'",
            Mark.GIVEN,
        ),
    )
)
