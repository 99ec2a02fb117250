"""Where a connection stood, in words."""

from __future__ import annotations

_PHASES = {
    "post-syn": "after the SYN",
    "post-ack": "after the handshake, before any data",
    "post-psh": "after the first data",
    "later": "data in both directions",
    "after-fin": "after a FIN",
    "unknown": "unknown: the capture lacks the start of the connection",
}


def phase(stage: str) -> str:
    """The words for a value of the column `stage`."""
    return _PHASES.get(stage, stage)
