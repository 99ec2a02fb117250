"""Decodable packets -> rows of the packets table, equal to those made from tshark's fields (packet_table.py)."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from postproc.capture.capture_point_stats import CapturePointStats
from postproc.capture.packet_table import OTHER, TCP, empty_table
from postproc.capture.prefilter.arrays import Integers
from postproc.capture.prefilter.headers import DecodablePackets
from postproc.capture.prefilter.link_layer import DESTINATION_MAC, SOURCE_MAC, macs
from postproc.capture.prefilter.pcap_reader import Piece

_DONT_FRAGMENT = 0x4000
_FLAGS = 0x0FFF


def packet_rows(piece: Piece, packets: DecodablePackets, link_type: int) -> pl.DataFrame:
    """The packets table of decodable packets of one IP version."""
    if not len(packets.index):
        return empty_table()
    ip, tcp, v4 = packets.ip, packets.tcp, packets.version == 4
    nothing = pl.repeat(None, len(packets.index), dtype=pl.Int64, eager=True)

    def of_tcp(values: npt.NDArray[Any]) -> Integers:
        return np.where(packets.is_tcp, values, 0).astype(np.int64)

    columns = {
        "frame": piece.first_frame + packets.index,
        "time_us": piece.time_us[packets.index],
        "kind": np.where(packets.is_tcp, TCP, OTHER),
        "ip_version": pl.repeat(packets.version, len(packets.index), dtype=pl.Int64, eager=True),
        "src": _addresses(ip["src"]),
        "dst": _addresses(ip["dst"]),
        "mac": macs(piece, link_type, packets.start, SOURCE_MAC),
        "mac_to": macs(piece, link_type, packets.start, DESTINATION_MAC),
        "hop_limit": ip["hop_limit"].astype(np.int64),
        "ip_id": ip["id"].astype(np.int64) if v4 else nothing,
        "df": ip["fragment"] & _DONT_FRAGMENT != 0 if v4 else nothing.cast(pl.Boolean),
        "tos": (ip["tos"] if v4 else ip["first"] >> 20 & 0xFF).astype(np.int64),
        "flow_label": nothing if v4 else (ip["first"] & 0xFFFFF).astype(np.int64),
        "sport": of_tcp(tcp["sport"]),
        "dport": of_tcp(tcp["dport"]),
        "seq": of_tcp(tcp["seq"]),
        "ack": of_tcp(tcp["ack"]),
        "flags": of_tcp(tcp["flags"] & _FLAGS),
        "payload_len": packets.payload_len,
        "options_len": packets.options_len,
        "window": of_tcp(tcp["window"]),
        "linux_options": packets.linux_options,
        "tsval": pl.Series(packets.tsval).replace(-1, None),
        "weight": np.ones(len(packets.index), np.int64),
    }
    return pl.concat([empty_table(), pl.DataFrame(columns)], how="diagonal")


@dataclass(slots=True)
class HopLimitCounts:
    """Authentic decodable packets, counted by IP version, address key of the source, and hop limit."""

    counts: dict[int, Counter[tuple[Any, int]]] = field(default_factory=lambda: {4: Counter(), 6: Counter()})

    def add(self, packets: DecodablePackets) -> None:
        """Add some packets."""
        authentic = ~packets.resets
        sources, hop_limits = address_keys(packets.ip["src"])[authentic], packets.ip["hop_limit"][authentic]
        for hop_limit in np.unique(hop_limits).tolist():
            hosts, counts = np.unique(sources[hop_limits == hop_limit], return_counts=True)
            for host, count in zip(hosts.tolist(), counts.tolist(), strict=True):
                self.counts[packets.version][host, hop_limit] += count

    def add_to(self, stats: CapturePointStats) -> None:
        """Add the counts to `stats`, with addresses as Wireshark writes them."""
        for counts in self.counts.values():
            hosts = address_texts(host for host, _ in counts)
            for host, ((_, hop_limit), count) in zip(hosts, counts.items(), strict=True):
                stats.counts[host, hop_limit] += count


def address_keys(raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Addresses (32-bit numbers, or pairs of 64-bit numbers) as one value each: numbers, or strings of 16 bytes."""
    if raw.ndim == 1:
        return raw.astype(np.uint32)
    return np.ascontiguousarray(raw).view("S16").ravel()


def address_texts(values: Iterable[int | bytes]) -> list[str]:
    """Address keys as Wireshark writes the addresses."""
    return [
        socket.inet_ntop(socket.AF_INET, value.to_bytes(4, "big"))
        if isinstance(value, int)
        else socket.inet_ntop(socket.AF_INET6, value.ljust(16, b"\0"))  # numpy drops trailing zeros
        for value in values
    ]


def _addresses(raw: npt.NDArray[Any]) -> pl.Series:
    """Addresses (32-bit numbers, or pairs of 64-bit numbers) as Wireshark writes them."""
    distinct, which = np.unique(address_keys(raw), return_inverse=True)
    return pl.Series(address_texts(distinct.tolist()), dtype=pl.String).gather(which)
