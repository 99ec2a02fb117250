"""The packets of a pcap or pcapng file, in pieces of bounded size, without dissecting them.

Only what Wireshark reads in exactly one way is read: a file with anything out of the ordinary is refused
(`UnsureError`) and left to tshark, whole. Packets are numbered as Wireshark numbers them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from postproc.capture.prefilter.decompress import DAMAGES, unpacked

Buffer = bytes | bytearray
Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

PIECE = 16 * 1024 * 1024  # bytes read at a time
MARGIN = 256  # zeros after the bytes of a piece, so that headers that end too soon can be read as if they did not
LONGEST = 262_144  # bytes of a packet; Wireshark takes more for a damaged file
_LATEST_US = 2**51  # microseconds since the epoch: the year 2041, and far below what a damaged header says
_HEAD = 65536  # bytes that tell what a file is
_PCAP = struct.Struct("IHHiIII")
_PCAP_RECORD = 16  # bytes before a packet
_BLOCK = 12  # bytes of a pcapng block without a body
_SECTION, _INTERFACE, _ENHANCED = 0x0A0D0D0A, 1, 6
_NO_PACKETS = (4, 5, 10)  # blocks of names, statistics and decryption secrets: Wireshark gives them no number
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_END, _COMMENT, _RESOLUTION, _OFFSET = 0, 1, 9, 14  # options of an interface


class UnsureError(Exception):
    """The file is not what we read without a doubt; tshark decides."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some packets in a row. Arrays have a value a packet.

    `data` holds their bytes, and MARGIN more. The packet with number `first + i` begins at `at[i]`, has `kept[i]` bytes
    there and had `length[i]` on the wire; `time_us` is microseconds since the epoch. `data` holds until the next piece
    is asked for.
    """

    first: int
    data: Bytes
    at: Integers
    kept: Integers
    length: Integers
    time_us: Integers


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A capture whose beginning is as it should be. `link` is its link type (tcpdump.org/linktypes.html)."""

    path: Path
    link: int
    order: str
    nanoseconds: bool
    pcapng: bool

    def pieces(self) -> Iterator[Piece]:
        """All packets, in file order. Raises UnsureError, at any time."""
        try:
            yield from self._pieces()
        except DAMAGES:
            raise UnsureError from None

    def _pieces(self) -> Iterator[Piece]:
        with unpacked(self.path) as stream:
            reader = _Pcapng(self.order) if self.pcapng else _Pcap(self.order, self.nanoseconds)
            if len(stream.read(reader.header)) < reader.header:
                raise UnsureError
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
                    first += len(piece.at)
                rest = bytes(buffer[used:size])
            if rest:
                raise UnsureError


def open_capture(path: Path) -> CaptureFile | None:
    """The capture at `path`, or None where tshark had better read it."""
    try:
        with unpacked(path) as stream:
            head = stream.read(_HEAD)
        return _pcap(path, head) or _pcapng(path, head)
    except (UnsureError, struct.error, *DAMAGES):
        return None


def _pcap(path: Path, head: bytes) -> CaptureFile | None:
    for order in "<>":
        magic, major, minor, _, _, _, link = struct.unpack_from(order + _PCAP.format, head)
        if magic in (0xA1B2C3D4, 0xA1B23C4D) and (major, minor) == (2, 4):
            return CaptureFile(path, link, order, magic == 0xA1B23C4D, pcapng=False)
    return None


def _pcapng(path: Path, head: bytes) -> CaptureFile | None:
    for order in "<>":
        kind, _, magic, major = struct.unpack_from(f"{order}IIIH", head)
        if (kind, magic, major) == (_SECTION, _BYTE_ORDER_MAGIC, 1):
            reader = _Pcapng(order)
            reader.piece(head + bytes(MARGIN), len(head), 1)
            return CaptureFile(path, reader.link, order, nanoseconds=False, pcapng=True)
    return None


def read_at(data: Bytes, at: Integers, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The values, or structures, of `dtype` that begin at `at`."""
    kind = np.dtype(dtype)
    size = kind.itemsize  # as plain bytes: numpy copies structures field by field, which takes 15 times as long
    windows: npt.NDArray[Any] = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return windows[at].view(kind)


def _numbers(data: Bytes, at: Integers, order: str, count: int) -> Iterator[Integers]:
    """The first, second ... of `count` 32-bit numbers that follow one another at `at`."""
    for index in range(count):
        yield read_at(data, at + 4 * index, f"{order}u4").astype(np.int64)


def _checked(piece: Piece) -> Piece:
    """Raises UnsureError where a packet's header is not what a sound file has."""
    sound = (piece.kept <= piece.length) & (piece.length <= LONGEST) & (piece.time_us < _LATEST_US)
    if not sound.all():
        raise UnsureError
    return piece


class _Pcap:
    """Reads pcap: a header of 16 bytes before each packet."""

    header = 24

    def __init__(self, order: str, nanoseconds: bool) -> None:
        self.order = order
        self.unit = 1_000_000_000 if nanoseconds else 1_000_000

    def piece(self, data: Buffer, size: int, first: int) -> tuple[Piece | None, int]:
        """The packets that are whole in the first `size` bytes of `data`, and the bytes they take."""
        starts, used = self._walk(data, size)
        if not len(starts):
            return None, 0
        view = np.frombuffer(data, np.uint8)
        seconds, parts, kept, length = _numbers(view, starts, self.order, 4)
        if (parts >= self.unit).any():
            raise UnsureError
        time_us = seconds * 1_000_000 + parts // (self.unit // 1_000_000)
        return _checked(Piece(first, view, starts + _PCAP_RECORD, kept, length, time_us)), used

    def _walk(self, data: Buffer, size: int) -> tuple[Integers, int]:
        starts: list[int] = []
        at, last = 0, size - _PCAP_RECORD
        append, kept_at = starts.append, struct.Struct(f"{self.order}8xI").unpack_from
        while at <= last:  # as little as can be: this is done for every packet
            append(at)
            at += _PCAP_RECORD + kept_at(data, at)[0]
        if at > size:
            begins = starts.pop()
            if at - begins > LONGEST + _PCAP_RECORD:
                raise UnsureError
            at = begins
        return np.array(starts, np.int64), at


class _Pcapng:
    """Reads pcapng of one section whose interfaces have one link type: blocks, of which some hold a packet."""

    header = 0

    def __init__(self, order: str) -> None:
        self.order = order
        self.link = -1
        self.units: list[int] = []  # of time, in a second, by interface

    def piece(self, data: Buffer, size: int, first: int) -> tuple[Piece | None, int]:
        """The packets that are whole in the first `size` bytes of `data`, and the bytes that they and others take."""
        starts, used = self._walk(data, size, first)
        if not len(starts):
            return None, used
        view = np.frombuffer(data, np.uint8)
        block, interface, high, low, kept, length = _numbers(view, starts + 4, self.order, 6)
        if (interface >= len(self.units)).any() or (high >= 2**30).any() or (kept + 32 > block).any():
            raise UnsureError
        units = np.array(self.units, np.int64)[interface]
        time = (high << 32) + low
        time_us = np.where(units >= 1_000_000, time // np.maximum(units // 1_000_000, 1), time * (1_000_000 // units))
        return _checked(Piece(first, view, starts + 28, kept, length, time_us)), used

    def _walk(self, data: Buffer, size: int, first: int) -> tuple[Integers, int]:
        starts: list[int] = []
        at, head = 0, struct.Struct(f"{self.order}II").unpack_from
        while at + _BLOCK <= size:
            kind, length = head(data, at)
            after = at + length
            if length < _BLOCK or length % 4 or length > 2 * LONGEST:
                raise UnsureError
            if after > size:
                break
            if kind == _ENHANCED and length >= 32:
                starts.append(at)
            else:
                self._other(kind, bytes(data[at:after]), beginning=first == 1 and at == 0)
            at = after
        return np.array(starts, np.int64), at

    def _other(self, kind: int, block: bytes, *, beginning: bool) -> None:
        if kind == _INTERFACE:
            self._interface(block)
        elif kind not in _NO_PACKETS and not (kind == _SECTION and beginning):
            raise UnsureError

    def _interface(self, block: bytes) -> None:
        (link,) = struct.unpack_from(f"{self.order}H", block, 8)
        units, at = 1_000_000, 16
        while at + 4 <= len(block) - 4:
            code, length = struct.unpack_from(f"{self.order}HH", block, at)
            if code == _END:
                break
            if code == _OFFSET or (code == _RESOLUTION and (length != 1 or block[at + 4] > 9)):
                raise UnsureError
            if code == _RESOLUTION:
                units = 10 ** block[at + 4]
            at += 4 + (length + 3) // 4 * 4
        self.units.append(units)
        if self.link not in (-1, link):
            raise UnsureError
        self.link = link
