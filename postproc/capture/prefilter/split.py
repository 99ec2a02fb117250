"""Splits a capture: we decode packets where that is safe, and tshark reads only the others.

tshark gets a copy with the packets that headers.py defers, and its rows get their frame numbers back. tshark can still
reassemble packets from several (fragments, tunnels over TCP): all parts are deferred, so all are in the copy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from heuristics.errors import Problem
from postproc.capture.capture_point_stats import CapturePointStats
from postproc.capture.file_format import pcap_header
from postproc.capture.packet_table import empty_table, normalise
from postproc.capture.prefilter.arrays import Flags, Integers
from postproc.capture.prefilter.handshakes import Handshakes
from postproc.capture.prefilter.headers import classify
from postproc.capture.prefilter.link_layer import LINK_TYPES
from postproc.capture.prefilter.packet_rows import HopLimitCounts, packet_rows
from postproc.capture.prefilter.pcap_reader import CaptureFile, DeferredError, Piece, open_capture
from postproc.capture.prefilter.relevance import ArrayRelevance
from postproc.capture.relevance import Relevance, Selection
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.expected_packets import ExpectedPackets
from postproc.capture.tshark.program import Tshark
from postproc.runtime.temp_files import temporary_folder, writing_temporary

_MOST_DEFERRED = 0.5  # of all packets; beyond that tshark reads the whole file


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCapture:
    """A capture of which every packet is classified as decodable, non-IP or deferred.

    `packets` is how many there are. `resets` are the decodable resets, `point_stats` is what the decodable packets show
    of the capture point, `handshakes` are their SYNs and SYN-ACKs by IP version. `deferred_frames` are the frame
    numbers of the packets in `deferred_file`, which is for tshark (None: no packets).
    """

    capture: CaptureFile
    packets: int
    resets: pl.DataFrame
    point_stats: CapturePointStats
    handshakes: dict[int, Handshakes]
    deferred_frames: Integers
    deferred_file: Path | None

    def select_decodable(self, relevance: Relevance, deferred_flows: pl.DataFrame) -> Iterator[Selection]:
        """The relevant decodable packets, in tables of bounded size. Raises DeferredError.

        `deferred_flows` are flows (src, sport, dst, dport; both directions) with a SYN or FIN that is deferred.
        """
        by_version = {
            version: ArrayRelevance(relevance, version, handshakes, deferred_flows)
            for version, handshakes in self.handshakes.items()
        }
        for piece in self.capture.pieces():
            for packets in classify(piece, self.capture.link_type).decodable:
                yield by_version[packets.version].select(piece, packets, self.capture.link_type)

    def deferred_tables(self, tshark: Tshark) -> Iterator[pl.DataFrame]:
        """The packets tables of the deferred packets, while tshark runs.

        Raises CaptureError, and DeferredError where tshark finds a problem.
        """
        if self.deferred_file is None:
            return
        problems: list[Problem] = []
        expected = ExpectedPackets(len(self.deferred_frames))
        for raw in read_capture(self.deferred_file, tshark, problems, expected):
            table = normalise(raw)
            frames = self.deferred_frames[table["frame"].to_numpy() - 1]
            yield table.with_columns(frame=pl.Series(frames, dtype=pl.Int64))
        if problems:
            raise DeferredError


@contextmanager
def split_capture(path: Path) -> Iterator[SplitCapture | None]:
    """The capture at `path`, split; None where tshark has to read all of it. Raises NoRoomError."""
    capture = open_capture(path)
    if capture is None or capture.link_type not in LINK_TYPES:
        yield None
        return
    with temporary_folder() as folder:
        try:
            with writing_temporary():  # reading raises DeferredError only
                split = _split(capture, Path(folder) / "deferred.pcap")
        except DeferredError:
            split = None
        yield split


def _split(capture: CaptureFile, copy: Path) -> SplitCapture:
    packets, resets, frames = 0, [], []
    stats, hop_limits = CapturePointStats(), HopLimitCounts()
    handshakes = {4: Handshakes(), 6: Handshakes()}
    with copy.open("wb") as file:
        file.write(pcap_header(capture.link_type))
        for piece in capture.pieces():
            classified = classify(piece, capture.link_type)
            packets += len(piece.start)
            for decodable in classified.decodable:
                resets.append(packet_rows(piece, decodable.select(decodable.resets), capture.link_type))
                stats.add_times(_first_and_last(piece.time_us[decodable.index]))
                hop_limits.add(decodable)
                handshakes[decodable.version].add(piece, decodable)
            frames.append(piece.first_frame + np.flatnonzero(classified.deferred))
            file.write(_records(piece, classified.deferred))
    hop_limits.add_to(stats)
    deferred_frames = np.concatenate(frames) if frames else np.zeros(0, np.int64)
    if len(deferred_frames) > _MOST_DEFERRED * packets:
        raise DeferredError
    return SplitCapture(
        capture=capture,
        packets=packets,
        resets=pl.concat([empty_table(), *resets]),
        point_stats=stats,
        handshakes=handshakes,
        deferred_frames=deferred_frames,
        deferred_file=copy if len(deferred_frames) else None,
    )


def _first_and_last(times_us: Integers) -> list[int]:
    return [int(times_us.min()), int(times_us.max())] if len(times_us) else []


def _records(piece: Piece, chosen: Flags) -> bytes:
    """The chosen packets as records of a pcap file."""
    head, parts = struct.Struct("<IIII"), []
    for index in np.flatnonzero(chosen).tolist():
        start, captured, time_us = (int(values[index]) for values in (piece.start, piece.captured_len, piece.time_us))
        parts.append(head.pack(time_us // 1_000_000, time_us % 1_000_000, captured, int(piece.wire_len[index])))
        parts.append(piece.data[start : start + captured].tobytes())
    return b"".join(parts)
