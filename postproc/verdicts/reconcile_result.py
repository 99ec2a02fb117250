"""The result of comparing two captures (reconcile.py): what the peer capture shows about the resets of a capture."""

from __future__ import annotations

from dataclasses import dataclass

NEVER_LEFT, LEFT_SENDER = "never_left", "left_sender"  # ids of rules


@dataclass(frozen=True, slots=True)
class PeerEvidence:
    """The rule that holds for the reset at `frame`. `peer_frame` is the same packet in the peer, where it is there."""

    frame: int
    rule_id: str
    peer_frame: int | None


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The evidence, and how far the capture's clock is ahead of the peer's (us); None where no packets matched."""

    evidence: tuple[PeerEvidence, ...]
    offset_us: int | None


@dataclass(frozen=True, slots=True)
class CapturePair:
    """A capture with resets, and a peer capture taken at their claimed sender, both by index.

    `complete` are addresses of which the peer holds every packet; see `reconcile`.
    """

    capture: int
    peer: int
    complete: tuple[str, ...] = ()
