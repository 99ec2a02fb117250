"""Plain packets -> rows of the packets table, the same as tshark's fields give (packets.py)."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heuristics.fields import INITIAL_HOP_LIMITS
from postproc.capture_file import Integers, Piece
from postproc.links import macs
from postproc.packets import OTHER, TCP, empty_table
from postproc.plain import Plain

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
        "mac": macs(piece, link, plain.link),
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


def hosts_at_home(plain: Plain) -> pl.DataFrame:
    """Of the sources of authentic packets, whether all those show an initial hop limit; as in scene.py."""
    authentic = plain.ip[~plain.resets]
    texts, which = _distinct(authentic["src"])
    away = np.unique(which[~np.isin(authentic["hop_limit"], INITIAL_HOP_LIMITS)])
    at_home = np.ones(len(texts), np.bool_)
    at_home[away] = False
    return pl.DataFrame({"src": texts, "at_home": at_home})


def _addresses(raw: npt.NDArray[np.void]) -> pl.Series:
    """Addresses as Wireshark writes them, from 32-bit numbers or pairs of 64-bit ones."""
    texts, which = _distinct(raw)
    return texts.gather(which)


def _distinct(raw: npt.NDArray[np.void]) -> tuple[pl.Series, npt.NDArray[np.intp]]:
    """The distinct addresses, and which of them each is."""
    packed = np.ascontiguousarray(raw)
    size = packed.dtype.itemsize * (packed.shape[1] if packed.ndim > 1 else 1)
    whole = packed.view(f"V{size}").ravel()
    numbers = packed if size == 4 else _numbered(packed)
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    family = socket.AF_INET if size == 4 else socket.AF_INET6
    texts = pl.Series([socket.inet_ntop(family, bytes(whole[index])) for index in first], dtype=pl.String)
    return texts, inverse


def _numbered(pairs: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """A number for each pair, the same for the same pair."""
    frame = pl.DataFrame({"high": pairs[:, 0].astype(np.uint64), "low": pairs[:, 1].astype(np.uint64)})
    return frame.select(pl.struct("high", "low").rank("dense").cast(pl.Int64)).to_series().to_numpy()
