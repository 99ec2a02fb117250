"""A copy of a capture without what identifies somebody: packets are rewritten, and of all else the needed part stays.

Names of hosts, TLS secrets, comments, names of interfaces and of machines are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from postproc.capture.file_format import (
    END_OF_OPTIONS,
    INTERFACE,
    PACKET_DATA,
    SECTION,
    SIMPLE_PACKET,
    STATISTICS,
    padded,
)
from postproc.copies.blocks import Block, block, copy_parts, option, read_options
from postproc.copies.headers import LINK_TYPES, HeaderRewriter
from postproc.copies.pseudonyms import Pseudonyms
from postproc.runtime.errors import CaptureError

# The options that stay, by code. Interfaces: speed, resolution, length of checksums, offset of times, speeds. Packets:
# flags, drop count, packet ID, queue. Statistics: times and counts.
_INTERFACE_OPTIONS = frozenset((8, 9, 13, 14, 16, 17))
_PACKET_OPTIONS = frozenset((2, 4, 5, 6))
_STATISTICS_OPTIONS = frozenset(range(2, 9))
_SIMPLE_PACKET_DATA = 12


def anonymize_capture(capture: Path, key: bytes, target: IO[bytes]) -> None:
    """Write a pcapng copy of `capture` to `target`, with the pseudonyms of the secret `key`.

    Raises CaptureError where the capture is no pcap or pcapng, or holds what we cannot read, so cannot anonymize.
    """
    rewriter, links = HeaderRewriter(Pseudonyms(key)), list[int]()
    for part in copy_parts(capture, None):
        assert isinstance(part, Block)  # all packets come one by one
        if part.kind == SECTION:
            links.clear()
            target.write(block(part.order, SECTION, bytes(part.data[8:24])))
        elif part.kind == INTERFACE:
            links.append(_link_type(capture, part))
            target.write(_with_options(part, 16, _INTERFACE_OPTIONS))
        elif part.kind == STATISTICS:
            target.write(_with_options(part, 20, _STATISTICS_OPTIONS))
        elif part.is_packet:
            target.write(_packet(capture, part, links, rewriter))
        elif part.frame:
            reason = f"frame {part.frame} is no packet but a record of type {part.kind:#x}, which may hold anything"
            raise CaptureError(str(capture), reason, "leave it out: editcap CAPTURE COPY FRAME")


def _link_type(capture: Path, part: Block) -> int:
    link_type = part.number(8, "H")
    if link_type not in LINK_TYPES:
        reason = f"link type {link_type} is not one whose addresses we can find"
        raise CaptureError(str(capture), reason, "known are Ethernet, IP, Linux cooked, loopback and PPP")
    return link_type


def _packet(capture: Path, part: Block, links: list[int], rewriter: HeaderRewriter) -> bytes:
    simple = part.kind == SIMPLE_PACKET
    begins = _SIMPLE_PACKET_DATA if simple else PACKET_DATA
    interface = 0 if simple else part.number(8, "H" if part.kind == 2 else "I")
    captured = min(part.number(8), len(part.data) - 16) if simple else part.number(20)
    if interface >= len(links) or begins + captured > len(part.data) - 4:
        raise CaptureError(str(capture), f"the block of frame {part.frame} is damaged", "repair it with editcap")
    data = bytearray(part.data[begins : begins + captured])
    rewriter.rewrite(data, links[interface])
    body = bytes(part.data[8:begins]) + data.ljust(padded(captured), b"\0")
    options = b"" if simple else _options(part, begins + padded(captured), _PACKET_OPTIONS)
    return block(part.order, part.kind, body + options)


def _with_options(part: Block, begins: int, kept: frozenset[int]) -> bytes:
    return block(part.order, part.kind, bytes(part.data[8:begins]) + _options(part, begins, kept))


def _options(part: Block, begins: int, kept: frozenset[int]) -> bytes:
    options = [each for each in read_options(part.order, bytes(part.data[begins:-4])) or [] if each[0] in kept]
    ended = [*options, (END_OF_OPTIONS, b"")] if options else []
    return b"".join(option(part.order, code, value) for code, value in ended)
