"""A capture as pcapng blocks, to be copied: every byte stays where it is, unless the copier replaces a block.

pcapng: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html. A pcap file is read as pcapng with one section
and one interface. Blocks get the frame numbers that Wireshark gives to their packets.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from postproc.capture.decompress import READ_ERRORS, Stream, decompressed
from postproc.capture.file_format import (
    BLOCK_FRAME,
    BYTE_ORDER_MAGIC,
    END_OF_OPTIONS,
    INTERFACE,
    LONGEST_PACKET,
    OLD_PACKET,
    PACKET,
    PACKET_DATA,
    PCAP_HEADER,
    PCAP_MICROSECONDS,
    PCAP_NANOSECONDS,
    PCAP_RECORD,
    RESOLUTION,
    SECTION,
    SIMPLE_PACKET,
    padded,
)
from postproc.runtime.errors import CaptureError

CUT_SHORT = 0  # no type of blocks: what is left where the file ends in the middle of a block, or is damaged

Bytes = bytes | memoryview

_ORDERS = {BYTE_ORDER_MAGIC.to_bytes(4, "little"): "<", BYTE_ORDER_MAGIC.to_bytes(4, "big"): ">"}
# Custom blocks, journal entries and events of sysdig (wiretap/pcapng.c) have frame numbers as packets have.
_PACKETS = frozenset((OLD_PACKET, SIMPLE_PACKET, PACKET))
_NUMBERED = _PACKETS | {0xBAD, 0x40000BAD, 9, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222}
_PIECE = 16 * 1024 * 1024  # bytes read at a time
_LONGEST_BLOCK = 64 * 1024 * 1024  # bytes; Wireshark takes a longer one for damage, as it does a longer packet
_FIX = "convert it first: editcap -F pcapng"


@dataclass(frozen=True, slots=True)
class Block:
    """One whole block in the byte order `order` of its section (`<` or `>`). `frame` is 0 where it has no number."""

    order: str
    kind: int
    data: Bytes
    frame: int = 0

    @property
    def is_packet(self) -> bool:
        """Whether it holds a packet."""
        return self.kind in _PACKETS

    def number(self, at: int, form: str = "I") -> int:
        """The number at this offset; `form` is one of the struct module."""
        (value,) = struct.unpack_from(f"{self.order}{form}", self.data, at)
        return int(value)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A block with this body, which is padded already."""
    length = len(body) + BLOCK_FRAME
    return struct.pack(f"{order}II", kind, length) + body + struct.pack(f"{order}I", length)


def option(order: str, code: int, value: bytes) -> bytes:
    """An option. Raises struct.error for a value of more than 65,535 bytes."""
    return struct.pack(f"{order}HH", code, len(value)) + value.ljust(padded(len(value)), b"\0")


def read_options(order: str, data: bytes) -> list[tuple[int, bytes]] | None:
    """Codes and values of the options in `data`, up to their end; None where they are damaged."""
    found = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        code, length = struct.unpack_from(f"{order}HH", data, at)
        if code == END_OF_OPTIONS:
            break
        if at + 4 + length > len(data):
            return None
        found.append((code, data[at + 4 : at + 4 + length]))
        at += 4 + padded(length)
    return found


def copy_parts(path: Path, frames: Container[int] | None, mark: bytes = b"") -> Iterator[memoryview | Block]:
    """The file as parts that make up the copy, in order. Compressed files are decompressed.

    Packets come one by one as blocks if their frame number is in `frames` (None: all), or if `mark`, where there is
    one, is among their options. Other packets come together, as bytes. All other blocks come one by one.

    Raises CaptureError for a file that is neither pcap nor pcapng or cannot be read.
    """
    try:
        with decompressed(path) as stream:
            head = stream.read(PCAP_HEADER)
            kind = head[:4]
            for order in "<>":
                magic = int.from_bytes(kind, "little" if order == "<" else "big")
                if magic in (PCAP_MICROSECONDS, PCAP_NANOSECONDS) and len(head) == PCAP_HEADER:
                    yield from _of_pcap(stream, head, order, frames)
                    return
            if kind != SECTION.to_bytes(4, "big"):
                raise CaptureError(str(path), "is neither pcap nor pcapng, and only these are copied", _FIX)
            yield from _of_pcapng(stream, head, frames, mark)
    except READ_ERRORS as error:
        raise CaptureError(
            str(path), f"cannot be read to its end: {error}", "copy it again from where it was"
        ) from None


def _of_pcapng(stream: Stream, rest: bytes, frames: Container[int] | None, mark: bytes) -> Iterator[memoryview | Block]:
    order, frame = "<", 0
    head = struct.Struct("<II12xI").unpack_from
    while got := stream.read(_PIECE):
        # The zeros let the head of a short last block be read without a check.
        size = len(rest) + len(got)
        data = b"".join((rest, got, bytes(24)))
        view = memoryview(data)
        at = begun = 0
        while at + BLOCK_FRAME <= size:  # runs once for every block
            kind, length, captured = head(data, at)
            if kind == SECTION:
                order = _ORDERS.get(data[at + 8 : at + 12], "")
                head = struct.Struct(f"{order or '<'}II12xI").unpack_from
                kind, length, captured = head(data, at)
            after = at + length
            if not order or length < BLOCK_FRAME or length % 4 or length > _LONGEST_BLOCK:
                yield from _to_the_end(stream, view[begun:at], view[at:size], order)
                return
            if after > size:
                break
            numbered = kind == PACKET or kind in _NUMBERED
            frame += numbered
            if kind == PACKET and frames is not None and frame not in frames:
                options = at + PACKET_DATA + (captured + 3) // 4 * 4
                if options + 4 >= after or not mark or data.find(mark, options, after) < 0:
                    at = after
                    continue
            if at > begun:
                yield view[begun:at]
            yield Block(order, kind, view[at:after], frame if numbered else 0)
            at = begun = after
        if at > begun:
            yield view[begun:at]
        rest = data[at:size]
    if rest:
        yield Block(order, CUT_SHORT, rest)


def _to_the_end(stream: Stream, sound: memoryview, damaged: memoryview, order: str) -> Iterator[memoryview | Block]:
    """What was read soundly, and everything else as it is: Wireshark stops reading there."""
    if sound:
        yield sound
    yield Block(order, CUT_SHORT, damaged)
    while got := stream.read(_PIECE):
        yield Block(order, CUT_SHORT, got)


def _of_pcap(stream: Stream, header: bytes, order: str, frames: Container[int] | None) -> Iterator[memoryview | Block]:
    magic, _, _, _, _, longest, network = struct.unpack(f"{order}IHHiIII", header)
    nanoseconds = magic == PCAP_NANOSECONDS
    yield Block(order, SECTION, _section(order))
    yield Block(order, INTERFACE, _interface(order, network, longest, nanoseconds=nanoseconds))
    unit = 1_000_000_000 if nanoseconds else 1_000_000
    record, packed = struct.Struct(f"{order}IIII").unpack_from, struct.Struct(f"{order}IIIIIII").pack
    last_field, rest, frame = struct.Struct(f"{order}I").pack, b"", 0
    while got := stream.read(_PIECE):
        data = rest + got if rest else got
        parts: list[bytes] = []
        at, last = 0, len(data) - PCAP_RECORD
        while at <= last:  # runs once for every packet
            seconds, fraction, captured, on_wire = record(data, at)
            if captured > LONGEST_PACKET:
                if parts:
                    yield memoryview(b"".join(parts))
                yield Block(order, CUT_SHORT, b"")
                return
            begins = at + PCAP_RECORD
            after = begins + captured
            if after > len(data):
                break
            frame += 1
            time, length = seconds * unit + fraction, 32 + (captured + 3) // 4 * 4
            parts.append(packed(PACKET, length, 0, time >> 32, time & 0xFFFFFFFF, captured, on_wire))
            parts.append(data[begins:after])
            parts.append(bytes(-captured % 4) + last_field(length))
            at = after
            if frames is None or frame in frames:
                whole = b"".join(parts[-3:])
                del parts[-3:]
                if parts:
                    yield memoryview(b"".join(parts))
                    parts.clear()
                yield Block(order, PACKET, whole, frame)
        if parts:
            yield memoryview(b"".join(parts))
        rest = data[at:]
    if rest:
        yield Block(order, CUT_SHORT, b"")  # a part of a packet has no place in pcapng


def _section(order: str) -> bytes:
    return block(order, SECTION, struct.pack(f"{order}IHHq", BYTE_ORDER_MAGIC, 1, 0, -1))


def _interface(order: str, network: int, longest: int, *, nanoseconds: bool) -> bytes:
    """The interface of a pcap file. `network` has the link type, and above it the length of checksums in words."""
    options = option(order, RESOLUTION, b"\x09") if nanoseconds else b""
    if network & 0x04000000:
        options += option(order, 13, bytes([(network >> 28) * 16]))  # if_fcslen, in bits
    options += option(order, END_OF_OPTIONS, b"") if options else b""
    return block(order, INTERFACE, struct.pack(f"{order}HHI", network & 0xFFFF, 0, longest) + options)
