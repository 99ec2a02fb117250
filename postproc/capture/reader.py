"""One input -> the packets table, or what of it can matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import polars as pl

from heuristics.errors import Problem
from postproc.capture.capture_point import Scene
from postproc.capture.capture_point_stats import Seen
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORTS, Kind
from postproc.capture.packet_table import by_frame, empty_table, normalise, notable
from postproc.capture.prefilter.pcap_reader import UnsureError
from postproc.capture.prefilter.split import Sifted, sift
from postproc.capture.relevance import edge_flows, what_matters
from postproc.capture.spill import Apart, Spool
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.export_reader import read_export
from postproc.capture.tshark.fields_export import not_a_capture
from postproc.capture.tshark.program import Tshark
from postproc.capture.tshark.tsv_reader import repeated
from postproc.runtime.errors import CaptureError, NoRoomError

_NO_TIME = "pcapng files may leave it out, and so does tshark 4.0 with the preference frame.generate_epoch_time off"


@dataclass(frozen=True, slots=True)
class Packets:
    """What was read of one input: the packets table, how many packets of any kind there were, and what was wrong.

    `scene` is that of all packets, whatever is in the table.
    """

    table: pl.DataFrame
    count: int
    problems: tuple[Problem, ...]
    scene: Scene


def read_packets(
    source: Source, tshark: Tshark | None, *, whole: bool = False, prefilter: bool = True, apart: Apart | None = None
) -> Packets:
    """Read one input. `tshark` may be None for exports. Raises CaptureError.

    The table has what can matter to a verdict (matter.py), or all packets if `whole`; flows that are only followed go
    to `apart` instead, where there is one. Without `prefilter`, tshark reads all packets of a capture; the verdicts are
    the same.
    """
    if prefilter and not whole and source.kind not in EXPORTS:
        with sift(source.path) as sifted, Spool() as spool:
            if sifted is not None and (packets := _sifted(source, sifted, tshark, spool, apart)) is not None:
                return packets
    with Spool() as spool:
        return _all_read(source, tshark, spool, apart, whole=whole)


def _sifted(source: Source, sifted: Sifted, tshark: Tshark | None, spool: Spool, apart: Apart | None) -> Packets | None:
    """What matters of a capture that could be sorted; None where that went wrong."""
    try:
        for table in sifted.others(_needed(source, tshark)) if sifted.left else ():
            sifted.seen.note_table(table)
            spool.add(table)
        judged = pl.concat([sifted.resets, *(table.filter(notable()) for table in spool)])
        if judged.is_empty():
            return Packets(empty_table(), sifted.packets, (), sifted.seen.scene())
        matter = what_matters(judged, apart=apart is not None)
        table = matter.together(chain(map(matter.select, spool), sifted.plain(matter, edge_flows(spool))), apart)
    except NoRoomError:  # tshark's rows of the whole file would need as much
        raise
    except (UnsureError, CaptureError):  # tshark is to say what is wrong with the file itself, not with our copy
        return None
    return Packets(table, sifted.packets, (), sifted.seen.scene())


def _needed(source: Source, tshark: Tshark | None) -> Tshark:
    if tshark is None:
        raise CaptureError(str(source.path), "a capture cannot be read without tshark")
    return tshark


@dataclass(slots=True)
class _Read:
    """What is noted of the rows of an input while they are read."""

    packets: int = 0
    timed: int = 0
    last: int = 0
    in_order: bool = True
    ip: bool = False
    judged: list[pl.DataFrame] = field(default_factory=list)
    of_scene: Seen = field(default_factory=Seen)

    def tables(self, raw: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The packets table of each of `raw`; the text takes several times the memory."""
        for frame in raw:
            table = normalise(frame)
            self.packets += frame.height
            self.timed += frame["frame.time_epoch"].count()
            if table.height:
                self.ip = True
                self.in_order = self.in_order and table["frame"][0] > self.last
                self.last = max(self.last, table["frame"][-1])
            self.of_scene.note_table(table)
            self.judged.append(table.filter(notable()))
            yield table


def _all_read(source: Source, tshark: Tshark | None, spool: Spool, apart: Apart | None, *, whole: bool) -> Packets:
    problems: list[Problem] = []
    seen = _Read()
    if apart is not None:
        apart.forget()  # what a sorted reading that went wrong may have left there
    for table in seen.tables(_raw(source, tshark, problems)):
        spool.add(table)
    if not seen.in_order:
        _check_numbers(source, spool)
    if not seen.ip and source.kind in (Kind.TEXT, Kind.UNKNOWN):
        # tshark also "reads" pictures, JSON and other files that it takes for one packet.
        raise not_a_capture(source.path)
    if seen.packets > 0 and seen.timed == 0:
        reason = "no packet has a time, so nothing is said about answers that came too soon"
        problems.append(Problem(str(source.path), "", "", reason, _NO_TIME))
    return Packets(_kept(spool, seen, apart, whole=whole), seen.packets, tuple(problems), seen.of_scene.scene())


def _kept(spool: Spool, seen: _Read, apart: Apart | None, *, whole: bool) -> pl.DataFrame:
    if whole:
        return by_frame([empty_table(), *spool])
    judged = pl.concat([empty_table(), *seen.judged])
    if judged.is_empty():
        return empty_table()
    matter = what_matters(judged, apart=apart is not None)
    return matter.together((matter.select(table) for table in spool), apart)


def _check_numbers(source: Source, spool: Spool) -> None:
    """Raises CaptureError where two pieces have a packet of one number; within one, reading refuses it."""
    numbers = pl.concat([table["frame"] for table in spool])
    if numbers.is_duplicated().any():
        raise repeated(str(source.path))


def _raw(source: Source, tshark: Tshark | None, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    if source.kind in EXPORTS:
        return read_export(source.path, source.kind, problems)
    return read_capture(source.path, _needed(source, tshark), problems)
