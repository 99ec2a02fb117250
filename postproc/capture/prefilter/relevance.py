"""Which decodable packets are relevant: the rules of capture/relevance.py, on arrays, before rows are made.

Only relevant packets become rows, with addresses as text. A flow is recognised by a hash of its ends: a packet of
another flow with the same hash is kept as an individual row, which is harmless.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from postproc.capture.prefilter.arrays import Flags, Integers
from postproc.capture.prefilter.handshakes import Handshakes, select_handshakes
from postproc.capture.prefilter.headers import DecodablePackets
from postproc.capture.prefilter.link_layer import SOURCE_MAC, mac_numbers
from postproc.capture.prefilter.packet_rows import address_keys, packet_rows
from postproc.capture.prefilter.pcap_reader import Piece
from postproc.capture.relevance import Relevance, Selection
from postproc.capture.shared_ends import with_ends_by_port

_AddressKeys = npt.NDArray[np.generic]  # of `address_keys`: 32-bit numbers or strings of 16 bytes
_Hashes = npt.NDArray[np.uint64]
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))  # odd: multiplying loses no information
_DIRECTIONS = (("src", "sport", "dst", "dport"), ("dst", "dport", "src", "sport"))
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class _Located:
    """Packets with, for each, the index of its source among the relevant hosts (-1: none), and its frame number."""

    packets: DecodablePackets
    host: Integers
    frames: Integers


class ArrayRelevance:
    """`Relevance` for the decodable packets of one IP version.

    `handshakes` are all their SYNs and SYN-ACKs. Of `deferred_flows`, which tshark reads in part, all are kept.
    """

    def __init__(
        self, relevance: Relevance, version: int, handshakes: Handshakes, deferred_flows: pl.DataFrame
    ) -> None:
        self._version = version
        self._flows, self._spilled = (np.unique(self._hashed(flows)) for flows in (relevance.flows, relevance.spilled))
        self._shared_ends = self._hashed_ends(relevance.flows)
        hosts, senders = (
            names.to_frame("src").filter(self._own("src"))["src"] for names in (relevance.hosts, relevance.senders)
        )
        self._hosts = np.unique(self._keys(hosts))
        self._senders = np.isin(self._hosts, self._keys(senders))
        errors = relevance.errors.filter(self._own("src"))
        host_of_error = _index_in(self._hosts, self._keys(errors["src"]))
        self._errors = np.sort(_host_then_frame(host_of_error, errors["frame"].to_numpy()))

        records = handshakes.all()
        self._handshake_frames, self._repeated = np.zeros(0, np.int64), self._hashed(deferred_flows)
        if records is not None:
            records = records[self._concerns_hosts(records)]
        if records is not None and len(records):
            selected = select_handshakes(records)
            self._handshake_frames = selected.frames
            hashes = (_ends_hashed(selected.repeated, *direction) for direction in _DIRECTIONS)
            self._repeated = np.concatenate([self._repeated, *hashes])
        self._repeated.sort()

    def select(self, piece: Piece, packets: DecodablePackets, link_type: int) -> Selection:
        """The relevant packets, as rows of the packets table."""
        source = address_keys(packets.ip["src"])
        located = _Located(packets, _index_in(self._hosts, source), piece.first_frame + packets.index)
        flow = _hashes(source, packets.tcp["sport"], address_keys(packets.ip["dst"]), packets.tcp["dport"])
        spilled = packets.is_tcp & (_index_in(self._spilled, flow) >= 0)
        individual = self._individual(located, flow) & (~spilled | packets.resets)
        alike = np.flatnonzero(~individual)
        macs = mac_numbers(piece, link_type, packets.start[alike], SOURCE_MAC)
        groups = _divided(self._groups(located, alike, macs), self._beside(packets, source, alike, flow))
        first, last, counts = _ends_of_groups(groups)
        several = alike[last[last != first]]
        representatives = packet_rows(piece, packets.select(np.concatenate([alike[first], several])), link_type)
        weights = np.concatenate([counts - (last != first), np.ones(len(several), np.int64)])
        return Selection(
            individual=packet_rows(piece, packets.select(individual), link_type),
            representatives=representatives.with_columns(weight=pl.Series(weights)),
            spilled=packet_rows(piece, packets.select(spilled), link_type),
        )

    def _own(self, name: str) -> pl.Expr:
        """Whether this column has an address of this IP version."""
        text, v6 = pl.col(name), pl.col(name).str.contains(":", literal=True)
        return v6 if self._version == 6 else text.str.contains(".", literal=True) & ~v6

    def _keys(self, texts: Iterable[str]) -> _AddressKeys:
        raw = b"".join(socket.inet_pton(_FAMILIES[self._version], text) for text in texts)
        return address_keys(np.frombuffer(raw, ">u4" if self._version == 4 else (">u8", 2)))

    def _hashed(self, flows: pl.DataFrame) -> _Hashes:
        """Hashes of the ends of flows of this IP version."""
        own = flows.drop_nulls().filter(self._own("src") & self._own("dst"))
        ends = {"src": self._keys(own["src"]), "dst": self._keys(own["dst"])}
        return _ends_hashed(ends | {name: own[name].to_numpy() for name in ("sport", "dport")}, *_DIRECTIONS[0])

    def _hashed_ends(self, flows: pl.DataFrame) -> tuple[Flags, _Hashes]:
        """What other flows may share with these (capture/shared_ends.py): the clients' ports, and hashes of ends."""
        own = with_ends_by_port(flows.drop_nulls().filter(self._own("src") & self._own("dst")))
        client, server = self._keys(own["client"]), self._keys(own["server"])
        client_port, server_port = own["client_port"].to_numpy(), own["server_port"].to_numpy()
        ports = np.zeros(65536, np.bool_)
        ports[client_port] = True
        return ports, np.unique(np.concatenate(_end_hashes(client, server, client_port, server_port)))

    def _beside(self, packets: DecodablePackets, source: _AddressKeys, which: Integers, flow: _Hashes) -> _Hashes:
        """For each of the packets `which` that is one of `acknowledging_flows_beside`, the hash `flow`; else 0."""
        ports, ends = self._shared_ends
        tcp = packets.tcp[which]
        client_port = np.maximum(tcp["sport"], tcp["dport"])
        acknowledges = packets.is_tcp[which] & (tcp["flags"] & (ACK | RST) == ACK) & (tcp["sport"] != tcp["dport"])
        at = np.flatnonzero(acknowledges & ports[client_port])  # few: the rest need no hash
        some, tcp, client_port = which[at], tcp[at], client_port[at]
        from_client, target = tcp["sport"] > tcp["dport"], address_keys(packets.ip["dst"][some])
        client, server = np.where(from_client, source[some], target), np.where(from_client, target, source[some])
        hashes = _end_hashes(client, server, client_port, np.minimum(tcp["sport"], tcp["dport"]))
        by_client, by_server = (_index_in(ends, each) >= 0 for each in hashes)
        beside = np.zeros(len(which), np.uint64)
        beside[at] = np.where(by_client | by_server, flow[some], np.uint64(0))
        return beside

    def _concerns_hosts(self, records: npt.NDArray[Any]) -> Flags:
        """Whether a SYN or SYN-ACK concerns a relevant host, and is of a flow that is not kept anyway."""
        concerned: Flags = (_index_in(self._hosts, records["src"]) >= 0) | (_index_in(self._hosts, records["dst"]) >= 0)
        return concerned & (_index_in(self._flows, _ends_hashed(records, *_DIRECTIONS[0])) < 0)

    def _individual(self, located: _Located, flow: _Hashes) -> Flags:
        """Which packets become individual rows; `flow` are the hashes of their ends."""
        packets, host = located.packets, located.host
        ip, flags = packets.ip, packets.tcp["flags"]
        individual = packets.is_tcp & (_index_in(self._flows, flow) >= 0)
        edges = np.flatnonzero(packets.is_tcp & ~individual & (flags & (SYN | FIN) != 0))
        target = _index_in(self._hosts, address_keys(ip["dst"][edges]))
        answers = (flags[edges] & (SYN | ACK) == SYN | ACK) & (host[edges] >= 0)
        relevant = self._sent_resets(host[edges]) | self._sent_resets(target) | answers
        repeated = _index_in(self._repeated, flow[edges]) >= 0
        selected = _index_in(self._handshake_frames, located.frames[edges]) >= 0
        individual[edges] = relevant & (repeated | selected)
        individual |= packets.resets
        return individual

    def _sent_resets(self, host: Integers) -> Flags:
        senders: Flags = np.append(self._senders, False)[host]  # the last value is for -1: no host
        return senders

    def _groups(self, located: _Located, which: Integers, macs: Integers) -> Integers:
        """A group number for each of the packets `which`, whose source MACs are `macs`: one for those that are alike.

        Packets are alike by the rules of `Relevance`.
        """
        packets, host = located.packets, located.host[which]
        profiled = host >= 0
        mac = np.unique(macs, return_inverse=True)[1]
        since = np.searchsorted(self._errors, _host_then_frame(host, located.frames[which]), "right")
        is_syn = packets.is_tcp[which] & (packets.tcp["flags"][which] & (SYN | ACK) == SYN)
        protocol = packets.is_tcp[which].astype(np.int64) + is_syn
        protocol_and_hops = protocol * 256 + packets.ip["hop_limit"][which].astype(np.int64)
        mac_and_host = np.unique(mac * (len(self._hosts) + 1) + host + 1, return_inverse=True)[1]
        groups: Integers = (mac_and_host * (len(self._errors) + 1) + np.where(profiled, since, 0)) * 768
        return groups + np.where(profiled, protocol_and_hops, 0)


def _index_in(table: npt.NDArray[np.generic], values: npt.NDArray[np.generic]) -> Integers:
    """The index of each value in a sorted table; -1 where it is not there."""
    if not len(table):
        return np.full(len(values), -1, np.int64)
    at = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return np.where(table[at] == values, at, -1)


def _host_then_frame(host: Integers, frames: Integers) -> Integers:
    """Numbers that sort by host, then by frame."""
    return (host << 40) + frames


def _ends_hashed(packets: Any, src: str, sport: str, dst: str, dport: str) -> _Hashes:
    return _hashes(packets[src], packets[sport], packets[dst], packets[dport])


def _hashes(src: _AddressKeys, sport: Integers, dst: _AddressKeys, dport: Integers) -> _Hashes:
    one, two = (_end(*end) for end in ((src, sport), (dst, dport)))
    found: _Hashes = (one ^ (one >> np.uint64(31))) * _MIX[1] + two
    return found


def _end(address: _AddressKeys, port: Integers) -> _Hashes:
    if address.dtype.kind == "S":
        halves = np.ascontiguousarray(address).view(">u8").reshape(-1, 2).astype(np.uint64)
        number = halves[:, 0] * _MIX[1] ^ halves[:, 1]
    else:
        number = address.astype(np.uint64)
    found: _Hashes = (number * _MIX[0] ^ (number >> np.uint64(29))) + port.astype(np.uint64) * _MIX[1]
    return found


def _end_hashes(
    client: _AddressKeys, server: _AddressKeys, client_port: Integers, server_port: Integers
) -> tuple[_Hashes, _Hashes]:
    """Hashes of the client's end, and of the server's end with the client's port."""
    return _end(client, client_port), _end(server, server_port) * _MIX[0] + client_port.astype(np.uint64)


def _divided(groups: Integers, hashes: _Hashes) -> Integers:
    """The groups, each divided by the hashes of its members that have one other than 0."""
    at = np.flatnonzero(hashes)
    if not len(at):
        return groups
    of_group, of_hash = (np.unique(each[at], return_inverse=True)[1] for each in (groups, hashes))
    divided = groups.copy()
    divided[at] = groups.max() + 1 + of_group * (of_hash.max() + 1) + of_hash
    return divided


def _ends_of_groups(groups: Integers) -> tuple[Integers, Integers, Integers]:
    """For each group, the indices of its first and last members, and how many it has."""
    if not len(groups):
        return groups, groups, groups
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    return order[starts], order[ends - 1], ends - starts
