"""The packets of a capture that can be read without tshark."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from postproc.capture.packet_table import empty_table
from postproc.capture.prefilter.headers import sort_packets
from postproc.capture.prefilter.packet_rows import rows
from postproc.capture.prefilter.pcap_reader import open_capture


def plain_rows(path: Path) -> tuple[pl.DataFrame, list[int]]:
    """The rows that we make ourselves, and the numbers of the packets that are left to tshark."""
    found = open_capture(path)
    tables, unsure = [empty_table()], []
    for piece in found.pieces() if found else ():
        assert found is not None
        in_piece = sort_packets(piece, found.link)
        tables += [rows(piece, plain, found.link) for plain in in_piece.plain]
        unsure += [piece.first + int(index) for index in in_piece.unsure.nonzero()[0]]
    return pl.concat(tables).sort("frame"), unsure
