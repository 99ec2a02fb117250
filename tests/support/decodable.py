"""The packets of a capture that we decode without tshark."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from postproc.capture.packet_table import empty_table
from postproc.capture.prefilter.headers import classify
from postproc.capture.prefilter.packet_rows import packet_rows
from postproc.capture.prefilter.pcap_reader import open_capture


def decodable_rows(path: Path) -> tuple[pl.DataFrame, list[int]]:
    """The rows of decodable packets, and the frame numbers of those that are deferred to tshark."""
    capture = open_capture(path)
    tables, deferred = [empty_table()], []
    for piece in capture.pieces() if capture else ():
        assert capture is not None
        classified = classify(piece, capture.link_type)
        tables += [packet_rows(piece, packets, capture.link_type) for packets in classified.decodable]
        deferred += [piece.first_frame + int(index) for index in classified.deferred.nonzero()[0]]
    return pl.concat(tables).sort("frame"), deferred
