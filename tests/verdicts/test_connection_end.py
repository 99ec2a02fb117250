"""Which resets end their connection, and which come after its end, in both engines."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from scapy.packet import Packet
from support.flows_by_hand import CLOSE, OPEN, Talk, written
from support.parity import compare, export, listed, postproc_rows, system_wireshark

from heuristics.rulebook.model import load

DATA = ("> PA 100", "< PA 1000", "> A")
SERVER_AT = 5000  # the initial sequence number of the server of a Talk

# The steps of a flow, and for each of its resets whether it ended the connection. None: the capture does not show it.
ENDS: dict[str, tuple[Sequence[str], list[bool | None]]] = {
    "abort": ([*OPEN, *DATA, "< RA"], [True]),
    "abort, and a late segment answered": ([*OPEN, *DATA, "< RA", "> PA 9", "< R"], [True, False]),
    "abort, and the other side answers late data": ([*OPEN, *DATA, "> RA", "< PA 9", "> R"], [True, False]),
    "refused": (["> S", "< RA seq=0 ack=1001"], [True]),
    "refused twice": (["> S", "< RA seq=0 ack=1001", "> S seq=1000", "< RA seq=0 ack=1001"], [True, False]),
    "refused in another's name, accepted by the host": (
        ["> S", "< RA seq=0 ack=1001", "< SA", "> A ack=5001", *DATA, "< RA"],
        [False, True],
    ),
    "scan": (["> S", "< SA", "> R"], [True]),
    "closed by both": ([*OPEN, *DATA, *CLOSE, "< R"], [False]),
    "closed, then a reset with ACK": ([*OPEN, *DATA, *CLOSE, "< RA"], [False]),
    "late data after the sender's FIN": ([*OPEN, *DATA, "> FA", "< PA 50", "> R"], [False]),
    "a segment without ACK after the sender's FIN": ([*OPEN, *DATA, "> FA", "< A ack=900", "< P 5", "> R"], [False]),
    "abort after the sender's FIN": ([*OPEN, *DATA, "> FA", "< A", "wait 60", "> RA"], [True]),
    "abort instead of a FIN": ([*OPEN, *DATA, "> FA", "< RA"], [True]),
    "ignored by its receiver": ([*OPEN, *DATA, "< R", "< PA 500", "> A", "< PA 500", "> A", "< RA"], [False, True]),
    "late data pass, then nothing": ([*OPEN, *DATA, "< R", "< PA 500", "< PA 500"], [True]),
    "numbers of another conversation": ([*OPEN, *DATA, f"< R seq={SERVER_AT + 2**24}"], [None]),
    "behind what is acknowledged": ([*OPEN, *DATA, f"< R seq={SERVER_AT + 10}", "< R"], [False, True]),
    "nothing but resets": (["< R", "< R"], [None, None]),
    "one way, in the middle": (["> PA 100 ack=9000", "> PA 100 ack=9000", "< R seq=9000"], [True]),
    "ports used again": (
        [*OPEN, *DATA, "< RA", "> S seq=900000", "< SA ack=900001 seq=700000", "> RA seq=900001 ack=700001"],
        [True, True],
    ),
}


@cache
def rows() -> dict[int, dict[str, str]]:
    """What postproc says of a capture of all these flows, and Wireshark too."""
    packets = [packet for at, (steps, _) in enumerate(ENDS.values()) for packet in _flow(at, steps)]
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        capture, wireshark = written(Path(folder) / "ends.pcap", packets), system_wireshark()
        found = compare(capture, wireshark, load())
        assert not found, listed(found)
        return postproc_rows(export(capture, wireshark), load())


def _flow(at: int, steps: Sequence[str]) -> list[Packet]:
    return Talk(40000 + at).packets(steps, 1_700_000_000.0 + 1000 * at)


@pytest.mark.parametrize("name", ENDS)
def test_whether_a_reset_ended_its_connection(name: str) -> None:
    at, (steps, expected) = list(ENDS).index(name), ENDS[name]
    first = sum(len(_flow(each, earlier)) for each, (earlier, _) in enumerate(list(ENDS.values())[:at])) + 1
    resets = [row for frame, row in sorted(rows().items()) if first <= frame < first + len(_flow(at, steps))]
    shown = {"yes": True, "no": False, None: None}
    assert [shown[row.get("ended_connection")] for row in resets if "verdict" in row] == expected
