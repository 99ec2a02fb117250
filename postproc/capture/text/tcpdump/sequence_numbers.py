"""Undoes the relative sequence numbers of tcpdump.

Without -S, tcpdump prints the first packet with ACK of a conversation, and every SYN, as they are (print-tcp.c). The
former sets the base of each direction: its own number, and one less than what it acknowledges. Later packets with ACK
are printed relative to these bases; packets without ACK never are. So numbers can be undone exactly where the text
holds the packet that set the bases. Where it does not, the numbers of a direction are left as they are: they fit one
another, but not those of packets without ACK.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.text.tcpdump.tcp_header import Segment

_MASK, _HALF = 0xFFFFFFFF, 0x80000000
# Numbers that are closer than this are of one conversation; two numbers at random are so in one case of 512.
_NEAR = 1 << 22
# A conversation that begins with a number below this was most likely begun before the text.
_SMALL = 1 << 24


@dataclass(slots=True)
class _Direction:
    """One direction: its base, and the number that follows its last byte so far; None where they are not known."""

    isn: int | None = None
    base: int | None = None
    next_seq: int | None = None


@dataclass(slots=True)
class _Conversation:
    """Two directions. `relative` is None until the text shows which; `cut` may mean numbers of an unknown base."""

    directions: tuple[_Direction, _Direction] = field(default_factory=lambda: (_Direction(), _Direction()))
    begun: bool = False
    relative: bool | None = None
    cut: bool = False
    joined_late: bool = False


@dataclass(slots=True)
class SequenceNumbers:
    """The conversations of a text so far. `texts` counts those with relative numbers (True) and without (False)."""

    texts: Counter[bool] = field(default_factory=Counter)
    _conversations: dict[tuple[tuple[str, int], tuple[str, int]], _Conversation] = field(default_factory=dict)

    def absolute(self, segment: Segment) -> tuple[int | None, int | None] | None:
        """The numbers (sequence, acknowledgement) of the next segment, each None where the text does not have it.

        None instead of both where they cannot be compared with the others of the conversation.
        """
        source, target = (segment.src, segment.sport), (segment.dst, segment.dport)
        ends, own = ((source, target), 0) if source <= target else ((target, source), 1)
        conversation = self._conversations.get(ends)
        if conversation is None:
            conversation = self._conversations[ends] = _Conversation()
        side, peer = conversation.directions[own], conversation.directions[1 - own]
        seq, ack = segment.seq, segment.ack
        if not segment.flags & ACK or ack is None:
            if not segment.flags & SYN and self._incomparable(conversation, side, seq):
                return None
        elif not conversation.begun or segment.flags & SYN:
            seq, ack = self._begin(conversation, side, peer, segment)
        else:
            if conversation.relative is None:
                self._decide(conversation, side, peer, segment)
            if self._is_relative(conversation):
                seq = None if seq is None else (seq + (side.base or 0)) & _MASK
                ack = (ack + (peer.base or 0)) & _MASK
        return self._noted(side, peer, segment, seq, ack), ack

    def _begin(
        self, conversation: _Conversation, side: _Direction, peer: _Direction, segment: Segment
    ) -> tuple[int | None, int | None]:
        """Take the packet that sets the bases, or, in a text without it, the first one that there is."""
        seq, ack = segment.seq, segment.ack
        assert ack is not None
        conversation.begun = True
        if segment.flags & SYN:
            conversation.joined_late = conversation.cut = False
            conversation.relative = None
        elif side.isn is not None and not _near(ack if seq is None else seq, side.isn, peer.isn, of_peer=seq is None):
            # The SYN was printed, but not the packet that set the bases: this one is relative already.
            conversation.relative = True
            side.base, peer.base = side.isn, peer.isn
            return (
                None if seq is None else (seq + side.isn) & _MASK,
                (ack + (peer.base or 0)) & _MASK,
            )
        elif side.isn is None and peer.isn is None:
            conversation.joined_late = True
            conversation.cut = min(ack, ack if seq is None else seq) < _SMALL
        side.base, peer.base = seq, (ack - 1) & _MASK
        return seq, ack

    def _decide(self, conversation: _Conversation, side: _Direction, peer: _Direction, segment: Segment) -> None:
        """Whether the conversation is printed with relative numbers, if this segment shows it."""
        votes = {
            _nearer(value, direction)
            for value, direction in ((segment.seq, side), (segment.ack, peer))
            if value is not None and direction.base is not None and direction.next_seq is not None
        } - {None}
        if len(votes) == 1:
            conversation.relative = votes.pop()
            assert conversation.relative is not None
            if not conversation.joined_late:
                self.texts[conversation.relative] += 1
            conversation.cut = conversation.cut and not conversation.relative

    def _is_relative(self, conversation: _Conversation) -> bool:
        if conversation.relative is not None:
            return conversation.relative
        return not conversation.cut and self.texts[True] >= self.texts[False]

    def _incomparable(self, conversation: _Conversation, side: _Direction, seq: int | None) -> bool:
        """Whether `seq`, printed as it is, cannot be compared with the direction's numbers: their base is not known."""
        if not conversation.begun or self.texts[False] > self.texts[True]:
            return False
        if seq is not None and side.next_seq is not None and _distance(seq, side.next_seq) < _NEAR:
            return False
        if conversation.relative:
            return side.base is None
        late = conversation.relative is False and conversation.joined_late
        return conversation.cut or (late and self.texts[True] > self.texts[False])

    def _noted(
        self, side: _Direction, peer: _Direction, segment: Segment, seq: int | None, ack: int | None
    ) -> int | None:
        """The sequence number. Notes it for later segments.

        Without -vv, tcpdump leaves out the number of a bare ACK. It is that of the next byte: by what its sender has
        sent, or else by what the other end has acknowledged. That adds nothing to what the conversation shows.
        """
        flags = segment.flags
        if seq is None:
            seq = side.next_seq
        if seq is not None and not flags & RST:  # a reset may be forged
            end = (seq + segment.length + bool(flags & SYN) + bool(flags & FIN)) & _MASK
            if flags & SYN:
                side.isn, side.next_seq = seq, end
            elif side.next_seq is None or 0 < (end - side.next_seq) & _MASK < _HALF:
                side.next_seq = end
        if ack is not None and flags & ACK and not flags & RST and peer.next_seq is None:
            peer.next_seq = ack
        return seq


def _near(value: int, isn: int, peer_isn: int | None, *, of_peer: bool) -> bool:
    """Whether a number is close to the initial one of its direction. Unknown ones are close to everything."""
    reference = peer_isn if of_peer else isn
    return reference is None or _distance(value, reference) < _NEAR


def _nearer(value: int, direction: _Direction) -> bool | None:
    """Whether `value` fits the direction only as a relative number, or only as it is (False); None where both fit."""
    assert direction.base is not None
    assert direction.next_seq is not None
    as_is, relative = (_distance(each, direction.next_seq) for each in (value, value + direction.base))
    if (as_is < _NEAR) != (relative < _NEAR):
        return relative < _NEAR
    return None if 0 not in (as_is, relative) or as_is == relative else relative == 0


def _distance(a: int, b: int) -> int:
    ahead = (a - b) & _MASK
    return min(ahead, _MASK + 1 - ahead)
