"""TCP headers as logs show them -> the columns of a row.

What a log leaves out follows from the packets before, or stays missing.

Linux logs no length of the TCP header, and by default no numbers. Segments without a number are taken to follow one
another, which speaks neither for nor against a sender; their acknowledgements stay missing. So do those of flows of
which it is not known how much payload their segments have.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from heuristics.protocol.tshark_fields import FIN, RST, SYN
from postproc.capture.text.reading import Row

_MASK = 0xFFFFFFFF
_BASE = 1 << 30  # the first number of a direction whose numbers are not logged; 0 has a meaning in resets
_PLAIN, _STAMPED, _LONGEST = 20, 32, 60  # bytes of a TCP header: without options, with timestamps, at most
_STAMPED_HANDSHAKE = 36  # least bytes of the header of a SYN with a segment size and timestamps
LETTERS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128, "W": 128}

Ends = tuple[str, int, str, int]  # source and its port, destination and its port


@dataclass(frozen=True, slots=True)
class LoggedSegment:
    """A TCP header. `length` is its bytes and those of its payload; None is what the log leaves out."""

    ends: Ends
    flags: int
    window: int
    length: int
    seq: int | None = None
    ack: int | None = None
    header: int | None = None
    kinds: tuple[int, ...] = ()
    tsval: int | None = None


@dataclass(slots=True)
class Segments:
    """What the segments so far show: the next number of each direction, and the header of its handshake (bytes).

    `_unsized` are directions with segments of which it is not known how much payload they have.
    """

    _next: dict[Ends, int] = field(default_factory=dict)
    _handshakes: dict[Ends, int] = field(default_factory=dict)
    _unsized: set[Ends] = field(default_factory=set)

    def row(self, segment: LoggedSegment) -> Row:
        """The TCP columns of the next segment."""
        header = self._header(segment)
        payload = max(segment.length - header, 0)
        seq = self._next.get(segment.ends, _BASE) if segment.seq is None else segment.seq
        if not segment.flags & RST:
            self._next[segment.ends] = (seq + payload + bool(segment.flags & SYN) + bool(segment.flags & FIN)) & _MASK
        sport, dport = segment.ends[1], segment.ends[3]
        ack = None if segment.seq is None or not self._unsized.isdisjoint(_both(segment.ends)) else segment.ack
        return {
            "tcp.srcport": str(sport),
            "tcp.dstport": str(dport),
            "tcp.flags": f"0x{segment.flags:04x}",
            "tcp.window_size_value": str(segment.window),
            "tcp.seq_raw": str(seq),
            "tcp.ack_raw": None if ack is None else str(ack),
            "tcp.hdr_len": str(header),
            "tcp.len": str(payload),
            "tcp.option_kind": ",".join(map(str, segment.kinds)) or None,
            "tcp.options.timestamp.tsval": None if segment.tsval is None else str(segment.tsval),
        }

    def _header(self, segment: LoggedSegment) -> int:
        """Bytes of the TCP header. A log without it: a handshake or a reset has no payload, as a rule, and other
        segments have timestamps where both handshakes have room for them."""
        if segment.header is not None:
            return segment.header
        fits = _PLAIN <= segment.length <= _LONGEST and segment.length % 4 == 0
        if segment.flags & SYN and fits:
            self._handshakes[segment.ends] = segment.length
        if segment.flags & (SYN | RST):
            return segment.length if fits else _PLAIN
        both = [self._handshakes.get(ends) for ends in _both(segment.ends)]
        if None in both:  # whether it has options cannot be told: nothing is taken for payload
            self._unsized.add(segment.ends)
            return segment.length if fits else min(max(segment.length, _PLAIN), _LONGEST)
        stamped = all(length is not None and length >= _STAMPED_HANDSHAKE for length in both)
        return min(_STAMPED if stamped else _PLAIN, max(segment.length, _PLAIN))


def _both(ends: Ends) -> tuple[Ends, Ends]:
    """Both directions of a flow."""
    return ends, (*ends[2:], *ends[:2])
