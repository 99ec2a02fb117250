"""Which packets need no dissector: their headers stand where they always stand, and can be read in one way only.

A packet is *plain* when it is IPv4 without options or IPv6 without extension headers, whole and unfragmented by its own
account, with a TCP header that was captured whole and says nothing unusual, or with UDP or an ICMP message of a kind
that carries no other packet. *Idle* packets carry no IP at all (ARP, spanning tree). All others are *unsure*: VLAN
tags, tunnels, fragments, ICMP errors, resets that say something, whatever may hold a second IP header.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heuristics.protocol.tshark_fields import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP, RST
from postproc.capture.prefilter.encapsulation import may_carry_tcp, plain_udp
from postproc.capture.prefilter.link_layer import idle_or_ip
from postproc.capture.prefilter.pcap_reader import Integers, Piece, read_at
from postproc.capture.prefilter.tcp_options import linux, timestamps

Flags = npt.NDArray[np.bool_]
Headers = npt.NDArray[np.void]

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
# UDP and ICMP begin with the ports, or with type and code, too.
TCP_HEADER = np.dtype(
    [
        *(("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4")),
        *(("flags", ">u2"), ("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2")),
    ]
)
_PORTS, _TCP_MINIMUM = 8, 20
_IPV4_PLAIN = 0x45  # version 4, a header of five 32-bit words
_FRAGMENT = 0xBFFF  # all of the fragment field but "don't fragment"
_LAST_PLAIN = np.uint64(
    1
)  # IPv6 addresses that begin with 64 zero bits are written in several ways, but for :: and ::1
_ICMP_PLAIN = (0, 8, 13, 14)  # echo and timestamps
_ICMPV6_PLAIN = (128, 129, 133, 134, 135, 136)  # echo, and neighbour discovery but for redirects


@dataclass(frozen=True, slots=True)
class Plain:
    """The plain packets of one IP version in a piece: arrays with a value for each.

    `index` is their place in the piece, `link` where their link header begins in it.
    """

    version: int
    index: Integers
    link: Integers
    ip: Headers
    tcp: Headers
    is_tcp: Flags
    payload_len: Integers
    options_len: Integers
    tsval: Integers  # -1 where there is none
    linux_options: Flags

    def chosen(self, which: Flags | Integers) -> Plain:
        """Those of them for which `which` is true, or whose indices it has."""
        if which.dtype == np.bool_ and which.all():
            return self
        index = np.flatnonzero(which) if which.dtype == np.bool_ else which
        # As plain bytes, as in `read_at`.
        ip, tcp = (headers.view(f"V{headers.itemsize}")[index].view(headers.dtype) for headers in (self.ip, self.tcp))
        return Plain(
            version=self.version,
            index=self.index[index],
            link=self.link[index],
            ip=ip,
            tcp=tcp,
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
class Sorted:
    """A piece, sorted into plain packets by IP version, and `unsure`: which are left to tshark."""

    plain: tuple[Plain, ...]
    unsure: Flags


def sort_packets(piece: Piece, link: int) -> Sorted:
    """Tell plain packets from unsure ones. Raises UnsureError for a link type that is left to tshark whole."""
    kinds = idle_or_ip(piece, link)
    unsure = ~kinds.idle
    plain = []
    for version, which in ((4, kinds.ipv4), (6, kinds.ipv6)):
        if not which.any():
            continue
        found = _plain(piece, kinds.header, np.flatnonzero(which), version)
        unsure[found.index] = False
        plain.append(found)
    return Sorted(tuple(plain), unsure)


def _plain(piece: Piece, header: int, index: Integers, version: int) -> Plain:
    """The plain packets among those at `index`, whose IP header comes `header` bytes after the link header's start."""
    at, kept, length = piece.at[index], piece.kept[index] - header, piece.length[index] - header
    ip = read_at(piece.data, at + header, IPV4 if version == 4 else IPV6)
    size = ip.dtype.itemsize
    good = (_good_ipv4 if version == 4 else _good_ipv6)(ip)
    total = ip["total"].astype(np.int64) + (0 if version == 4 else size)
    good &= (total <= length) & (kept >= size + _PORTS) & (total >= size + _PORTS)
    tcp = read_at(piece.data, at + header + size, TCP_HEADER)
    is_tcp = ip["protocol"] == PROTOCOL_TCP
    options_len = np.where(is_tcp, (tcp["flags"] >> 12).astype(np.int64) * 4 - _TCP_MINIMUM, 0)
    payload_len = np.where(is_tcp, total - size - _TCP_MINIMUM - options_len, 0)
    good &= ~is_tcp | _good_tcp(tcp, options_len, payload_len, kept - size)
    good &= is_tcp | _good_other(piece, at + header + size, ip["protocol"], tcp, version)
    tsval = np.full(len(index), -1, np.int64)
    optional = np.flatnonzero(good & (options_len > 0))
    options_at = at[optional] + header + size + _TCP_MINIMUM
    tsval[optional], usual = timestamps(piece.data, options_at, options_len[optional])
    good[optional] &= usual
    linux_options = np.zeros(len(index), np.bool_)
    linux_options[optional] = linux(piece.data, options_at, options_len[optional])
    speaking = np.flatnonzero(good & (payload_len > 0))
    payload_at = at[speaking] + header + size + _TCP_MINIMUM + options_len[speaking]
    good[speaking] &= ~may_carry_tcp(piece.data, payload_at, tcp[speaking])
    return Plain(version, index, at, ip, tcp, is_tcp, payload_len, options_len, tsval, linux_options).chosen(good)


def _good_ipv4(ip: Headers) -> Flags:
    good: Flags = (ip["version"] == _IPV4_PLAIN) & (ip["fragment"] & _FRAGMENT == 0)
    return good


def _good_ipv6(ip: Headers) -> Flags:
    good: Flags = ip["first"] >> 28 == 6
    for name in ("src", "dst"):
        good &= (ip[name][:, 0] != 0) | (ip[name][:, 1] <= _LAST_PLAIN)
    return good


def _good_tcp(tcp: Headers, options_len: Integers, payload_len: Integers, kept: Integers) -> Flags:
    """A whole header; and a reset with a payload says something that tshark is to read."""
    silent = (tcp["flags"] & RST == 0) | (payload_len == 0)
    good: Flags = (options_len >= 0) & (payload_len >= 0) & (kept >= _TCP_MINIMUM + options_len) & silent
    return good


def _good_other(piece: Piece, at: Integers, protocol: Headers, start: Headers, version: int) -> Flags:
    icmp, plain = (PROTOCOL_ICMP, _ICMP_PLAIN) if version == 4 else (PROTOCOL_ICMPV6, _ICMPV6_PLAIN)
    good: Flags = (protocol == icmp) & np.isin(start["sport"] >> 8, plain)
    udp = np.flatnonzero(protocol == PROTOCOL_UDP)
    good[udp] = plain_udp(piece.data, at[udp], start[udp])
    return good
