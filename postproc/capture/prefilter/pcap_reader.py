"""The packets of a pcap or pcapng file, in pieces of bounded size, not yet decoded.

Reads only what Wireshark reads in exactly one way. A file with anything unusual is deferred as a whole: tshark reads
it (`DeferredError`). Packets have the frame numbers that Wireshark gives them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from postproc.capture.decompress import READ_ERRORS, decompressed
from postproc.capture.file_format import (
    BLOCK_FRAME,
    BYTE_ORDER_MAGIC,
    INTERFACE,
    LONGEST_PACKET,
    PACKET,
    PACKET_DATA,
    PCAP_MICROSECONDS,
    PCAP_NANOSECONDS,
    PCAP_RECORD,
    RESOLUTION,
    SECTION,
)
from postproc.capture.prefilter import pcapng_blocks
from postproc.capture.prefilter.arrays import Bytes, Integers, read_at

Buffer = bytes | bytearray

PIECE = 16 * 1024 * 1024  # bytes read at a time
MARGIN = 256  # zeros after the bytes of a piece, so that a header that is cut short can be read without a check
_LATEST_US = 2**51  # microseconds since the epoch: the year 2041, far below what a damaged header says
_HEAD = 65536  # bytes read to recognise a file
_PCAP = struct.Struct("IHHiIII")


class DeferredError(Exception):
    """The file, or something in it, cannot be read for certain: tshark has to read it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive packets. Each array has one value per packet.

    `data` holds their bytes, followed by MARGIN zeros. The packet with frame number `first_frame + i` begins at
    `start[i]`; `captured_len[i]` bytes of it are there, of `wire_len[i]` on the wire. `time_us` is microseconds since
    the epoch. `data` is valid until the next piece is read.
    """

    first_frame: int
    data: Bytes
    start: Integers
    captured_len: Integers
    wire_len: Integers
    time_us: Integers


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A capture whose first bytes are sound. `link_type` is a number of tcpdump.org/linktypes.html."""

    path: Path
    link_type: int
    order: str
    nanoseconds: bool
    pcapng: bool

    def pieces(self) -> Iterator[Piece]:
        """All packets, in file order. May raise DeferredError at any time."""
        try:
            yield from self._pieces()
        except READ_ERRORS:
            raise DeferredError from None

    def _pieces(self) -> Iterator[Piece]:
        with decompressed(self.path) as stream:
            reader = _Pcapng(self.order) if self.pcapng else _Pcap(self.order, nanoseconds=self.nanoseconds)
            if len(stream.read(reader.header)) < reader.header:
                raise DeferredError
            first, rest = 1, b""
            buffer = bytearray()
            while True:
                if len(buffer) < len(rest) + PIECE + MARGIN:
                    buffer = bytearray(len(rest) + PIECE + MARGIN)
                buffer[: len(rest)] = rest
                got = stream.readinto(memoryview(buffer)[len(rest) : len(rest) + PIECE])
                if not got:
                    break
                size = len(rest) + got
                buffer[size : size + MARGIN] = bytes(MARGIN)
                piece, used = reader.piece(buffer, size, first)
                if piece is not None:
                    yield piece
                    first += len(piece.start)
                rest = bytes(buffer[used:size])
            if rest:
                raise DeferredError


def open_capture(path: Path) -> CaptureFile | None:
    """The capture at `path`, or None where tshark has to read it."""
    try:
        with decompressed(path) as stream:
            head = stream.read(_HEAD)
        return _pcap(path, head) or _pcapng(path, head)
    except (DeferredError, struct.error, *READ_ERRORS):
        return None


def _pcap(path: Path, head: bytes) -> CaptureFile | None:
    for order in "<>":
        magic, major, minor, _, _, _, link = struct.unpack_from(order + _PCAP.format, head)
        if magic in (PCAP_MICROSECONDS, PCAP_NANOSECONDS) and (major, minor) == (2, 4):
            return CaptureFile(path, link, order, nanoseconds=magic == PCAP_NANOSECONDS, pcapng=False)
    return None


def _pcapng(path: Path, head: bytes) -> CaptureFile | None:
    for order in "<>":
        kind, _, magic = struct.unpack_from(f"{order}III", head)
        if (kind, magic) == (SECTION, BYTE_ORDER_MAGIC):
            reader = _Pcapng(order)
            reader.piece(head + bytes(MARGIN), len(head), 1)
            return CaptureFile(path, reader.link_type, order, nanoseconds=False, pcapng=True)
    return None


def _numbers(data: Bytes, at: Integers, order: str, count: int) -> Iterator[Integers]:
    """`count` 32-bit numbers that follow one another at `at`: the first of all packets, the second of all ..."""
    for index in range(count):
        yield read_at(data, at + 4 * index, f"{order}u4").astype(np.int64)


def _checked(piece: Piece) -> Piece:
    """The piece itself. Raises DeferredError where a packet's header is not that of a sound file."""
    sound = (piece.captured_len <= piece.wire_len) & (piece.wire_len <= LONGEST_PACKET) & (piece.time_us < _LATEST_US)
    if not sound.all():
        raise DeferredError
    return piece


class _Pcap:
    """Reads pcap: every packet follows a record header of 16 bytes."""

    header = 24

    def __init__(self, order: str, *, nanoseconds: bool) -> None:
        self.order = order
        self.unit = 1_000_000_000 if nanoseconds else 1_000_000

    def piece(self, data: Buffer, size: int, first: int) -> tuple[Piece | None, int]:
        """The complete packets in the first `size` bytes of `data`, and how many bytes they take."""
        starts, used = self._walk(data, size)
        if not len(starts):
            return None, 0
        view = np.frombuffer(data, np.uint8)
        seconds, parts, captured, on_wire = _numbers(view, starts, self.order, 4)
        if (parts >= self.unit).any():
            raise DeferredError
        time_us = seconds * 1_000_000 + parts // (self.unit // 1_000_000)
        piece = Piece(
            first_frame=first,
            data=view,
            start=starts + PCAP_RECORD,
            captured_len=captured,
            wire_len=on_wire,
            time_us=time_us,
        )
        return _checked(piece), used

    def _walk(self, data: Buffer, size: int) -> tuple[Integers, int]:
        starts: list[int] = []
        at, last = 0, size - PCAP_RECORD
        append, kept_at = starts.append, struct.Struct(f"{self.order}8xI").unpack_from
        while at <= last:  # runs once for every packet
            append(at)
            at += PCAP_RECORD + kept_at(data, at)[0]
        if at > size:
            begins = starts.pop()
            if at - begins > LONGEST_PACKET + PCAP_RECORD:
                raise DeferredError
            at = begins
        return np.array(starts, np.int64), at


class _Pcapng:
    """Reads pcapng of one section whose interfaces have one link type: blocks, some of which hold a packet."""

    header = 0

    def __init__(self, order: str) -> None:
        self.order = order
        self.link_type = -1
        self.units: list[int] = []  # per second, by interface
        self.begun = False  # whether the section header is read

    def piece(self, data: Buffer, size: int, first: int) -> tuple[Piece | None, int]:
        """The complete packets in the first `size` bytes of `data`, and how many bytes they and other blocks take."""
        starts, used = self._walk(data, size)
        if not len(starts):
            return None, used
        view = np.frombuffer(data, np.uint8)
        block, interface, high, low, captured, on_wire = _numbers(view, starts + 4, self.order, 6)
        if (interface >= len(self.units)).any() or (high >= 2**30).any() or (captured + 32 > block).any():
            raise DeferredError
        if not pcapng_blocks.are_usual_packets(view, starts, block, captured, self.order):
            raise DeferredError
        units = np.array(self.units, np.int64)[interface]
        time = (high << 32) + low
        time_us = np.where(units >= 1_000_000, time // np.maximum(units // 1_000_000, 1), time * (1_000_000 // units))
        piece = Piece(
            first_frame=first,
            data=view,
            start=starts + PACKET_DATA,
            captured_len=captured,
            wire_len=on_wire,
            time_us=time_us,
        )
        return _checked(piece), used

    def _walk(self, data: Buffer, size: int) -> tuple[Integers, int]:
        starts: list[int] = []
        at, head = 0, struct.Struct(f"{self.order}II").unpack_from
        while at + BLOCK_FRAME <= size:
            kind, length = head(data, at)
            after = at + length
            if length < BLOCK_FRAME or length % 4 or length > 2 * LONGEST_PACKET:
                raise DeferredError
            if after > size:
                break
            if kind == PACKET and length >= 32:
                starts.append(at)
            else:
                self._other(kind, bytes(data[at:after]))
            at = after
        return np.array(starts, np.int64), at

    def _other(self, kind: int, block: bytes) -> None:
        if block[-4:] != block[4:8] or (kind == SECTION) == self.begun:
            raise DeferredError
        self.begun = True
        if kind == INTERFACE:
            self._interface(block)
        elif not pcapng_blocks.is_usual(kind, block, self.order, len(self.units)):
            raise DeferredError

    def _interface(self, block: bytes) -> None:
        options = pcapng_blocks.interface_options(block, self.order)
        resolution = 6 if options is None else options.get(RESOLUTION, b"\6")[0]
        if options is None or resolution > 9:
            raise DeferredError
        self.units.append(10**resolution)
        (link,) = struct.unpack_from(f"{self.order}H", block, 8)
        if self.link_type not in (-1, link):
            raise DeferredError
        self.link_type = link
