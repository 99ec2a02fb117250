"""Bytes of packets, as they are printed -> a capture, which tshark decodes.

`tcpdump -x` and `-X` print packets from the IP header on, `-xx`, `-XX` and `tshark -x` from the link layer on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import polars as pl

from heuristics.errors import Problem
from postproc.capture.file_format import pcap_header
from postproc.capture.text.cleaning import cleaned
from postproc.capture.text.reading import Reading
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.program import Tshark
from postproc.runtime.temp_files import temporary_folder, writing_temporary

Dump = tuple[int, int | None, bytes]  # frame number, time (us), bytes of the packet

# An offset, then up to 16 bytes: in pairs (tcpdump) or one by one (tshark); what follows is the same as text.
_PAIRS = r"(?:[0-9a-f]{4} ){0,7}[0-9a-f]{2}(?:[0-9a-f]{2})?(?![0-9a-f])"
_SINGLE = r"(?:[0-9a-f]{2} {1,2}){0,15}[0-9a-f]{2}(?![0-9a-f])"
_LINE = re.compile(
    rf"(?:0x(?P<offset>[0-9a-f]{{4,8}}):|(?P<plain>[0-9a-f]{{4,8}}) ) {{0,3}}(?P<bytes>{_SINGLE}|{_PAIRS})"
)
# Before each dump of a packet that has several: its frame, what was reassembled or decrypted.
HEADING = re.compile(r"[\w /.-]{1,40} \(\d+ bytes?\):")
_MOST_BYTES = 262_144  # of one packet: the largest snapshot length of tcpdump

# Link layers (tcpdump.org/linktypes.html), each with how many bytes stand before the IP header, and where among them
# the type of the payload stands (None: there is none).
_ETHERNET, _VLAN, _RAW, _COOKED, _COOKED_2 = 1, 1, 101, 113, 276
_LAYOUTS = ((_ETHERNET, 14, 12), (_VLAN, 18, 16), (_COOKED, 16, 14), (_COOKED_2, 20, 0), (_RAW, 0, None))
_IP_TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_MOST_PADDING = 46  # bytes: of an Ethernet frame, whose payload has no fewer
_SAMPLE = 200  # packets that show the link layer


def line_of_dump(text: str) -> tuple[int, bytes] | None:
    """Offset and bytes of one line of a dump, None for any other line. `text` has no indentation."""
    found = _LINE.match(text)
    if found is None:
        return None
    return int(found["offset"] or found["plain"], 16), bytes.fromhex(found["bytes"])


def continued(dump: bytes, line: tuple[int, bytes]) -> bytes:
    """A dump with its next line, as it was if the line does not continue it."""
    offset, more = line
    return dump + more if offset == len(dump) < _MOST_BYTES else dump


def packets_in(sample: Sequence[str]) -> int:
    """How many packets begin in these lines, where they are bytes and nothing else (tshark -x)."""
    return sum((line := line_of_dump(cleaned(each)[0])) is not None and line[0] == 0 for each in sample)


def dumps_alone(lines: Iterable[str], reading: Reading) -> Iterator[Dump]:
    """The packets of such a text. They have no times. Other lines are counted in `reading`."""
    dump, other, in_other = b"", False, False
    for each in lines:
        text, _ = cleaned(each)
        line = line_of_dump(text)
        if line is None:
            if HEADING.fullmatch(text):
                other = not text.startswith("Frame ")
            elif text:
                reading.unread.add(each)
            continue
        if line[0] == 0:
            other, in_other = False, other
            if dump and not in_other:
                yield reading.frame(None), None, dump
                dump = b""
        if not in_other:
            dump = continued(dump, line)
    if dump:
        yield reading.frame(None), None, dump


def link_type_of(packets: Iterable[bytes]) -> int:
    """The link layer that these packets begin with, as most of them show it."""
    votes: dict[int, int] = {}
    for packet in packets:
        for link_type, start, type_at in _LAYOUTS:
            version = packet[start] >> 4 if len(packet) > start else 0
            named = type_at is None or packet[type_at : type_at + 2] == _IP_TYPES.get(version)
            if version in _IP_TYPES and named and _length_fits(packet, start):
                votes[link_type] = votes.get(link_type, 0) + 1
                break
    return max(votes, key=votes.__getitem__, default=_ETHERNET)


def _length_fits(packet: bytes, start: int) -> bool:
    """Whether the IP header at `start` has a length that goes with the bytes: some may be cut off, padding follow."""
    length = _ip_length(packet, start)
    return length >= 20 and len(packet) - start <= length + _MOST_PADDING


@dataclass(slots=True)
class _Written:
    """The packets of a capture that was written: their frame numbers in the text, and whether one has a time."""

    numbers: list[int] = field(default_factory=list)
    timed: bool = False


def frames(dumps: Iterator[Dump], tshark: Tshark, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    """The raw columns of the packets with these bytes, as tshark decodes them. Raises CaptureError."""
    with temporary_folder() as folder:
        capture = Path(folder) / "bytes.pcap"
        with writing_temporary(), capture.open("wb") as file:
            written = _write(file, dumps)
        for frame in read_capture(capture, tshark, problems) if written.numbers else ():
            places = frame["frame.number"].cast(pl.Int64).to_list()
            numbers = pl.Series("frame.number", [str(written.numbers[place - 1]) for place in places], pl.String())
            time = pl.col("frame.time_epoch") if written.timed else pl.lit(None, pl.String())
            yield frame.with_columns(numbers, time.alias("frame.time_epoch"))


def _write(file: BinaryIO, dumps: Iterator[Dump]) -> _Written:
    """Write a capture."""
    first = list(islice(dumps, _SAMPLE))
    link_type = link_type_of(packet for _, _, packet in first)
    start = next(start for each, start, _ in _LAYOUTS if each == link_type)
    file.write(pcap_header(link_type, _MOST_BYTES))
    written = _Written()
    for number, time_us, packet in chain(first, dumps):
        seconds, microseconds = divmod(time_us or 0, 1_000_000)
        whole = max(len(packet), start + _ip_length(packet, start))  # a text may lack the last bytes
        file.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, microseconds, len(packet), whole) + packet)
        written.numbers.append(number)
        written.timed = written.timed or time_us is not None
    return written


def _ip_length(packet: bytes, start: int) -> int:
    """The length of an IP packet by its header, 0 where there is none."""
    version = packet[start] >> 4 if len(packet) > start else 0
    if version == 4:
        return int.from_bytes(packet[start + 2 : start + 4])
    return int.from_bytes(packet[start + 4 : start + 6]) + 40 if version == 6 else 0
