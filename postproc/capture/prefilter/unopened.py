"""What a capture holds that nobody could read: overlays on ports that Wireshark does not open, cut TCP headers.

An overlay (VXLAN, Geneve, GTP-U) carries the packets of others in UDP. Wireshark opens it on the usual ports only. A
snap length that is ample for IPv4 may end within the TCP header of IPv6.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import (
    GENEVE_PORT,
    GTP_U_PORT,
    LINUX_VXLAN_PORT,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    RST,
    VXLAN_PORT,
)
from postproc.capture.decompress import READ_ERRORS, decompressed
from postproc.capture.overlay_problem import unopened_overlay
from postproc.capture.prefilter.arrays import Bytes, Flags, Headers, Integers, read_at
from postproc.capture.prefilter.headers import IPV4, IPV6, TCP_HEADER
from postproc.capture.prefilter.link_layer import LINK_TYPES, link_payloads
from postproc.capture.prefilter.pcap_reader import CaptureFile, DeferredError, Piece, open_capture
from postproc.runtime.text import plural

_OPENED = (VXLAN_PORT, LINUX_VXLAN_PORT, GENEVE_PORT, GTP_U_PORT)  # the ports on which Wireshark looks for them
_UDP = np.dtype([("sport", ">u2"), ("dport", ">u2"), ("length", ">u2"), ("checksum", ">u2")])
_OVERLAY = np.dtype([("first", "u1"), ("second", "u1"), ("third", ">u2"), ("network", "u1", 3), ("last", "u1")])
_UDP_HEADER, _OVERLAY_HEADER, _MAC_ADDRESSES = 8, 8, 12
_TCP_FLAGS, _TCP_WINDOW = 14, 16  # bytes of a TCP header up to these fields; tshark reads one that has both
_ETHERNET_TYPES = (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8)
_BRIDGED, _LONGEST_OPTIONS = 0x6558, 64  # Geneve: an Ethernet frame follows; options that we look behind (bytes)
# So many packets of a port, and this share of all that go there (percent), make an overlay.
_LEAST_PACKETS, _LEAST_SHARE = 3, 50
_AMPLE_SNAP_LENGTH = 96  # for Ethernet, IPv6, and a TCP header with timestamps
_HEAD = 4096  # bytes that hold the snap length
_INTERFACE_BLOCK = 1


def unopened_overlays(capture: Path, decoded: tuple[str, ...]) -> list[Problem]:
    """A problem for each UDP port of `capture` that looks like an overlay. Says nothing of a file it cannot read.

    `decoded` are rules that tshark was given (`udp.port==9000,vxlan`).
    """
    looks: Counter[tuple[int, str]] = Counter()
    packets: Counter[int] = Counter()
    with suppress(DeferredError):
        for piece, link_type in _pieces(capture):
            _count_overlays(piece, link_type, looks, packets)
    return [
        unopened_overlay(capture, port, protocol, count, packets[port])
        for (port, protocol), count in sorted(looks.items())
        if count >= _LEAST_PACKETS and 100 * count >= _LEAST_SHARE * packets[port]
        if port not in _OPENED and not any(rule.startswith(f"udp.port=={port},") for rule in decoded)
    ]


def cut_segments(capture: Path) -> list[Problem]:
    """A problem if the snap length of `capture` cut TCP headers of IPv6."""
    snap_length = _snap_length(capture)
    if snap_length is None or snap_length >= _AMPLE_SNAP_LENGTH:
        return []
    segments = with_flags = resets = 0
    with suppress(DeferredError):
        for piece, link_type in _pieces(capture):
            cut = _cut_tcp_headers(piece, link_type)
            segments, with_flags, resets = (a + b for a, b in zip((segments, with_flags, resets), cut, strict=True))
    if not segments:
        return []
    known = f"{plural(resets, 'reset')} among them" if with_flags == segments else "their flags are cut off, too"
    reason = (
        f"the snap length of {snap_length} bytes cuts the TCP headers of {plural(segments, 'IPv6 segment')}, which are "
        f"not judged: {known}"
    )
    return [Problem(str(capture), "", "", reason, f"capture with a snap length of {_AMPLE_SNAP_LENGTH} or more")]


def _pieces(path: Path) -> Iterator[tuple[Piece, int]]:
    capture: CaptureFile | None = open_capture(path)
    if capture is not None and capture.link_type in LINK_TYPES:
        for piece in capture.pieces():
            yield piece, capture.link_type


def _ip_headers(piece: Piece, link_type: int, version: int) -> tuple[Integers, Integers, Headers]:
    """Of the packets of one IP version: their index, where the IP header begins, and these headers."""
    payloads = link_payloads(piece, link_type)
    index = np.flatnonzero(payloads.ipv4 if version == 4 else payloads.ipv6)
    begin = piece.start[index] + payloads.header_len
    return index, begin, read_at(piece.data, begin, IPV4 if version == 4 else IPV6)


def _count_overlays(piece: Piece, link_type: int, looks: Counter[tuple[int, str]], packets: Counter[int]) -> None:
    for version in (4, 6):
        index, begin, ip = _ip_headers(piece, link_type, version)
        whole = ip["version"] == 0x45 if version == 4 else ip["first"] >> 28 == 6
        chosen = np.flatnonzero(whole & (ip["protocol"] == PROTOCOL_UDP))
        at = begin[chosen] + (20 if version == 4 else 40)
        udp, overlay = read_at(piece.data, at, _UDP), read_at(piece.data, at + _UDP_HEADER, _OVERLAY)
        inside = at + _UDP_HEADER + _OVERLAY_HEADER
        there = piece.start[index[chosen]] + piece.captured_len[index[chosen]] - inside
        packets.update(udp["dport"].tolist())
        for protocol, looks_so in _FORMS.items():
            found = looks_so(piece.data, inside, overlay, udp["length"]) & (there > _MAC_ADDRESSES)
            looks.update((port, protocol) for port in udp["dport"][found].tolist())


def _vxlan(data: Bytes, inside: Integers, overlay: Headers, _: Headers) -> Flags:
    """RFC 7348: only the flag of a valid network, reserved bytes of 0, an Ethernet frame."""
    frame = read_at(data, inside + _MAC_ADDRESSES, ">u2")
    reserved = (overlay["second"] == 0) & (overlay["third"] == 0) & (overlay["last"] == 0)
    form: Flags = (overlay["first"] == 0x08) & reserved & np.isin(frame, _ETHERNET_TYPES)
    return form


def _geneve(data: Bytes, inside: Integers, overlay: Headers, _: Headers) -> Flags:
    """RFC 8926: version 0, reserved bits of 0, an Ethernet frame after the options."""
    options = np.minimum(4 * (overlay["first"] & 0x3F).astype(np.int64), _LONGEST_OPTIONS)
    frame = read_at(data, inside + options + _MAC_ADDRESSES, ">u2")
    header = (overlay["first"] >> 6 == 0) & (overlay["second"] & 0x3F == 0) & (overlay["last"] == 0)
    form: Flags = header & (overlay["third"] == _BRIDGED) & np.isin(frame, _ETHERNET_TYPES)
    return form


def _gtp_u(data: Bytes, inside: Integers, overlay: Headers, udp_length: Headers) -> Flags:
    """3GPP TS 29.281: version 1, a user packet, its length; then an IP packet, where no further fields precede it."""
    further = overlay["first"] & 7 != 0
    ip = read_at(data, inside, np.dtype([("first", "u1")]))["first"] >> 4
    whole = overlay["third"].astype(np.int64) == udp_length.astype(np.int64) - _UDP_HEADER - _OVERLAY_HEADER
    form: Flags = (overlay["first"] >> 4 == 3) & (overlay["second"] == 0xFF) & whole & (further | np.isin(ip, (4, 6)))
    return form


_FORMS: dict[str, Callable[[Bytes, Integers, Headers, Headers], Flags]] = {
    "vxlan": _vxlan,
    "geneve": _geneve,
    "gtp": _gtp_u,
}


def _cut_tcp_headers(piece: Piece, link_type: int) -> tuple[int, int, int]:
    """How many IPv6 TCP headers are cut short, how many of these have their flags, and how many are resets."""
    index, begin, ip = _ip_headers(piece, link_type, 6)
    there = piece.start[index] + piece.captured_len[index] - begin - 40
    on_wire = piece.wire_len[index] - (begin - piece.start[index]) - 40
    cut = (ip["protocol"] == PROTOCOL_TCP) & (there >= 0) & (there < np.minimum(_TCP_WINDOW, on_wire))
    flagged = cut & (there >= _TCP_FLAGS)
    flags = read_at(piece.data, begin + 40, TCP_HEADER)["flags"]
    return int(cut.sum()), int(flagged.sum()), int((flagged & (flags & RST != 0)).sum())


def _snap_length(path: Path) -> int | None:
    """The snap length that the file names; None where that cannot be read."""
    try:
        with decompressed(path) as stream:
            head = stream.read(_HEAD)
        capture = open_capture(path)
        if capture is None:
            return None
        if not capture.pcapng:
            return int(struct.unpack_from(f"{capture.order}16xI", head)[0])
        return _of_interface(head, capture.order)
    except (struct.error, *READ_ERRORS):
        return None


def _of_interface(head: bytes, order: str) -> int | None:
    """The snap length of the first interface of a pcapng file."""
    at = 0
    while at + 16 <= len(head):
        kind, length = struct.unpack_from(f"{order}II", head, at)
        if kind == _INTERFACE_BLOCK:
            return int(struct.unpack_from(f"{order}12xI", head, at)[0]) or None
        at += max(length, 12)
    return None
