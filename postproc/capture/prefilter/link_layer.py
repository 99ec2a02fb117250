"""Link layers: where the IP header stands, and which packets have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from postproc.capture.prefilter.pcap_reader import Piece, UnsureError, read_at

ETHERNET, NULL, RAW, LINUX_COOKED = 1, 0, 101, 113  # tcpdump.org/linktypes.html
LINKS = (ETHERNET, NULL, RAW, LINUX_COOKED)
DESTINATION_MAC, SOURCE_MAC = 0, 6  # places in an Ethernet header

_ETHERNET = np.dtype([("dst", "u1", 6), ("src", "u1", 6), ("type", ">u2"), ("llc", ">u4"), ("llc_rest", ">u4")])
_COOKED = np.dtype([("direction", ">u2"), ("hardware", ">u2"), ("rest", "u1", 10), ("type", ">u2")])
_FAMILY = np.dtype([("family", "u1", 4)])
_FIRST = np.dtype([("version", "u1")])

_IPV4, _IPV6, _LENGTHS = 0x0800, 0x86DD, 1500  # an Ethernet type of at most 1500 is a length (IEEE 802.3)
# ARP, loopback test, link aggregation and OAM, LLDP, 802.1X: nothing in them is an IP header.
_IDLE_TYPES = (0x0806, 0x9000, 0x8809, 0x88CC, 0x888E)
_SPANNING_TREE = 0x424203  # IEEE 802.2 LLC of spanning tree, in the upper three of four bytes
_CISCO_SNAP = (0xAAAA0300, 0x000C2000)  # CDP
_HARDWARE = (1, 772, 65534)  # Ethernet, loopback, none (Linux if_arp.h): the type is an Ethernet type
_FAMILIES_IPV6 = (24, 28, 30)  # AF_INET6 of NetBSD, FreeBSD and macOS
# Wireshark takes frames to these addresses for Cisco ISL (the first two) and time-triggered Ethernet.
_ODD_DESTINATIONS = ((0x01, 0x00, 0x0C, 0x00), (0x0C, 0x00, 0x0C, 0x00), (0x03, 0x04, 0x05, 0x06))


@dataclass(frozen=True, slots=True)
class Kinds:
    """Of each packet, whether it is IPv4 or IPv6 or has no IP at all. `header` is the length of the link header."""

    header: int
    ipv4: npt.NDArray[np.bool_]
    ipv6: npt.NDArray[np.bool_]
    idle: npt.NDArray[np.bool_]


def idle_or_ip(piece: Piece, link: int) -> Kinds:
    """What each packet holds. Raises UnsureError for other link types than LINKS."""
    readers = {ETHERNET: _ethernet, NULL: _null, RAW: _raw, LINUX_COOKED: _cooked}
    if link not in readers:
        raise UnsureError
    return readers[link](piece)


def macs(piece: Piece, link: int, at: npt.NDArray[np.int64], place: int) -> pl.Series:
    """The MAC addresses at a `place` of the packets that begin at `at`, as Wireshark writes them; null without one."""
    if link != ETHERNET:
        return pl.repeat(None, len(at), dtype=pl.String, eager=True)
    found, inverse = np.unique(mac_numbers(piece, link, at, place), return_inverse=True)
    texts = [number.to_bytes(6, "big").hex(":") for number in found.tolist()]
    return pl.Series(texts, dtype=pl.String).gather(inverse)


def mac_numbers(piece: Piece, link: int, at: npt.NDArray[np.int64], place: int) -> npt.NDArray[np.int64]:
    """The same as numbers; 0 without one."""
    if link != ETHERNET:
        return np.zeros(len(at), np.int64)
    first, rest = (read_at(piece.data, at + start, ">u4").astype(np.int64) for start in (place, place + 2))
    numbers: npt.NDArray[np.int64] = (first << 16) | (rest & 0xFFFF)
    return numbers


def _ethernet(piece: Piece) -> Kinds:
    header = read_at(piece.data, piece.at, _ETHERNET)
    kind = np.where(piece.kept >= 14, header["type"], 0)
    odd = np.zeros(len(kind), np.bool_)
    for start in _ODD_DESTINATIONS:
        odd |= (header["dst"][:, :4] == start).all(axis=1)
    short = (kind <= _LENGTHS) & (piece.kept >= 22)
    spanning_tree = header["llc"] >> 8 == _SPANNING_TREE
    discovery = (header["llc"] == _CISCO_SNAP[0]) & (header["llc_rest"] == _CISCO_SNAP[1])
    idle = np.isin(kind, _IDLE_TYPES) | (short & (spanning_tree | discovery))
    return Kinds(14, (kind == _IPV4) & ~odd, (kind == _IPV6) & ~odd, idle & ~odd)


def _cooked(piece: Piece) -> Kinds:
    header = read_at(piece.data, piece.at, _COOKED)
    known = (piece.kept >= 16) & np.isin(header["hardware"], _HARDWARE)
    kind = np.where(known, header["type"], 0)
    return Kinds(16, kind == _IPV4, kind == _IPV6, np.isin(kind, _IDLE_TYPES))


def _null(piece: Piece) -> Kinds:
    family = read_at(piece.data, piece.at, _FAMILY)["family"]
    little = np.where((family[:, 1:] == 0).all(axis=1), family[:, 0], 0)
    number = np.where((family[:, :3] == 0).all(axis=1), family[:, 3], little)
    return Kinds(4, number == 2, np.isin(number, _FAMILIES_IPV6), np.zeros(len(number), np.bool_))


def _raw(piece: Piece) -> Kinds:
    version = read_at(piece.data, piece.at, _FIRST)["version"] >> 4
    return Kinds(0, version == 4, version == 6, np.zeros(len(version), np.bool_))
