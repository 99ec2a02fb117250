"""Which hop limits of a flow are the sender's own. The plugin's twin is held to it by the parity tests."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heuristics.engine_limits import MAX_STRAY_PACKETS
from postproc.flows.injected_packets import count_hop_limit, is_sender_hop_limit, own_hop_limits, stray_packets
from postproc.flows.state import Side


def side(hop_limits: Sequence[int], handshake: Sequence[int] = ()) -> Side:
    """A side whose packets had these hop limits, in this order."""
    made = Side(handshake_hop_limits=dict.fromkeys(handshake, 1))
    for hop_limit in hop_limits:
        count_hop_limit(made, hop_limit)
    return made


OWN = [52] * 6


@pytest.mark.parametrize(
    ("hop_limits", "stray"),
    [
        ([*OWN, 57, 52], 1),
        ([*OWN, 57, 57, 52, 52, 52], 2),
        ([*OWN, 57], 0),  # the route may have changed
        ([*OWN, 53, 52], 0),  # one hop: a change of route
        ([*OWN, 54, 52], 1),
        ([57, *OWN], 0),  # the first hop limit that the sender shows
        ([52, 57, 52], 0),  # 1 of 3: not few enough
        ([52, 52, 57, 52], 1),
        ([*([52] * 40), *([57] * MAX_STRAY_PACKETS), 52], MAX_STRAY_PACKETS),
        ([*([52] * 40), *([57] * (MAX_STRAY_PACKETS + 1)), 52], 0),
        ([*OWN, 56, 57, 52, 52], 0),  # next to another one
    ],
)
def test_stray_packets_are_few_and_amid_the_senders_own(hop_limits: list[int], stray: int) -> None:
    made = side(hop_limits)
    assert stray_packets(made, 54 if 54 in hop_limits else 53 if 53 in hop_limits else 57) == stray
    assert stray_packets(made, 52) == 0
    assert made.packets == len(hop_limits)


def test_the_hop_limit_of_the_handshake_is_never_stray() -> None:
    assert stray_packets(side([*OWN, 57, 52], handshake=[52, 57]), 57) == 0


@pytest.mark.parametrize(
    ("last", "handshake", "stray"),
    [
        (120, [52], 1),
        (250, [52], 1),
        (57, [52], 0),  # the same initial hop limit, 64: the route may have changed
        (120, [], 0),  # no handshake to compare with
        (120, [52, 124], 0),  # the handshake has both
    ],
)
def test_the_last_packets_are_stray_if_they_started_from_elsewhere(last: int, handshake: list[int], stray: int) -> None:
    assert stray_packets(side([*OWN, last], handshake=handshake), last) == stray


def test_own_hop_limits_are_without_stray_packets_and_in_order() -> None:
    assert list(own_hop_limits(side([*OWN, 57, 53, 52])).items()) == [(52, 7), (53, 1)]
    assert own_hop_limits(side(OWN)) == {52: 6}
    assert own_hop_limits(Side()) == {}


def test_while_the_flow_goes_on_a_rare_hop_limit_does_not_count_as_the_senders() -> None:
    assert not is_sender_hop_limit(side([*OWN, 57]), 57)
    assert is_sender_hop_limit(side([*OWN, 57]), 52)
    assert is_sender_hop_limit(side([52, 57]), 57)
