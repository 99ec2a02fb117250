"""The hop limits of the ordinary packets of some hosts over time: what the resets in their names stand out from."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from postproc.capture.discovery import Source
from postproc.capture.local_copy import local_copy
from postproc.capture.packet_table import authentic
from postproc.capture.prefilter.headers import DecodablePackets, classify
from postproc.capture.prefilter.packet_rows import address_keys
from postproc.capture.prefilter.pcap_reader import DeferredError, Piece
from postproc.capture.prefilter.split import SplitCapture, split_capture
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import Tshark
from postproc.runtime.errors import CaptureError

SCHEMA = {
    "capture": pl.String(),
    "src": pl.String(),
    "time_us": pl.Int64(),
    "hop_limit": pl.Int64(),
    "packets": pl.Int64(),
}
_ROUGH_US = 100_000  # packets of one hop limit within so many microseconds become one row
_LARGEST_BY_TSHARK = 200_000_000  # bytes of a file that is read a second time where only tshark can read it


def ordinary_hop_limits(
    sources: Iterable[Source], hosts: Collection[str], tshark: Tshark | None
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The packets of `hosts` that are no resets and no ICMP errors, with the columns of SCHEMA, by time.

    Also returns the names of the captures that were too large, or could not be read a second time.
    """
    tables, left_out = [pl.DataFrame(schema=SCHEMA)], []
    for source in sources:
        try:
            with local_copy(source) as copy:
                parts = list(_of_capture(copy, hosts, tshark))
        except (CaptureError, DeferredError, OSError):
            left_out.append(source.name)
            continue
        if parts:
            table = pl.concat(parts).group_by("src", "time_us", "hop_limit").agg(pl.col("packets").sum())
            tables.append(table.select(pl.lit(source.name).alias("capture"), pl.all()))
    return pl.concat(tables).sort("time_us"), tuple(left_out)


def _of_capture(source: Source, hosts: Collection[str], tshark: Tshark | None) -> Iterator[pl.DataFrame]:
    if not (tshark and tshark.decode_as):  # these rules are tshark's alone
        with split_capture(source.path) as split:
            if split is not None:
                yield from _of_split(split, hosts, tshark)
                return
    if source.path.stat().st_size > _LARGEST_BY_TSHARK:
        raise CaptureError(source.name, "is too large to be read a second time by tshark")
    yield _selected(read_packets(source, tshark, whole=True).table, hosts)


def _of_split(split: SplitCapture, hosts: Collection[str], tshark: Tshark | None) -> Iterator[pl.DataFrame]:
    if split.deferred_file is not None and tshark is not None:
        yield from (_selected(table, hosts) for table in split.deferred_tables(tshark))
    for piece in split.capture.pieces():
        for packets in classify(piece, split.capture.link_type).decodable:
            yield from _of_host(piece, packets, hosts)


def _selected(table: pl.DataFrame, hosts: Collection[str]) -> pl.DataFrame:
    chosen = table.filter(pl.col("src").is_in([*hosts]), authentic()).select("src", "time_us", "hop_limit")
    return _counted(chosen.with_columns(pl.col("time_us") // _ROUGH_US * _ROUGH_US))


def _of_host(piece: Piece, packets: DecodablePackets, hosts: Collection[str]) -> Iterator[pl.DataFrame]:
    sources = address_keys(packets.ip["src"])
    for host in hosts:
        key = _key(host, packets.version)
        if key is None:
            continue
        here = (sources == key) & ~packets.resets
        times = piece.time_us[packets.index[here]] // _ROUGH_US * _ROUGH_US
        columns = {"time_us": times, "hop_limit": packets.ip["hop_limit"][here].astype(np.int64)}
        yield _counted(pl.DataFrame(columns).select(pl.lit(host).alias("src"), pl.all()))


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("src", "time_us", "hop_limit").agg(packets=pl.len().cast(pl.Int64))


def _key(host: str, version: int) -> Any:
    """The address as `address_keys` has it; None for one of another version, and for text from an export."""
    try:
        packed = socket.inet_pton(socket.AF_INET if version == 4 else socket.AF_INET6, host)
    except OSError:
        return None
    words: npt.NDArray[Any] = np.frombuffer(packed, ">u4" if version == 4 else ">u8")
    return address_keys(words if version == 4 else words.reshape(1, 2))[0]
