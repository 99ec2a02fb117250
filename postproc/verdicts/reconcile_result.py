"""What one capture says about the resets in another (reconcile.py)."""

from __future__ import annotations

from dataclasses import dataclass

NEVER_LEFT, LEFT_SENDER = "never_left", "left_sender"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the witness says about the reset at `frame`; `witness_frame` is the same packet there, where it holds it."""

    frame: int
    evidence: str
    witness_frame: int | None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The findings, and by how much the capture's clock is ahead of the witness's (us); None where nothing matched."""

    findings: tuple[Finding, ...]
    offset_us: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A capture with resets, and one that may tell who sent them, by index. `complete` as in postproc.reconcile."""

    capture: int
    witness: int
    complete: tuple[str, ...] = ()
