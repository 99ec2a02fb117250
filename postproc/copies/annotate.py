"""A copy of a capture whose packets carry comments, and which is otherwise the same, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from postproc.capture.file_format import (
    COMMENT,
    END_OF_OPTIONS,
    INTERFACE,
    OFFSET,
    PACKET,
    PACKET_DATA,
    RESOLUTION,
    SECTION,
    SIMPLE_PACKET,
    padded,
)
from postproc.copies.blocks import Block, block, copy_parts, option, read_options
from postproc.runtime.errors import CaptureError

MARK = "rstorigin: "  # how our comments begin: by it we find and replace those of an earlier run
_MARK = MARK.encode()
_LONGEST = 60_000  # bytes of a comment; an option has room for 65,535


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment for one packet. `time_us` is the time of the packet, in microseconds since 1970."""

    text: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """How many packets got a comment, and the frames of those that cannot have one."""

    commented: int
    impossible: tuple[int, ...]


def annotate(capture: Path, comments: Mapping[int, Comment], target: IO[bytes]) -> Annotated:
    """Write a pcapng copy of `capture` to `target`, with `comments` by frame number.

    Comments of an earlier run are removed, all others stay. A packet in a simple packet block, or one with damaged
    options, can have none.

    Raises CaptureError where the capture is no pcap or pcapng, or has other packets than those that were judged.
    """
    interfaces = _Interfaces()
    commented, impossible = 0, []
    for part in copy_parts(capture, comments, _MARK):
        if not isinstance(part, Block):
            target.write(part)
            continue
        interfaces.note(part)
        comment = comments.get(part.frame) if part.is_packet else None
        if comment is not None and not interfaces.agrees(part, comment.time_us):
            raise CaptureError(
                str(capture), f"frame {part.frame} is another packet than the one that was judged", "try again"
            )
        replaced = _with_comment(part, comment) if part.is_packet else None
        if comment is not None:
            if replaced is None:
                impossible.append(part.frame)
            else:
                commented += 1
        target.write(part.data if replaced is None else replaced)
    return Annotated(commented, tuple(impossible))


def _with_comment(part: Block, comment: Comment | None) -> bytes | None:
    """The packet block with `comment` as the only comment of ours; None where it can hold none."""
    if part.kind == SIMPLE_PACKET:
        return None
    data = bytes(part.data)
    begins = PACKET_DATA + padded(part.number(20))
    options = read_options(part.order, data[begins:-4]) if begins <= len(data) - 4 else None
    if options is None:
        return None
    kept = [each for each in options if not (each[0] == COMMENT and each[1].startswith(_MARK))]
    if comment is not None:
        text = f"{MARK}{comment.text}".encode("utf-8", "replace")
        if len(text) > _LONGEST:
            text = text[:_LONGEST].decode("utf-8", "ignore").encode() + b" ..."
        kept.append((COMMENT, text))
    written = b"".join(option(part.order, code, value) for code, value in kept)
    if kept:
        written += option(part.order, END_OF_OPTIONS, b"")
    return block(part.order, part.kind, data[8:begins] + written)


@dataclass(slots=True)
class _Interfaces:
    """The clocks of the interfaces of the current section: units per second, and seconds to be added."""

    clocks: list[tuple[int, int]] = field(default_factory=list)

    def note(self, part: Block) -> None:
        """Take note of a block that begins a section or describes an interface."""
        if part.kind == SECTION:
            self.clocks.clear()
        elif part.kind == INTERFACE:
            options = dict(read_options(part.order, bytes(part.data[16:-4])) or [])
            resolution = options.get(RESOLUTION, b"\6")[0]
            unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
            offset = options.get(OFFSET, bytes(8))
            seconds = int(struct.unpack(f"{part.order}q", offset)[0]) if len(offset) == 8 else 0
            self.clocks.append((unit, seconds))

    def agrees(self, part: Block, time_us: int) -> bool:
        """Whether the packet has this time. A packet without a time of its own agrees with any."""
        if part.kind == SIMPLE_PACKET:
            return True
        interface = part.number(8) if part.kind == PACKET else part.number(8, "H")
        if interface >= len(self.clocks):
            return False
        unit, seconds = self.clocks[interface]
        time = (part.number(12) << 32) + part.number(16)
        return abs(time * 1_000_000 // unit + seconds * 1_000_000 - time_us) <= 1  # the judged one was a rounded float
