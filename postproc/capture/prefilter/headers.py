"""Which packets can be decoded without tshark: their headers have fixed positions and only one reading.

A packet is *decodable* when it is IPv4 without options or IPv6 without extension headers, complete and unfragmented by
its own account, and holds a TCP header that was captured whole and has nothing unusual, or UDP or an ICMP message of a
kind that encapsulates no packet. *Non-IP* packets have no IP header at all (ARP, spanning tree). All others are
*deferred* to tshark: VLAN tags, tunnels, fragments, ICMP errors, resets with a payload or a trailer, whatever may hold
a second IP header.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heuristics.protocol.tshark_fields import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, RST
from postproc.capture.prefilter.arrays import Flags, Headers, Integers, read_at, take
from postproc.capture.prefilter.encapsulation import tcp_may_carry_packet, udp_without_packet
from postproc.capture.prefilter.link_layer import link_payloads
from postproc.capture.prefilter.pcap_reader import Piece
from postproc.capture.prefilter.tcp_options import linux_syn_options, timestamps

IPV4 = np.dtype(
    [
        *(("version", "u1"), ("tos", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2")),
        *(("hop_limit", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")),
    ]
)
IPV6 = np.dtype(
    [
        *(("first", ">u4"), ("total", ">u2"), ("protocol", "u1"), ("hop_limit", "u1")),
        *(("src", ">u8", 2), ("dst", ">u8", 2)),
    ]
)
# The ports of UDP, and the type and code of ICMP, stand where TCP has its ports.
TCP_HEADER = np.dtype(
    [
        *(("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4")),
        *(("flags", ">u2"), ("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2")),
    ]
)
_PORTS, _TCP_MINIMUM = 8, 20
# Bytes after the packet that may say who reset (the Ethernet trailer of an F5 BIG-IP); padding and a checksum are 10.
_LEAST_TRAILER = 16
_IPV4_WITHOUT_OPTIONS = 0x45  # version 4, a header of five 32-bit words
_FRAGMENT = 0xBFFF  # all bits of the fragment field but "don't fragment"
# IPv6 addresses that begin with 64 zero bits can be written in several ways, except :: and ::1.
_LAST_UNAMBIGUOUS = np.uint64(1)
_ICMP_INFORMATIONAL = (0, 8, 13, 14)  # echo and timestamps
_ICMPV6_INFORMATIONAL = (128, 129, 133, 134, 135, 136)  # echo, and neighbour discovery without redirects


@dataclass(frozen=True, slots=True)
class DecodablePackets:
    """The decodable packets of one IP version in a piece. Each array has one value per packet.

    `index` is their position in the piece, `start` where their link header begins in its data. The timestamp value
    `tsval` is -1 where there is none.
    """

    version: int
    index: Integers
    start: Integers
    ip: Headers
    tcp: Headers
    is_tcp: Flags
    payload_len: Integers
    options_len: Integers
    tsval: Integers
    linux_options: Flags

    def select(self, which: Flags | Integers) -> DecodablePackets:
        """The packets for which `which` is true, or whose indices it has."""
        if which.dtype == np.bool_ and which.all():
            return self
        index: Integers = np.flatnonzero(which) if which.dtype == np.bool_ else which.astype(np.int64, copy=False)
        return DecodablePackets(
            version=self.version,
            index=self.index[index],
            start=self.start[index],
            ip=take(self.ip, index),
            tcp=take(self.tcp, index),
            is_tcp=self.is_tcp[index],
            payload_len=self.payload_len[index],
            options_len=self.options_len[index],
            tsval=self.tsval[index],
            linux_options=self.linux_options[index],
        )

    @property
    def resets(self) -> Flags:
        """Which of them are resets."""
        resets: Flags = self.is_tcp & (self.tcp["flags"] & RST != 0)
        return resets


@dataclass(frozen=True, slots=True)
class ClassifiedPiece:
    """The decodable packets of a piece, by IP version, and a flag for each packet that is deferred to tshark."""

    decodable: tuple[DecodablePackets, ...]
    deferred: Flags


def classify(piece: Piece, link_type: int) -> ClassifiedPiece:
    """Separate decodable packets from deferred ones. Raises DeferredError for a link type that we do not read."""
    payloads = link_payloads(piece, link_type)
    deferred = ~payloads.non_ip
    decodable = []
    for version, which in ((4, payloads.ipv4), (6, payloads.ipv6)):
        if not which.any():
            continue
        packets = _decodable(piece, payloads.header_len, np.flatnonzero(which), version)
        deferred[packets.index] = False
        decodable.append(packets)
    return ClassifiedPiece(tuple(decodable), deferred)


def _decodable(piece: Piece, header_len: int, index: Integers, version: int) -> DecodablePackets:
    """The decodable packets among those at `index`, whose link header has `header_len` bytes."""
    start = piece.start[index]
    captured, on_wire = piece.captured_len[index] - header_len, piece.wire_len[index] - header_len
    ip = read_at(piece.data, start + header_len, IPV4 if version == 4 else IPV6)
    size = ip.dtype.itemsize
    good = (_good_ipv4 if version == 4 else _good_ipv6)(ip)
    total = ip["total"].astype(np.int64) + (0 if version == 4 else size)
    good &= (total <= on_wire) & (captured >= size + _PORTS) & (total >= size + _PORTS)
    tcp = read_at(piece.data, start + header_len + size, TCP_HEADER)
    is_tcp = ip["protocol"] == PROTOCOL_TCP
    options_len = np.where(is_tcp, (tcp["flags"] >> 12).astype(np.int64) * 4 - _TCP_MINIMUM, 0)
    payload_len = np.where(is_tcp, total - size - _TCP_MINIMUM - options_len, 0)
    good &= ~is_tcp | _good_tcp(tcp, options_len, payload_len, captured - size)
    good &= ~is_tcp | (tcp["flags"] & RST == 0) | (captured - total < _LEAST_TRAILER)
    good &= is_tcp | _good_other(piece, start + header_len + size, ip["protocol"], tcp, version)
    tsval = np.full(len(index), -1, np.int64)
    optional = np.flatnonzero(good & (options_len > 0))
    options_at = start[optional] + header_len + size + _TCP_MINIMUM
    tsval[optional], usual = timestamps(piece.data, options_at, options_len[optional])
    good[optional] &= usual
    linux_options = np.zeros(len(index), np.bool_)
    linux_options[optional] = linux_syn_options(piece.data, options_at, options_len[optional])
    with_payload = np.flatnonzero(good & (payload_len > 0))
    payload_at = start[with_payload] + header_len + size + _TCP_MINIMUM + options_len[with_payload]
    good[with_payload] &= ~tcp_may_carry_packet(piece.data, payload_at, tcp[with_payload])
    return DecodablePackets(
        version=version,
        index=index,
        start=start,
        ip=ip,
        tcp=tcp,
        is_tcp=is_tcp,
        payload_len=payload_len,
        options_len=options_len,
        tsval=tsval,
        linux_options=linux_options,
    ).select(good)


def _good_ipv4(ip: Headers) -> Flags:
    good: Flags = (ip["version"] == _IPV4_WITHOUT_OPTIONS) & (ip["fragment"] & _FRAGMENT == 0)
    return good


def _good_ipv6(ip: Headers) -> Flags:
    good: Flags = ip["first"] >> 28 == 6
    for name in ("src", "dst"):
        good &= (ip[name][:, 0] != 0) | (ip[name][:, 1] <= _LAST_UNAMBIGUOUS)
    return good


def _good_tcp(tcp: Headers, options_len: Integers, payload_len: Integers, captured: Integers) -> Flags:
    """The header is whole. A reset with a payload is deferred: tshark reads its text."""
    without_text = (tcp["flags"] & RST == 0) | (payload_len == 0)
    good: Flags = (options_len >= 0) & (payload_len >= 0) & (captured >= _TCP_MINIMUM + options_len) & without_text
    return good


def _good_other(piece: Piece, at: Integers, protocol: Headers, start: Headers, version: int) -> Flags:
    icmp, known = (PROTOCOL_ICMP, _ICMP_INFORMATIONAL) if version == 4 else (PROTOCOL_ICMPV6, _ICMPV6_INFORMATIONAL)
    good: Flags = (protocol == icmp) & np.isin(start["sport"] >> 8, known)
    udp = np.flatnonzero(protocol == PROTOCOL_UDP)
    good[udp] = udp_without_packet(piece.data, at[udp], start[udp])
    return good
