"""The hop limits of the ordinary packets of some hosts over time: what the resets in their names stand out from."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from postproc.capture.discovery import Source
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
            parts = list(_of_capture(source, hosts, tshark))
        except (CaptureError, DeferredError, OSError):
            left_out.append(source.name)
            continue
        if parts:
            table = (
                pl.concat(parts).group_by("src", "time_us", "hop_limit").agg(pl.len().cast(pl.Int64).alias("packets"))
            )
            tables.append(table.select(pl.lit(source.name).alias("capture"), pl.all()))
    return pl.concat(tables).sort("time_us"), tuple(left_out)


def _of_capture(source: Source, hosts: Collection[str], tshark: Tshark | None) -> Iterator[pl.DataFrame]:
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
    return chosen.with_columns(pl.col("time_us") // _ROUGH_US * _ROUGH_US)


def _of_host(piece: Piece, packets: DecodablePackets, hosts: Collection[str]) -> Iterator[pl.DataFrame]:
    family, colon = (socket.AF_INET, False) if packets.version == 4 else (socket.AF_INET6, True)
    sources = address_keys(packets.ip["src"])
    for host in hosts:
        if (":" in host) is not colon:
            continue
        here = (sources == _key(socket.inet_pton(family, host))) & ~packets.resets
        if not here.any():
            continue
        times = piece.time_us[packets.index[here]] // _ROUGH_US * _ROUGH_US
        columns = {"time_us": times, "hop_limit": packets.ip["hop_limit"][here].astype(np.int64)}
        yield pl.DataFrame(columns).select(pl.lit(host).alias("src"), pl.all())


def _key(packed: bytes) -> Any:
    """The address as `address_keys` has it."""
    words: npt.NDArray[Any] = np.frombuffer(packed, ">u4" if len(packed) == 4 else ">u8")
    return address_keys(words if len(packed) == 4 else words.reshape(1, 2))[0]
