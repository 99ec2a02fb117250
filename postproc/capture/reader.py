"""One input -> the packets table, or the relevant part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

import polars as pl

from heuristics.errors import Problem
from postproc.capture.capture_point import CapturePoint
from postproc.capture.capture_point_stats import CapturePointStats
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORT_TYPES, FileType
from postproc.capture.packet_table import by_frame, empty_table, is_reset, normalise, notable
from postproc.capture.prefilter.packet_count import packets_in
from postproc.capture.prefilter.pcap_reader import DeferredError
from postproc.capture.prefilter.split import SplitCapture, split_capture
from postproc.capture.prefilter.unopened import cut_segments, unopened_overlays
from postproc.capture.relevance import flows_with_edges, relevance_of
from postproc.capture.spill import SpilledFlows, SpilledTables
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.export_reader import read_export
from postproc.capture.tshark.fields_export import not_a_capture
from postproc.capture.tshark.program import Tshark
from postproc.capture.tshark.values import repeated
from postproc.runtime.errors import CaptureError, NoRoomError, TsharkFailedError

_NO_TIME = "pcapng files may leave it out, and so does tshark 4.0 with the preference frame.generate_epoch_time off"
_NO_TIME_IN_TEXT = "run tcpdump without -t, best with -tttt"


@dataclass(frozen=True, slots=True)
class Packets:
    """One input after reading: the packets table, the number of packets of any kind, and the problems.

    `capture_point` is that of all packets, even of those that are not in the table.
    """

    table: pl.DataFrame
    count: int
    problems: tuple[Problem, ...]
    capture_point: CapturePoint


def read_packets(
    source: Source,
    tshark: Tshark | None,
    *,
    whole: bool = False,
    prefilter: bool = True,
    spilled: SpilledFlows | None = None,
) -> Packets:
    """Read one input. `tshark` may be None for exports. Raises CaptureError.

    The table has the relevant packets (relevance.py), or all packets if `whole`. Where `spilled` is given, flows that
    are only followed go there instead. Without `prefilter`, tshark reads all packets of a capture; the verdicts are
    the same. So it does where it decodes as the user says, since we then do not know what a port carries.
    """
    packets = _read_packets(source, tshark, whole=whole, prefilter=prefilter, spilled=spilled)
    if source.file_type in EXPORT_TYPES:
        return packets
    unread = cut_segments(source.path)
    if packets.table.filter(is_reset()).is_empty():
        unread += unopened_overlays(source.path, tshark.decode_as if tshark else ())
    return replace(packets, problems=(*packets.problems, *unread)) if unread else packets


def _read_packets(
    source: Source, tshark: Tshark | None, *, whole: bool, prefilter: bool, spilled: SpilledFlows | None
) -> Packets:
    if prefilter and not whole and source.file_type not in EXPORT_TYPES and not (tshark and tshark.decode_as):
        with split_capture(source.path) as split, SpilledTables() as tables:
            if split is not None and (packets := _read_split(source, split, tshark, tables, spilled)) is not None:
                return packets
    try:
        return _read_whole(source, tshark, spilled, whole=whole, last_try=False)
    except TsharkFailedError as error:
        if not error.once_more:
            raise
    return _read_whole(source, tshark, spilled, whole=whole, last_try=True)


def _read_split(
    source: Source, split: SplitCapture, tshark: Tshark | None, tables: SpilledTables, spilled: SpilledFlows | None
) -> Packets | None:
    """The relevant packets of a capture that the prefilter could split; None where tshark has to read all of it."""
    try:
        for table in split.deferred_tables(_required(source, tshark)) if split.deferred_file else ():
            split.point_stats.add_table(table)
            tables.add(table)
        judged = pl.concat([split.resets, *(table.filter(notable()) for table in tables)])
        if judged.is_empty():
            return Packets(empty_table(), split.packets, (), split.point_stats.capture_point())
        relevance = relevance_of(judged, spill=spilled is not None)
        selections = chain(map(relevance.select, tables), split.select_decodable(relevance, flows_with_edges(tables)))
        table = relevance.combine(selections, spilled)
    except NoRoomError:  # tshark's rows of the whole file would need as much room
        raise
    except (DeferredError, CaptureError):  # tshark is to report what is wrong with the file itself, not with our copy
        return None
    return Packets(table, split.packets, (), split.point_stats.capture_point())


def _required(source: Source, tshark: Tshark | None) -> Tshark:
    if tshark is None:
        raise CaptureError(str(source.path), "a capture cannot be read without tshark")
    return tshark


@dataclass(slots=True)
class _ReadStats:
    """Counts and collects while the rows of an input are read."""

    packets: int = 0
    with_time: int = 0
    last_frame: int = 0
    in_order: bool = True
    has_ip: bool = False
    judged: list[pl.DataFrame] = field(default_factory=list)
    point_stats: CapturePointStats = field(default_factory=CapturePointStats)

    def tables(self, raw: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The packets table of each of `raw`, whose text takes several times the memory."""
        for frame in raw:
            table = normalise(frame)
            self.packets += frame.height
            self.with_time += frame["frame.time_epoch"].count()
            if table.height:
                self.has_ip = True
                self.in_order = self.in_order and table["frame"][0] > self.last_frame
                self.last_frame = max(self.last_frame, table["frame"][-1])
            self.point_stats.add_table(table)
            self.judged.append(table.filter(notable()))
            yield table


def _read_whole(
    source: Source, tshark: Tshark | None, spilled: SpilledFlows | None, *, whole: bool, last_try: bool
) -> Packets:
    """Read all packets of an export, of a text, or of a capture by tshark.

    Raises CaptureError. What there is before a tshark fails counts only in the last try.
    """
    with SpilledTables() as tables:
        problems: list[Problem] = []
        stats = _ReadStats()
        if spilled is not None:
            spilled.clear()  # drops what a failed reading left there
        try:
            for table in stats.tables(_raw_frames(source, tshark, problems)):
                tables.add(table)
        except TsharkFailedError as error:
            if (error.once_more and not last_try) or not stats.packets:
                raise
            problems.append(error.problem)
        return _checked(source, tables, stats, problems, spilled, whole=whole)


def _checked(
    source: Source,
    tables: SpilledTables,
    stats: _ReadStats,
    problems: list[Problem],
    spilled: SpilledFlows | None,
    *,
    whole: bool,
) -> Packets:
    if not stats.in_order:
        _check_numbers(source, tables)
    if not stats.has_ip and source.file_type in (FileType.TEXT, FileType.UNKNOWN):
        # tshark also "reads" pictures, JSON and other files, which it takes for a single packet.
        raise not_a_capture(source.path)
    if stats.packets > 0 and stats.with_time == 0:
        reason = "no packet has a time, so no reset can be judged by its time"
        fix = _NO_TIME_IN_TEXT if source.file_type is FileType.PACKET_TEXT else _NO_TIME
        problems.append(Problem(str(source.path), "", "", reason, fix))
    table = by_frame([empty_table(), *tables]) if whole else _relevant(tables, stats, spilled)
    return Packets(table, stats.packets, tuple(problems), stats.point_stats.capture_point())


def _relevant(tables: SpilledTables, stats: _ReadStats, spilled: SpilledFlows | None) -> pl.DataFrame:
    judged = pl.concat([empty_table(), *stats.judged])
    if judged.is_empty():
        return empty_table()
    relevance = relevance_of(judged, spill=spilled is not None)
    return relevance.combine(map(relevance.select, tables), spilled)


def _check_numbers(source: Source, tables: SpilledTables) -> None:
    """Raises CaptureError where two tables have the same frame number. Within one table, reading checks it."""
    numbers = pl.concat([table["frame"] for table in tables])
    if numbers.is_duplicated().any():
        raise repeated(str(source.path))


def _raw_frames(source: Source, tshark: Tshark | None, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    if source.file_type is FileType.PACKET_TEXT:
        from postproc.capture.text.text_reader import read_text  # slow to import: the expressions of all forms

        return read_text(source.path, tshark, problems)
    if source.file_type in EXPORT_TYPES:
        return read_export(source.path, source.file_type, problems)
    return read_capture(source.path, _required(source, tshark), problems, packets_in(source.path))
