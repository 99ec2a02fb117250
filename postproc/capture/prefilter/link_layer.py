"""Link layers: where the IP header begins, and which packets have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from postproc.capture.prefilter.arrays import Flags, Integers, read_at
from postproc.capture.prefilter.pcap_reader import DeferredError, Piece

ETHERNET, NULL, RAW, LINUX_COOKED = 1, 0, 101, 113  # tcpdump.org/linktypes.html
LINK_TYPES = (ETHERNET, NULL, RAW, LINUX_COOKED)
DESTINATION_MAC, SOURCE_MAC = 0, 6  # offsets in an Ethernet header

_ETHERNET = np.dtype([("dst", "u1", 6), ("src", "u1", 6), ("type", ">u2"), ("llc", ">u4"), ("llc_rest", ">u4")])
_COOKED = np.dtype([("direction", ">u2"), ("hardware", ">u2"), ("rest", "u1", 10), ("type", ">u2")])
_FAMILY = np.dtype([("family", "u1", 4)])
_FIRST = np.dtype([("version", "u1")])

_IPV4, _IPV6 = 0x0800, 0x86DD
_LONGEST_LENGTH = 1500  # an Ethernet type of at most 1500 is a length (IEEE 802.3)
# ARP, loopback test, link aggregation and OAM, LLDP, 802.1X: none of them holds an IP header.
_NON_IP_TYPES = (0x0806, 0x9000, 0x8809, 0x88CC, 0x888E)
_SPANNING_TREE = 0x424203  # IEEE 802.2 LLC of spanning tree, in the upper three of four bytes
_CISCO_SNAP = (0xAAAA0300, 0x000C2000)  # CDP
_HARDWARE = (1, 772, 65534)  # Ethernet, loopback, none (Linux if_arp.h): the type is an Ethernet type
_FAMILIES_IPV6 = (24, 28, 30)  # AF_INET6 of NetBSD, FreeBSD and macOS
# Wireshark decodes frames to these addresses as Cisco ISL (the first two) and time-triggered Ethernet.
_OTHER_ENCAPSULATIONS = ((0x01, 0x00, 0x0C, 0x00), (0x0C, 0x00, 0x0C, 0x00), (0x03, 0x04, 0x05, 0x06))


@dataclass(frozen=True, slots=True)
class LinkPayloads:
    """Which packets are IPv4, IPv6, or certainly no IP. `header_len` is the length of the link header (bytes)."""

    header_len: int
    ipv4: Flags
    ipv6: Flags
    non_ip: Flags


def link_payloads(piece: Piece, link_type: int) -> LinkPayloads:
    """What each packet holds. Raises DeferredError for link types other than LINK_TYPES."""
    readers = {ETHERNET: _ethernet, NULL: _null, RAW: _raw, LINUX_COOKED: _cooked}
    if link_type not in readers:
        raise DeferredError
    return readers[link_type](piece)


def macs(piece: Piece, link_type: int, start: Integers, offset: int) -> pl.Series:
    """The MAC addresses at `offset` of the packets that begin at `start`, as Wireshark writes them.

    Null where the link layer has none.
    """
    if link_type != ETHERNET:
        return pl.repeat(None, len(start), dtype=pl.String, eager=True)
    found, inverse = np.unique(mac_numbers(piece, link_type, start, offset), return_inverse=True)
    texts = [number.to_bytes(6, "big").hex(":") for number in found.tolist()]
    return pl.Series(texts, dtype=pl.String).gather(inverse)


def mac_numbers(piece: Piece, link_type: int, start: Integers, offset: int) -> Integers:
    """The same as numbers; 0 where the link layer has none."""
    if link_type != ETHERNET:
        return np.zeros(len(start), np.int64)
    first, rest = (read_at(piece.data, start + each, ">u4").astype(np.int64) for each in (offset, offset + 2))
    numbers: Integers = (first << 16) | (rest & 0xFFFF)
    return numbers


def _ethernet(piece: Piece) -> LinkPayloads:
    header = read_at(piece.data, piece.start, _ETHERNET)
    kind = np.where(piece.captured_len >= 14, header["type"], 0)
    other = np.zeros(len(kind), np.bool_)
    for start in _OTHER_ENCAPSULATIONS:
        other |= (header["dst"][:, :4] == start).all(axis=1)
    short = (kind <= _LONGEST_LENGTH) & (piece.captured_len >= 22)
    spanning_tree = header["llc"] >> 8 == _SPANNING_TREE
    discovery = (header["llc"] == _CISCO_SNAP[0]) & (header["llc_rest"] == _CISCO_SNAP[1])
    non_ip = np.isin(kind, _NON_IP_TYPES) | (short & (spanning_tree | discovery))
    return LinkPayloads(14, (kind == _IPV4) & ~other, (kind == _IPV6) & ~other, non_ip & ~other)


def _cooked(piece: Piece) -> LinkPayloads:
    header = read_at(piece.data, piece.start, _COOKED)
    known = (piece.captured_len >= 16) & np.isin(header["hardware"], _HARDWARE)
    kind = np.where(known, header["type"], 0)
    return LinkPayloads(16, kind == _IPV4, kind == _IPV6, np.isin(kind, _NON_IP_TYPES))


def _null(piece: Piece) -> LinkPayloads:
    family = read_at(piece.data, piece.start, _FAMILY)["family"]
    little = np.where((family[:, 1:] == 0).all(axis=1), family[:, 0], 0)
    number = np.where((family[:, :3] == 0).all(axis=1), family[:, 3], little)
    return LinkPayloads(4, number == 2, np.isin(number, _FAMILIES_IPV6), np.zeros(len(number), np.bool_))


def _raw(piece: Piece) -> LinkPayloads:
    version = read_at(piece.data, piece.start, _FIRST)["version"] >> 4
    return LinkPayloads(0, version == 4, version == 6, np.zeros(len(version), np.bool_))
