"""The result of comparing two captures (reconcile.py): what the peer capture shows about the resets of a capture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NEVER_LEFT, LEFT_SENDER = "never_left", "left_sender"  # ids of rules


@dataclass(frozen=True, slots=True)
class PeerEvidence:
    """The rule that holds for the reset at `frame`. `peer_frame` is the same packet in the peer, where it is there."""

    frame: int
    rule_id: str
    peer_frame: int | None


class Undecided(StrEnum):
    """Why a comparison says nothing about a reset."""

    NOT_AT_SENDER = "the peer was not taken at the sender that the reset names"
    NO_COMMON_PACKETS = "the captures have fewer than two packets of these hosts in common"
    SAME_PLACE = "no hop lies between the captures"
    INCOMPLETE = "the peer may lack packets of the sender (--complete says that it holds all)"
    FRONT_END = "the address is translated to that of a server, so the translating device may speak for it"
    AMBIGUOUS = "several packets are alike, or the times, MAC addresses or numbers leave a doubt"


@dataclass(frozen=True, slots=True)
class Translation:
    """A flow with other ends in the peer: source, port, destination, port, here and there.

    The source is the end that opened the flow; `known` says that a SYN shows it, not only the ports.
    """

    here: tuple[str, int, str, int]
    there: tuple[str, int, str, int]
    known: bool

    @property
    def addresses_here(self) -> tuple[str, str]:
        """The addresses of both ends, as the capture has them."""
        return self.here[0], self.here[2]

    @property
    def addresses_there(self) -> tuple[str, str]:
        """The same as the peer has them."""
        return self.there[0], self.there[2]

    @property
    def of_source(self) -> bool:
        """Whether the end that opened the flow is translated (source NAT)."""
        return self.here[:2] != self.there[:2]

    @property
    def of_destination(self) -> bool:
        """Whether the end that accepted the flow is translated (destination NAT, load balancer)."""
        return self.here[2:] != self.there[2:]


@dataclass(frozen=True, slots=True)
class UndecidedCount:
    """How many resets stay undecided for the reason `why` (an Undecided)."""

    why: str
    resets: int


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The evidence, and how far the capture's clock is ahead of the peer's (us); None where no packets matched.

    `translations` are the flows with other addresses or ports in the peer; `undecided` counts the resets without
    evidence.
    """

    evidence: tuple[PeerEvidence, ...]
    offset_us: int | None
    translations: tuple[Translation, ...] = ()
    undecided: tuple[UndecidedCount, ...] = ()


@dataclass(frozen=True, slots=True)
class CapturePair:
    """A capture with resets, and a peer capture that may have been taken at their claimed sender, both by index.

    `complete` are addresses of which the peer holds every packet, `hosts` those at whose interface it was taken, as the
    user says; see `reconcile`.
    """

    capture: int
    peer: int
    complete: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
