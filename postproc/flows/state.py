"""The state of a flow while its packets pass, and the context of each reset: plain data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heuristics.observables.vocabulary import OF_CONTEXT

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars

CONTEXT_NAMES: tuple[str, ...] = tuple(observable.name for observable in OF_CONTEXT)


@dataclass(slots=True)
class InFlight:
    """A segment in flight: sequence numbers [start, end), and the time when it was first captured."""

    start: int
    end: int
    time_us: int
    retransmitted: bool = False


@dataclass(slots=True)
class RoundTrips:
    """The two shortest round trips measured, in microseconds, and whether a handshake is among all that were measured.

    Data may be acknowledged late, or with the application's answer: without a handshake, round trips say nothing.
    """

    least_us: int | None = None
    second_us: int | None = None
    handshake: bool = False

    def add(self, rtt_us: int, *, handshake: bool) -> None:
        """Add one round trip."""
        self.handshake = self.handshake or handshake
        if self.least_us is None or rtt_us < self.least_us:
            self.least_us, self.second_us = rtt_us, self.least_us
        elif self.second_us is None or rtt_us < self.second_us:
            self.second_us = rtt_us


@dataclass(slots=True)
class HostHandshakes:
    """How one host accepted connections, in all flows: round trips of its SYN-ACKs, and the ports that sent them."""

    round_trips: RoundTrips = field(default_factory=RoundTrips)
    accepting_ports: set[int] = field(default_factory=set)


@dataclass(slots=True)
class ResetBurst:
    """Resets of one sender, each soon after the one before. Duplicates count once."""

    last_us: int
    size: int = 0
    hop_limits: set[int] = field(default_factory=set)
    seqs: set[int] = field(default_factory=set)
    seqs_by_hop_limit: dict[int | None, set[int]] = field(default_factory=dict)
    seqs_ahead: set[int] = field(default_factory=set)
    windows: set[int] = field(default_factory=set)


class Reset:
    """One reset and its context, that is the state of its flow when it passed.

    The class has one attribute for each observable whose source is the context, under the observable's name
    (heuristics/observables/vocabulary.py). Of these, only those are declared here that other code reads by name.
    `is_copy`: it is a second capture of an earlier reset.
    `off_flow`: all that the sender's packets in the flow had shown until then was 2 or more hops off.
    `in_flight_end` and `in_flight_us` belong to the last segment in flight to the sender: its end, and its age.
    """

    __slots__ = (
        *("packet", "flow", "side", "peer", "burst", "is_copy", "sender_had_sent", "off_flow"),
        *("in_flight_end", "in_flight_us"),
        *CONTEXT_NAMES,
    )

    packet: Packet
    flow: Flow
    side: Side
    peer: Side
    burst: ResetBurst
    is_copy: bool
    sender_had_sent: bool
    off_flow: bool
    in_flight_end: int | None
    in_flight_us: int | None

    stage: str
    sender_is_initiator: bool | None
    after_end: bool
    answers_earlier: bool
    idle_us: int | None
    silence_us: int | None
    resets_before: int
    own_resets_before: int
    seq_ahead: int | None
    seq_step: int | None
    seq_foreign: bool
    id_step: int | None
    id_mirrored: bool | None
    window_mirrored: bool | None
    reserved_mirrored: bool | None
    peer_reset_gap_us: int | None

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


@dataclass(slots=True)
class Side:
    """The authentic packets of one end of a flow, summed up, and the resets sent in its name.

    `hop_limit_onsets` has how many packets came before the first one with a hop limit, for every hop limit but the
    first. `first_syn` is its first SYN or SYN-ACK. The fields `handshake_*` describe its last SYN or SYN-ACK and how
    often it was sent; `handshake_packets`, `handshake_hop_limits` and `handshake_linux` cover all of them. A packet
    burst is a series of packets, each soon after the one before: `packet_burst_us` is the start of the last one,
    `preceding_gap_us` the silence before it. `advanced_us` and `advanced_seq` belong to the last packet that moved the
    conversation on. `end_seq` belongs to its last reset that may have ended the connection (connection_end.py).
    """

    hop_limits: dict[int, int] = field(default_factory=dict)
    hop_limit_onsets: dict[int, int] = field(default_factory=dict)
    packets: int = 0
    handshake_packets: int = 0
    handshake_hop_limits: dict[int | None, int] = field(default_factory=dict)
    isn: int | None = None
    handshake_us: int = 0
    handshake_transmissions: int = 0
    handshake_answered: bool = False
    handshake_linux: bool = True
    next_seq: int | None = None
    acked: int | None = None
    in_flight: list[InFlight] = field(default_factory=list)
    data_packets: int = 0
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    first_syn: Packet | None = None
    last: Packet | None = None
    before_last_id: int | None = None
    last_tsval: int | None = None
    packet_burst_us: int | None = None
    preceding_gap_us: int | None = None
    advanced_us: int | None = None
    advanced_seq: int = 0
    fin: bool = False
    end_seq: int | None = None
    resets: int = 0
    reset_hop_limits: dict[int | None, int] = field(default_factory=dict)
    bare_reset_hop_limits: dict[int | None, int] = field(default_factory=dict)
    recent_resets: list[Reset] = field(default_factory=list)
    last_reset: Reset | None = None
    reset_burst: ResetBurst | None = None

    @property
    def established(self) -> bool:
        """The capture holds more of this side than its SYN or SYN-ACK."""
        return self.packets > self.handshake_packets


@dataclass(slots=True)
class Flow:
    """One incarnation of a connection.

    `initiator` is the endpoint that opened it, None if the capture holds no handshake. `likely_initiator` is a guess by
    the higher port (equal ports: the source of the first packet). `reused` says that another incarnation of the same
    addresses and ports follows.
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
        """The capture holds a FIN or a reset: the next new SYN begins another incarnation."""
        return any(side.fin or side.resets for side in self.sides.values())
