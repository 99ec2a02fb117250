"""Plain packets -> rows of the packets table, the same as tshark's fields give (packets.py)."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from postproc.capture.capture_point_stats import Seen
from postproc.capture.packet_table import OTHER, TCP, empty_table
from postproc.capture.prefilter.headers import Plain
from postproc.capture.prefilter.link_layer import DESTINATION_MAC, SOURCE_MAC, macs
from postproc.capture.prefilter.pcap_reader import Integers, Piece

_DONT_FRAGMENT = 0x4000
_FLAGS = 0x0FFF


def rows(piece: Piece, plain: Plain, link: int) -> pl.DataFrame:
    """The packets table of the plain packets of one IP version."""
    if not len(plain.index):
        return empty_table()
    ip, tcp, v4 = plain.ip, plain.tcp, plain.version == 4
    nothing = pl.repeat(None, len(plain.index), dtype=pl.Int64, eager=True)

    def of_tcp(values: npt.NDArray[Any]) -> Integers:
        return np.where(plain.is_tcp, values, 0).astype(np.int64)

    columns = {
        "frame": piece.first + plain.index,
        "time_us": piece.time_us[plain.index],
        "kind": np.where(plain.is_tcp, TCP, OTHER),
        "ip_version": pl.repeat(plain.version, len(plain.index), dtype=pl.Int64, eager=True),
        "src": _addresses(ip["src"]),
        "dst": _addresses(ip["dst"]),
        "mac": macs(piece, link, plain.link, SOURCE_MAC),
        "mac_to": macs(piece, link, plain.link, DESTINATION_MAC),
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
        "payload_len": plain.payload_len,
        "options_len": plain.options_len,
        "window": of_tcp(tcp["window"]),
        "linux_options": plain.linux_options,
        "tsval": pl.Series(plain.tsval).replace(-1, None),
        "weight": np.ones(len(plain.index), np.int64),
    }
    return pl.concat([empty_table(), pl.DataFrame(columns)], how="diagonal")


@dataclass(slots=True)
class Shown:
    """Authentic plain packets, by IP version, `packed` source and hop limit (see scene.py)."""

    counts: dict[int, Counter[tuple[Any, int]]] = field(default_factory=lambda: {4: Counter(), 6: Counter()})

    def note(self, plain: Plain) -> None:
        """Take in some packets."""
        authentic = ~plain.resets
        sources, hop_limits = packed(plain.ip["src"])[authentic], plain.ip["hop_limit"][authentic]
        for hop_limit in np.unique(hop_limits).tolist():
            hosts, counts = np.unique(sources[hop_limits == hop_limit], return_counts=True)
            for host, count in zip(hosts.tolist(), counts.tolist(), strict=True):
                self.counts[plain.version][host, hop_limit] += count

    def tell(self, seen: Seen) -> None:
        """Say so, with addresses as Wireshark writes them."""
        for counts in self.counts.values():
            hosts = address_texts(host for host, _ in counts)
            for host, ((_, hop_limit), count) in zip(hosts, counts.items(), strict=True):
                seen.shown[host, hop_limit] += count


def packed(raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Addresses, 32-bit numbers or pairs of 64-bit ones, as one value each: numbers, or strings of 16 bytes."""
    if raw.ndim == 1:
        return raw.astype(np.uint32)
    return np.ascontiguousarray(raw).view("S16").ravel()


def address_texts(values: Iterable[int | bytes]) -> list[str]:
    """`packed` addresses as Wireshark writes them."""
    return [
        socket.inet_ntop(socket.AF_INET, value.to_bytes(4, "big"))
        if isinstance(value, int)
        else socket.inet_ntop(socket.AF_INET6, value.ljust(16, b"\0"))  # numpy leaves out zeros at the end
        for value in values
    ]


def _addresses(raw: npt.NDArray[Any]) -> pl.Series:
    """Addresses as Wireshark writes them, from 32-bit numbers or pairs of 64-bit ones."""
    distinct, which = np.unique(packed(raw), return_inverse=True)
    return pl.Series(address_texts(distinct.tolist()), dtype=pl.String).gather(which)
