"""Which plain packets a verdict can depend on: what matter.py asks of rows, asked of arrays before rows are made.

Only what is kept becomes a row, with addresses as text. A flow is told by a hash of its ends: a packet that has
the same hash by chance is kept whole, which is harmless.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, SYN
from postproc.capture.prefilter.handshakes import Openings, telling
from postproc.capture.prefilter.headers import Flags, Plain
from postproc.capture.prefilter.link_layer import SOURCE_MAC, mac_numbers
from postproc.capture.prefilter.packet_rows import packed, rows
from postproc.capture.prefilter.pcap_reader import Integers, Piece
from postproc.capture.relevance import Kept, Matter

_Addresses = npt.NDArray[np.generic]  # 32-bit numbers or strings of 16 bytes, as `packed` gives them
_Hashes = npt.NDArray[np.uint64]
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # odd: multiplying loses nothing
_WAYS = (("src", "sport", "dst", "dport"), ("dst", "dport", "src", "sport"))
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class PlainMatter:
    """What matters (`Matter`) of the plain packets of one IP version.

    `openings` are all their SYNs and SYN-ACKs; of flows in `unsure`, which tshark has read in part, none is left out.
    """

    def __init__(self, matter: Matter, version: int, openings: Openings, unsure: pl.DataFrame) -> None:
        self._version = version
        self._flows, self._apart = (np.unique(self._hashed(flows)) for flows in (matter.flows, matter.apart))
        hosts, senders = (
            names.to_frame("src").filter(self._own("src"))["src"] for names in (matter.hosts, matter.senders)
        )
        self._hosts = np.unique(self._packed(hosts))
        self._senders = np.isin(self._hosts, self._packed(senders))
        errors = matter.errors.filter(self._own("src"))
        self._errors = np.sort(_moments(_place(self._hosts, self._packed(errors["src"])), errors["frame"].to_numpy()))

        found = openings.all()
        self._telling, self._odd = np.zeros(0, np.int64), self._hashed(unsure)
        if found is not None:
            found = found[self._may_tell(found)]
        if found is not None and len(found):
            told = telling(found)
            self._telling = told.frames
            self._odd = np.concatenate([self._odd, *(_ends_hashed(told.odd, *ways) for ways in _WAYS)])
        self._odd.sort()

    def select(self, piece: Piece, plain: Plain, link: int) -> Kept:
        """What matters of some packets, as rows of the packets table."""
        host = _place(self._hosts, packed(plain.ip["src"]))
        frames = piece.first + plain.index
        found = _hashes(packed(plain.ip["src"]), plain.tcp["sport"], packed(plain.ip["dst"]), plain.tcp["dport"])
        apart = plain.is_tcp & (_place(self._apart, found) >= 0)
        whole = self._whole(plain, found, host, frames) & (~apart | plain.resets)
        alike = np.flatnonzero(~whole)
        first, last, counts = _ends_of_groups(self._groups(piece, plain, link, alike, host, frames))
        several = alike[last[last != first]]
        standing = rows(piece, plain.chosen(np.concatenate([alike[first], several])), link)
        weights = np.concatenate([counts - (last != first), np.ones(len(several), np.int64)])
        return Kept(
            whole=rows(piece, plain.chosen(whole), link),
            standing=standing.with_columns(weight=pl.Series(weights)),
            apart=rows(piece, plain.chosen(apart), link),
        )

    def _own(self, name: str) -> pl.Expr:
        """Whether this column has an address of this version."""
        text, v6 = pl.col(name), pl.col(name).str.contains(":", literal=True)
        return v6 if self._version == 6 else text.str.contains(".", literal=True) & ~v6

    def _packed(self, texts: Iterable[str]) -> _Addresses:
        raw = b"".join(socket.inet_pton(_FAMILIES[self._version], text) for text in texts)
        return packed(np.frombuffer(raw, ">u4" if self._version == 4 else (">u8", 2)))

    def _hashed(self, flows: pl.DataFrame) -> _Hashes:
        """Of the ends of flows, in either direction or both."""
        own = flows.drop_nulls().filter(self._own("src") & self._own("dst"))
        ends = {"src": self._packed(own["src"]), "dst": self._packed(own["dst"])}
        return _ends_hashed(ends | {name: own[name].to_numpy() for name in ("sport", "dport")}, *_WAYS[0])

    def _may_tell(self, openings: npt.NDArray[Any]) -> Flags:
        """Whether they are of flows that are not kept anyway, and about hosts that are asked for."""
        about: Flags = (_place(self._hosts, openings["src"]) >= 0) | (_place(self._hosts, openings["dst"]) >= 0)
        return about & (_place(self._flows, _ends_hashed(openings, *_WAYS[0])) < 0)

    def _whole(self, plain: Plain, found: _Hashes, host: Integers, frames: Integers) -> Flags:
        """Which packets are kept as they are; `found` are the hashes of their ends."""
        ip, flags = plain.ip, plain.tcp["flags"]
        whole = plain.is_tcp & (_place(self._flows, found) >= 0)
        edges = np.flatnonzero(plain.is_tcp & ~whole & (flags & (SYN | FIN) != 0))
        target = _place(self._hosts, packed(ip["dst"][edges]))
        answers = (flags[edges] & (SYN | ACK) == SYN | ACK) & (host[edges] >= 0)
        asked_for = self._sent_resets(host[edges]) | self._sent_resets(target) | answers
        odd = _place(self._odd, found[edges]) >= 0
        whole[edges] = asked_for & (odd | (_place(self._telling, frames[edges]) >= 0))
        whole |= plain.resets
        return whole

    def _sent_resets(self, host: Integers) -> Flags:
        senders: Flags = np.append(self._senders, False)[host]  # the last one is for -1: no host
        return senders

    def _groups(
        self, piece: Piece, plain: Plain, link: int, which: Integers, host: Integers, frames: Integers
    ) -> Integers:
        """A number for each of the packets `which`, the same for those that are alike (see Matter)."""
        of, known = host[which], host[which] >= 0
        macs = np.unique(mac_numbers(piece, link, plain.link[which], SOURCE_MAC), return_inverse=True)[1]
        since = np.searchsorted(self._errors, _moments(of, frames[which]), "right")
        form = np.where(known, plain.is_tcp[which] * 256 + plain.ip["hop_limit"][which].astype(np.int64), 0)
        coarse = np.unique(macs * (len(self._hosts) + 1) + of + 1, return_inverse=True)[1]
        groups: Integers = (coarse * (len(self._errors) + 1) + np.where(known, since, 0)) * 512 + form
        return groups


def _place(table: npt.NDArray[np.generic], values: npt.NDArray[np.generic]) -> Integers:
    """Where each value stands in a sorted table, -1 where it does not."""
    if not len(table):
        return np.full(len(values), -1, np.int64)
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return np.where(table[at] == values, at, -1)


def _moments(host: Integers, frames: Integers) -> Integers:
    """Numbers that are in order by host, then by frame."""
    return (host << 40) + frames


def _ends_hashed(packets: Any, src: str, sport: str, dst: str, dport: str) -> _Hashes:
    return _hashes(packets[src], packets[sport], packets[dst], packets[dport])


def _hashes(src: _Addresses, sport: Integers, dst: _Addresses, dport: Integers) -> _Hashes:
    one, two = (_end(*end) for end in ((src, sport), (dst, dport)))
    found: _Hashes = (one ^ (one >> np.uint64(31))) * _MIX[1] + two
    return found


def _end(address: _Addresses, port: Integers) -> _Hashes:
    if address.dtype.kind == "S":
        halves = np.ascontiguousarray(address).view(">u8").reshape(-1, 2).astype(np.uint64)
        number = halves[:, 0] * _MIX[1] ^ halves[:, 1]
    else:
        number = address.astype(np.uint64)
    found: _Hashes = (number * _MIX[0] ^ (number >> np.uint64(29))) + port.astype(np.uint64) * _MIX[1]
    return found


def _ends_of_groups(groups: Integers) -> tuple[Integers, Integers, Integers]:
    """Of each group, where its first and last member are, and how many there are."""
    if not len(groups):
        return groups, groups, groups
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    return order[starts], order[ends - 1], ends - starts
