"""What is remembered of a flow while its packets pass, and of each reset: plain state, no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heuristics.language.expressions import MAX_OBSERVABLE

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars


def seq_diff(a: int, b: int) -> int:
    """How far sequence number `a` lies beyond `b`, signed, across the wrap (RFC 9293 section 3.4)."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def elapsed_us(later_us: int, earlier_us: int) -> int:
    """Time from one packet to another in microseconds, negative where the clock ran backwards.

    Held to what rules may compute with (12 days): packets without a time stamp lie decades from the others.
    """
    elapsed = later_us - earlier_us
    if -MAX_OBSERVABLE <= elapsed <= MAX_OBSERVABLE:  # nearly always, and quicker than max and min
        return elapsed
    return MAX_OBSERVABLE if elapsed > 0 else -MAX_OBSERVABLE


@dataclass(slots=True)
class Sent:
    """A segment on its way: sequence numbers [start, end), when it was first seen, whether it was seen once only."""

    start: int
    end: int
    time_us: int
    once: bool = True


@dataclass(slots=True)
class RoundTrips:
    """The two smallest round trips measured, in microseconds, and whether a handshake is among all that were.

    Data may be acknowledged late or with the application's answer, so without a handshake they say nothing.
    """

    least_us: int | None = None
    second_us: int | None = None
    handshake: bool = False

    def add(self, rtt_us: int, *, handshake: bool) -> None:
        """Take in one more round trip."""
        self.handshake = self.handshake or handshake
        if self.least_us is None or rtt_us < self.least_us:
            self.least_us, self.second_us = rtt_us, self.least_us
        elif self.second_us is None or rtt_us < self.second_us:
            self.second_us = rtt_us


@dataclass(slots=True)
class Answers:
    """How one host answered SYNs, in all flows: the round trips of its SYN-ACKs and the ports they came from."""

    round_trips: RoundTrips = field(default_factory=RoundTrips)
    ports: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Burst:
    """Resets of one sender, each soon after the one before; copies of one packet counted once."""

    last_us: int
    size: int = 0
    hop_limits: set[int] = field(default_factory=set)
    seqs: set[int] = field(default_factory=set)
    ahead: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Reset:
    """One reset, with what was known of the flow when it passed (names as in the vocabulary)."""

    packet: Packet
    flow: Flow
    side: Side
    peer: Side
    burst: Burst
    stage: str
    sender_is_initiator: bool | None
    syn_only: bool
    sender_had_sent: bool
    established: bool
    fin_before: bool
    resets_before: int
    peer_resets_before: int
    seq_ahead: int | None
    seq_step: int | None
    acked_us: int | None
    idle_us: int | None
    response_us: int | None
    peer_run_us: int | None
    peer_pause_us: int | None
    id_mirrored: bool | None
    window_mirrored: bool | None
    reserved_mirrored: bool | None
    id_step: int | None
    own_id_step: int | None
    own_window: int | None
    ts_step: int | None
    ts_expected: bool
    ack_ahead: int | None
    ack_step: int | None
    mac_addressed: bool | None
    ack_unflagged: bool
    answers_earlier: bool
    under_way: int | None
    under_way_us: int | None
    acked_bytes: int | None
    peer_reset_gap_us: int | None


@dataclass(slots=True)
class Side:
    """What one end of a flow has shown by its authentic packets, and the resets sent in its name."""

    hop_limits: dict[int, int] = field(default_factory=dict)
    packets: int = 0
    handshake_packets: int = 0
    handshake_hops: dict[int, int] = field(default_factory=dict)
    isn: int | None = None
    handshake_us: int = 0
    handshake_sent: int = 0
    handshake_answered: bool = False
    handshake_linux: bool = True
    next_seq: int | None = None
    acked: int | None = None
    sent: list[Sent] = field(default_factory=list)
    data_packets: int = 0
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    opening: Packet | None = None
    last: Packet | None = None
    before_last_id: int | None = None
    last_tsval: int | None = None
    run_us: int | None = None
    pause_us: int | None = None
    front_us: int | None = None
    front_seq: int = 0
    fin: bool = False
    resets: int = 0
    reset_hops: dict[int, int] = field(default_factory=dict)
    recent_resets: list[Reset] = field(default_factory=list)
    last_reset: Reset | None = None
    burst: Burst | None = None

    @property
    def handshake_hop(self) -> int | None:
        """Hop limit of the first SYN or SYN-ACK."""
        return self.opening.hop_limit if self.opening else None

    @property
    def established(self) -> bool:
        """More was seen of this side than its SYN or SYN-ACK."""
        return self.packets > self.handshake_packets


@dataclass(slots=True)
class Flow:
    """One incarnation of a connection.

    `initiator` is the endpoint that opened it, None where no handshake was seen, `likely_initiator` a guess by the
    higher port (equal ports: the source of the first packet); `reused` says that another incarnation
    of the same addresses and ports follows.
    """

    low: tuple[str, int]
    high: tuple[str, int]
    incarnation: int
    first_frame: int
    last_frame: int
    sides: dict[tuple[str, int], Side]
    likely_initiator: tuple[str, int]
    initiator: tuple[str, int] | None = None
    last_syn_us: int | None = None
    reused: bool = False

    @property
    def ended(self) -> bool:
        """A FIN or a reset was seen: the next new SYN begins another incarnation."""
        return any(side.fin or side.resets for side in self.sides.values())
