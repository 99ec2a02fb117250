"""How many packets a capture has, counted without tshark, whose output is checked by it."""

from __future__ import annotations

from pathlib import Path

from postproc.capture.prefilter.pcap_reader import DeferredError, open_capture
from postproc.capture.tshark.expected_packets import ExpectedPackets


def packets_in(capture: Path) -> ExpectedPackets:
    """The packets of a capture: all of a sound pcap or pcapng file, else those before the first unusual thing."""
    opened, count = open_capture(capture), 0
    if opened is None:
        return ExpectedPackets(0, exact=False)
    try:
        for piece in opened.pieces():
            count += len(piece.start)
    except DeferredError:
        return ExpectedPackets(count, exact=False)
    return ExpectedPackets(count)
