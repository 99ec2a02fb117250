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
    FRONT_END = "the address is another one at the peer, so the device that translates it may speak for it"
    AMBIGUOUS = "several packets are alike, or the times, MAC addresses or numbers leave a doubt"


@dataclass(frozen=True, slots=True, order=True)
class TranslatedEnd:
    """One end of a flow, as the capture has it, and as the peer has it."""

    address: str
    port: int
    peer_address: str
    peer_port: int

    @property
    def here(self) -> tuple[str, int]:
        """Address and port in the capture."""
        return self.address, self.port

    @property
    def there(self) -> tuple[str, int]:
        """The same in the peer."""
        return self.peer_address, self.peer_port

    @property
    def is_translated(self) -> bool:
        """Whether they differ."""
        return self.here != self.there


@dataclass(frozen=True, slots=True, order=True)
class Translation:
    """A flow with other ends in the peer: the `source` opened it. `known`: a SYN shows that, not only the ports."""

    source: TranslatedEnd
    destination: TranslatedEnd
    known: bool


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
