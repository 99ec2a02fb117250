"""Which hop limits of a flow are the sender's own, and which are those of packets that another device put in.

A device that injects data (a block page) speaks in the sender's name before it resets: its packets must not become the
sender's. The plugin does the same in Lua (generator/templates/state/injected_packets.lua.j2), function by function.
"""

from __future__ import annotations

from heuristics.engine_limits import MAX_STRAY_PACKETS, MAX_STRAY_SHARE, MIN_STRAY_GAP
from heuristics.protocol.hop_limit import initial_hop_limit
from postproc.flows.state import Side


def count_hop_limit(side: Side, hop_limit: int | None) -> None:
    """Count one more authentic packet of a side."""
    if hop_limit is not None:
        if hop_limit not in side.hop_limits and side.hop_limits:
            side.hop_limit_onsets[hop_limit] = side.packets
        side.hop_limits[hop_limit] = side.hop_limits.get(hop_limit, 0) + 1
    side.packets += 1


def is_sender_hop_limit(side: Side, hop_limit: int | None) -> bool:
    """Whether a packet that passes now counts as the sender's, as far as the flow is known."""
    return hop_limit is None or hop_limit not in side.hop_limit_onsets or not _is_rare(side, hop_limit)


def _is_rare(side: Side, hop_limit: int) -> bool:
    packets = side.hop_limits[hop_limit]
    return packets <= MAX_STRAY_PACKETS and packets * 100 <= side.packets * MAX_STRAY_SHARE


def stray_packets(side: Side, hop_limit: int | None) -> int:
    """How many packets with this hop limit were put in by another device, as the whole flow shows; 0 if it is own.

    Stray packets are few, and their hop limit is neither that of the handshake nor next to another one. A change of
    route is not the reason: the sender's own packets go on after the first of them, or they started from another
    initial hop limit than the handshake.
    """
    if hop_limit is None or hop_limit not in side.hop_limit_onsets or hop_limit in side.handshake_hop_limits:
        return 0
    packets = side.hop_limits[hop_limit]
    others_after = side.packets - side.hop_limit_onsets[hop_limit] - packets
    if not _is_rare(side, hop_limit) or _is_beside_another(side, hop_limit):
        return 0
    return packets if others_after > 0 or _of_another_stack(side, hop_limit) else 0


def _is_beside_another(side: Side, hop_limit: int) -> bool:
    gaps = range(1, MIN_STRAY_GAP)
    return any(hop_limit - gap in side.hop_limits or hop_limit + gap in side.hop_limits for gap in gaps)


def _of_another_stack(side: Side, hop_limit: int) -> bool:
    initials = {initial_hop_limit(value) for value in side.handshake_hop_limits if value is not None}
    return bool(initials) and initial_hop_limit(hop_limit) not in initials


def own_hop_limits(side: Side) -> dict[int, int]:
    """The hop limits that the sender's own packets show: packet counts, in the order of the capture."""
    if not side.hop_limit_onsets:
        return side.hop_limits
    return {value: packets for value, packets in side.hop_limits.items() if not stray_packets(side, value)}


def own_resets(side: Side, hop_limits: dict[int | None, int]) -> int:
    """Counts the resets in the sender's name, which have these hop limits, with one of its own packets."""
    own = own_hop_limits(side)
    return sum(count for hop_limit, count in hop_limits.items() if hop_limit in own)
