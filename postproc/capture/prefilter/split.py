"""A capture, read without tshark where that is safe: plain packets by ourselves, all others by tshark, and no more.

tshark gets a copy with the packets that plain.py is unsure of, and their rows get their numbers back. What it puts
together from several packets (fragments, tunnels over TCP) it still can: all parts are unsure, and in the copy.
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
from postproc.capture.capture_point_stats import Seen
from postproc.capture.packet_table import empty_table, normalise
from postproc.capture.prefilter.handshakes import Openings
from postproc.capture.prefilter.headers import Flags, sort_packets
from postproc.capture.prefilter.link_layer import LINKS
from postproc.capture.prefilter.packet_rows import Shown, rows
from postproc.capture.prefilter.pcap_reader import LONGEST, CaptureFile, Integers, Piece, UnsureError, open_capture
from postproc.capture.prefilter.relevance import PlainMatter
from postproc.capture.relevance import Kept, Matter
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.program import Tshark
from postproc.runtime.temp_files import temporary_folder, writing_temporary

_MOST_UNSURE = 0.5  # of the packets; beyond that tshark may as well read the whole file


@dataclass(frozen=True, slots=True)
class Sifted:
    """A capture of which each packet is known to be plain, idle or unsure.

    `packets` is how many there are, `resets` has those among the plain ones, `seen` is what plain ones show of the
    scene, `openings` are their SYNs by IP version, `unsure` the numbers of the packets in the file `left` (None: no
    packets), which is for tshark.
    """

    capture: CaptureFile
    packets: int
    resets: pl.DataFrame
    seen: Seen
    openings: dict[int, Openings]
    unsure: Integers
    left: Path | None

    def plain(self, matter: Matter, unsure: pl.DataFrame) -> Iterator[Kept]:
        """What matters of the plain packets, in frames of bounded size. Raises UnsureError.

        `unsure` has the flows (src, sport, dst, dport; both ways) that a packet opens or ends that is not plain.
        """
        of_plain = {
            version: PlainMatter(matter, version, openings, unsure) for version, openings in self.openings.items()
        }
        for piece in self.capture.pieces():
            for found in sort_packets(piece, self.capture.link).plain:
                yield of_plain[found.version].select(piece, found, self.capture.link)

    def others(self, tshark: Tshark) -> Iterator[pl.DataFrame]:
        """That of the others, while tshark is at work. Raises CaptureError, and UnsureError where tshark complains."""
        if self.left is None:
            return
        problems: list[Problem] = []
        for raw in read_capture(self.left, tshark, problems):
            table = normalise(raw)
            yield table.with_columns(frame=pl.Series(self.unsure[table["frame"].to_numpy() - 1], dtype=pl.Int64))
        if problems:
            raise UnsureError


@contextmanager
def sift(path: Path) -> Iterator[Sifted | None]:
    """The capture at `path`, sorted; None where tshark had better read all of it. Raises NoRoomError."""
    capture = open_capture(path)
    if capture is None or capture.link not in LINKS:
        yield None
        return
    with temporary_folder() as folder:
        try:
            with writing_temporary():  # what reading raises is an UnsureError
                sifted = _sift(capture, Path(folder) / "unsure.pcap")
        except UnsureError:
            sifted = None
        yield sifted


def _sift(capture: CaptureFile, copy: Path) -> Sifted:
    packets, resets, numbers, seen, shown = 0, [], [], Seen(), Shown()
    openings = {4: Openings(), 6: Openings()}
    with copy.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, LONGEST, capture.link))
        for piece in capture.pieces():
            found = sort_packets(piece, capture.link)
            packets += len(piece.at)
            for plain in found.plain:
                resets.append(rows(piece, plain.chosen(plain.resets), capture.link))
                seen.note_times(_ends(piece.time_us[plain.index]))
                shown.note(plain)
                openings[plain.version].note(piece, plain)
            numbers.append(piece.first + np.flatnonzero(found.unsure))
            file.write(_records(piece, found.unsure))
    shown.tell(seen)
    unsure = np.concatenate(numbers) if numbers else np.zeros(0, np.int64)
    if len(unsure) > _MOST_UNSURE * packets:
        raise UnsureError
    left = copy if len(unsure) else None
    return Sifted(capture, packets, pl.concat([empty_table(), *resets]), seen, openings, unsure, left)


def _ends(times: Integers) -> list[int]:
    """The least and the greatest."""
    return [int(times.min()), int(times.max())] if len(times) else []


def _records(piece: Piece, chosen: Flags) -> bytes:
    """The chosen packets as records of a pcap file."""
    head, parts = struct.Struct("<IIII"), []
    for index in np.flatnonzero(chosen).tolist():
        at, kept, time_us = (int(values[index]) for values in (piece.at, piece.kept, piece.time_us))
        parts.append(head.pack(time_us // 1_000_000, time_us % 1_000_000, kept, int(piece.length[index])))
        parts.append(piece.data[at : at + kept].tobytes())
    return b"".join(parts)
