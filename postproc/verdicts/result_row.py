"""The resets table: a row for every reset and ICMP error, with its verdict. Names and order are stable."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Literal


# Not frozen, as there are many: to make a frozen one takes six times as long. Nothing changes them all the same.
@dataclass(slots=True)
class ResetRow:
    """One judged reset or ICMP error. A value that the capture does not give is None.

    `frame` is the number Wireshark shows, `time` seconds since the epoch, `flow` a display filter that selects the
    flow, `distance` the hops from whoever sent this packet to the capture point, `sender_distance` those from the
    claimed sender, `rtt_us` and `response_us` microseconds, `evidence` the ids of the rules that fired, `reason` why a
    verdict is unclear. `cause` is a hypothesis, `device` names a known form, `where` says whence a suspect reset came.
    `end_reason` is Palo Alto's.

    Of an ICMP error, `sport` and `dport` are those of the packet it quotes, `evidence` is the entry of the rulebook
    that holds, and `quoted_hop_limit` is what the packet had left.
    """

    capture: str
    frame: int
    time: float
    kind: Literal["rst", "icmp"]
    flow: str
    src: str
    sport: int
    dst: str
    dport: int
    stage: str
    end_reason: str | None
    cause: str | None
    verdict: str
    origin: str
    suspicion: int
    hop_limit: int
    hop_baseline: int | None
    hop_delta: int | None
    distance: int
    sender_distance: int | None
    baseline_source: str
    rtt_us: int | None
    response_us: int | None
    device: str | None
    evidence: tuple[str, ...]
    reason: str
    quoted_hop_limit: int | None = None
    where: str | None = None

    def __reduce__(self) -> tuple[type[ResetRow], tuple[Any, ...]]:
        """For processes that send many: its values, in less time than a dataclass takes by itself."""
        return ResetRow, _row_values(self)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(ResetRow))
_row_values = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Rejection:
    """What an ICMP error says: type and code in words, the rejected packet's target, and the hops it had travelled."""

    name: str
    target: str
    travelled: int | None


@dataclass(slots=True)
class JudgedReset:
    """A row of the table with what its columns leave out: the score (centi-nats), and the evidence in words.

    `rejection` is there for ICMP errors, `signature` (postproc.signature) for resets that have one, `ip_id` where it
    may come from a counter that serves several senders (postproc.company).
    """

    row: ResetRow
    score: int
    words: tuple[str, ...]
    rejection: Rejection | None = None
    signature: str | None = None
    ip_id: int | None = None

    def __reduce__(self) -> tuple[type[JudgedReset], tuple[Any, ...]]:
        """As that of a row."""
        return JudgedReset, _judged_values(self)


_judged_values = attrgetter(*(field.name for field in fields(JudgedReset)))
