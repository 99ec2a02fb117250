"""pcapng without tshark: the usual blocks are read, and the result is that of tshark whatever the blocks are."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.command_line import GENUINE
from support.flows_by_hand import OPEN, Talk
from support.frames import pcapng_block

from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture.discovery import Source
from postproc.capture.file_type import file_type_of
from postproc.capture.prefilter.pcap_reader import DeferredError, open_capture
from postproc.capture.tshark.program import find_tshark

SECTION, INTERFACE, NAMES, STATISTICS, PACKET, SECRETS = 0x0A0D0D0A, 1, 4, 5, 6, 10
MAGIC = 0x1A2B3C4D
END = bytes(4)  # the option that ends options


def option(code: int, value: bytes, length: int | None = None) -> bytes:
    """An option, or a name record; `length` may be a wrong one."""
    return struct.pack("<HH", code, len(value) if length is None else length) + value + bytes(-len(value) % 4)


def section(options: bytes = b"", minor: int = 0, length: int = -1) -> bytes:
    return pcapng_block(SECTION, struct.pack("<IHHq", MAGIC, 1, minor, length) + options)


def interface(options: bytes = b"") -> bytes:
    return pcapng_block(INTERFACE, struct.pack("<HHI", 1, 0, 0) + options)


def packet(number: int, data: bytes, options: bytes = b"") -> bytes:
    high, low = divmod(1_700_000_000_000_000 + number * 10_000, 2**32)
    body = struct.pack("<IIIII", 0, high, low, len(data), len(data)) + data + bytes(-len(data) % 4)
    return pcapng_block(PACKET, body + options)


def with_trailer(block: bytes, length: int) -> bytes:
    """The block with another length at its end."""
    return block[:-4] + struct.pack("<I", length)


DATA = [bytes(each) for each in Talk().packets((*OPEN, "> PA 100", "< PA 100", "< R"))]
NAME = option(1, bytes((192, 0, 2, 1)) + b"host\0")
NAME6 = option(2, bytes(16) + b"host\0")
STARTED = option(2, bytes(8))


def whole(
    *before: bytes, options: bytes = b"", first: bytes | None = None, link: bytes | None = None, last: bytes = b""
) -> bytes:
    """A file: section, interface, blocks `before` the packets, packets with `options` in the third, and `last`."""
    packets = [packet(number, data, options if number == 2 else b"") for number, data in enumerate(DATA)]
    return b"".join((first or section(), link or interface(), *before, *packets, last))


USUAL = {
    "plain": whole(),
    "section options": whole(first=section(option(3, b"Linux") + option(4, b"dumpcap") + END)),
    "interface options": whole(
        link=interface(option(2, b"eth0") + option(9, b"\6") + option(11, b"\0tcp") + option(12, b"Linux") + END)
    ),
    "comment": whole(options=option(1, b"look here") + END),
    "flags": whole(options=option(2, struct.pack("<I", 1)) + END),
    "no end of options": whole(options=option(2, struct.pack("<I", 1))),
    "drop count, packet id and queue": whole(options=option(4, bytes(8)) + option(5, bytes(8)) + option(6, bytes(4))),
    "statistics": whole(last=pcapng_block(STATISTICS, bytes(12) + STARTED + option(4, bytes(8)) + END)),
    "names": whole(pcapng_block(NAMES, NAME + NAME6 + END)),
    "names and options": whole(pcapng_block(NAMES, NAME + END + option(2, b"server") + END)),
    "secrets": whole(pcapng_block(SECRETS, struct.pack("<II", 0x544C534B, 5) + b"# key" + bytes(3))),
}
UNUSUAL = {
    "version": whole(first=section(minor=9)),
    "section length": whole(first=section(length=0)),
    "section trailer": whole(first=with_trailer(section(), 8)),
    "section option": whole(first=section(option(3, b"Linux", length=900))),
    "two sections": whole(section()),
    "no section": whole(first=interface()),
    "interface trailer": whole(link=with_trailer(interface(), 8)),
    "speed": whole(link=interface(option(8, bytes(4)) + END)),
    "resolution": whole(link=interface(option(9, b"\6\0") + END)),
    "binary resolution": whole(link=interface(option(9, b"\x94") + END)),
    "time offset": whole(link=interface(option(14, bytes(8)) + END)),
    "checksums": whole(link=interface(option(13, b"\4") + END)),
    "binary filter": whole(link=interface(option(11, b"\1" + bytes(8)) + END)),
    "interface option beyond the block": whole(link=interface(option(2, b"eth0", length=40))),
    "packet trailer": whole(with_trailer(packet(0, DATA[0]), 8)),
    "flags too long": whole(options=option(2, bytes(8)) + END),
    "drop count too short": whole(options=option(4, bytes(4)) + END),
    "packet option beyond the block": whole(options=option(1, b"look", length=80) + END),
    "end with a length": whole(options=option(0, bytes(4))),
    "bytes after the end": whole(options=END + option(1, b"look")),
    "unknown option": whole(options=option(99, b"odd") + END),
    "packet with a checksum": whole(options=option(2, struct.pack("<I", 4 << 5)) + END),
    "statistics trailer": whole(last=with_trailer(pcapng_block(STATISTICS, bytes(12)), 8)),
    "statistics of no interface": whole(last=pcapng_block(STATISTICS, struct.pack("<III", 7, 0, 0))),
    "statistics too short": whole(last=pcapng_block(STATISTICS, bytes(8))),
    "start time too short": whole(last=pcapng_block(STATISTICS, bytes(12) + option(2, bytes(4)))),
    "name too short": whole(pcapng_block(NAMES, option(1, bytes((192, 0))) + END)),
    "name without an end": whole(pcapng_block(NAMES, option(1, bytes((192, 0, 2, 1)) + b"host") + END)),
    "name beyond the block": whole(pcapng_block(NAMES, option(1, bytes(8), length=90) + END)),
    "names without an end": whole(pcapng_block(NAMES, NAME)),
    "secrets beyond the block": whole(pcapng_block(SECRETS, struct.pack("<II", 0x544C534B, 500) + b"# key")),
    "secrets too short": whole(pcapng_block(SECRETS, bytes(4))),
}


def is_read(path: Path) -> bool:
    """Whether every packet of the capture is read without tshark."""
    capture = open_capture(path)
    try:
        return capture is not None and sum(len(piece.start) for piece in capture.pieces()) == len(DATA)
    except DeferredError:
        return False


def judged(path: Path, *, prefilter: bool) -> CaptureResult:
    return judge_source(Source(path, path.name, file_type_of(path)), load(), find_tshark(), prefilter=prefilter)


@pytest.mark.parametrize("name", USUAL)
def test_usual_blocks_are_read_without_tshark(name: str, tmp_path: Path) -> None:
    path = tmp_path / "usual.pcapng"
    path.write_bytes(USUAL[name])
    assert is_read(path)
    found = judged(path, prefilter=True)
    assert found == judged(path, prefilter=False)
    assert (found.packets, len(found.resets), found.problems) == (len(DATA), 1, ())


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_blocks_are_for_tshark(name: str, tmp_path: Path) -> None:
    path = tmp_path / "unusual.pcapng"
    path.write_bytes(UNUSUAL[name])
    assert not is_read(path)
    assert judged(path, prefilter=True) == judged(path, prefilter=False)


@pytest.mark.parametrize("at", range(0, len(section()) + len(interface()) + len(packet(0, DATA[0])), 4))
def test_any_other_word_at_the_beginning_changes_nothing(at: int, tmp_path: Path) -> None:
    """Or tshark says what is wrong: the result is the same with and without the prefilter."""
    path = tmp_path / "changed.pcapng"
    content = bytearray(USUAL["flags"])
    content[at] ^= 8
    path.write_bytes(content)
    assert judged(path, prefilter=True) == judged(path, prefilter=False)


@pytest.mark.parametrize("options", [(), ("-a", "2:a comment"), ("--capture-comment", "a comment")], ids=str)
def test_files_of_wireshark_are_read_without_tshark(options: Sequence[str], tmp_path: Path) -> None:
    path = tmp_path / "edited.pcapng"
    subprocess.run(["editcap", "-F", "pcapng", *options, str(GENUINE), str(path)], check=True, capture_output=True)
    capture = open_capture(path)
    assert capture is not None
    assert sum(len(piece.start) for piece in capture.pieces()) > 0
