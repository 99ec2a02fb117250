"""Whether a reset ended its connection, or came after the end.

A reset ends a connection that is open. What a closed socket answers to data that were still on their way, and what
comes after an earlier reset, ends nothing. A connection survives a reset if its receiver acknowledges bytes that the
sender sent after it: a forged reset with wrong numbers, or one that its receiver ignored. The plugin does the same in
Lua (generator/templates/state/connection_end.lua.j2), function by function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heuristics.protocol.tshark_fields import ACK
from postproc.flows.state import Reset, Side
from postproc.flows.tcp_arithmetic import SEQ_MASK, seq_diff

if TYPE_CHECKING:
    from postproc.capture.packet_table import Packet  # slow to import: Polars

_NOTHING_SENT = -1  # as `end_seq`: no sequence number of the sender was known, so whatever is acknowledged came later


def after_end(packet: Packet, side: Side, peer: Side) -> bool:
    """Whether the connection had ended before the reset `packet` of `side`."""
    socket_gone = side.fin and not packet.flags & ACK
    return socket_gone or (side.fin and peer.fin) or _ended_by(side, peer) or _ended_by(peer, side)


def crossed_fin(side: Side, peer: Side) -> bool | None:
    """Whether the peer's last packet was on its way when the FIN of `side` was; None without a FIN."""
    if not side.fin or side.next_seq is None:
        return None
    last = peer.last
    return last is not None and last.flags & ACK != 0 and seq_diff(last.ack, side.next_seq) < 0


def note_end(reset: Reset) -> None:
    """Remember on its side that this reset may have ended the connection, for the resets that follow."""
    if not (reset.after_end or _without_effect(reset)):
        reset.side.end_seq = _end_seq(reset)


def ended_connection(reset: Reset) -> bool | None:
    """Whether the connection ended with the reset; None if the capture does not show it. The flow is complete."""
    if reset.after_end or reset.answers_earlier:
        return False
    return None if _without_effect(reset) else not _survived(reset.peer, _end_seq(reset))


def _without_effect(reset: Reset) -> bool:
    """The reset shows no connection that it could end: nothing came before it, or it is out of the window."""
    return reset.idle_us is None or reset.seq_foreign or reset.answers_earlier


def _end_seq(reset: Reset) -> int:
    """The end of all that the sender had sent when the reset passed."""
    if reset.seq_ahead is None:
        return _NOTHING_SENT
    return (reset.packet.seq + max(0, -(reset.seq_step or 0))) & SEQ_MASK


def _ended_by(side: Side, peer: Side) -> bool:
    return side.end_seq is not None and not _survived(peer, side.end_seq)


def _survived(peer: Side, end_seq: int) -> bool:
    """Whether the receiver of a reset acknowledges bytes that the sender sent after it."""
    return peer.acked is not None and (end_seq == _NOTHING_SENT or seq_diff(peer.acked, end_seq) > 0)
