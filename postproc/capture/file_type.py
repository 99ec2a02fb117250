"""The type of an input file, from its content: a name proves nothing."""

from __future__ import annotations

import codecs
import os
import re
import zlib
from enum import Enum, auto
from pathlib import Path
from typing import IO

import lz4.frame
import zstandard

from postproc.capture.file_format import PCAP_MICROSECONDS, PCAP_MODIFIED, PCAP_NANOSECONDS, SECTION
from postproc.runtime.errors import CaptureError

# First bytes of capture files.
_CAPTURE_MAGICS = (
    *(
        magic
        for number in (PCAP_MICROSECONDS, PCAP_NANOSECONDS, PCAP_MODIFIED)
        for magic in (number.to_bytes(4), number.to_bytes(4, "little"))
    ),
    SECTION.to_bytes(4),  # pcapng
    b"snoop\0\0\0",  # RFC 1761
)
_NETSCALER = b"Performance Data"  # stands somewhere in the first record of an nstrace
# First bytes of compressed files.
GZIP, ZSTANDARD, LZ4 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
_COMPRESSED = (GZIP, ZSTANDARD, LZ4)
_PARQUET = b"PAR1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # of its first member, or of the end of an empty archive
# A line of a packet that one of the forms of capture/text/ prints.
_PACKET_LINE = re.compile(
    rb"|".join(
        (
            # tcpdump: the IP header (-v), or the addresses
            rb"\((?:tos 0x[0-9a-f]{1,2}\b|(?:class 0x\w+, |flowlabel 0x\w+, )*hlim \d+, next-header )",
            rb"^.{0,80}\bIP6? [\w.:%-]+ > [\w.:%-]+: ",
            rb"ethertype IPv[46] \(0x",
            # tshark: the packet list (also as CSV), -V
            rb'^[\s>|]*"?\d+"?,?\s*"?[\d:. -]+"?,?\s*"?[0-9a-fA-F:.]+"?(?:\s+(?:\xe2\x86\x92|->)\s+|"?,"?|\s+)'
            rb'[0-9a-fA-F:.]+"?,?\s*"?[A-Z]\S*?"?,?\s*"?\d{1,6}"?,?\s*"?\S',
            rb"\bFrame \d{1,10}: \d+ bytes on wire",
            # tshark -x
            rb"^[\s>|]*0000  (?:[0-9a-f]{2} ){15}",
            # nmap --packet-trace
            rb"\b(?:SENT|RCVD) \(\d+\.\d+s\) (?:TCP|UDP|ICMP|ICMPv6|IP|ARP)\b",
            # netfilter, filterlog
            rb"\bIN=\S* OUT=\S* .{0,200}\bSRC=\S+ DST=\S+ LEN=\d+ ",
            rb"\bfilterlog\b.{0,100}?\d*(?:,[^,\n]*){7},[46],",
        )
    ),
    re.MULTILINE,
)
# What tools print before the first packet.
_BEFORE_PACKETS = re.compile(
    rb"reading from file |tcpdump: |listening on |dropped privs to |Frame \d+: |No\. +Time |Starting Nmap "
)
# Packets as trees of named fields: JSON, one JSON object a line, XML.
_PACKET_TREE = re.compile(
    rb'\s*(?:\[\s*\{.{0,4096}"layers"\s*:|\{.{0,4096}"layers"\s*:|<.{0,4096}<(?:pdml|packet)\b)', re.DOTALL
)
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_LZ4_BLOCK = 4 << 20  # bytes of the largest block
HEAD = 8192  # bytes read to find the type; the header line of an export has 400

# tshark reads many more formats: it gets files of unknown type that are named like a capture.
_CAPTURE_SUFFIXES = frozenset(
    (
        ".pcap",
        ".pcapng",
        ".cap",
        ".ntar",
        ".dmp",
        ".dump",
        ".snoop",
        ".trc",
        ".trace",
        ".erf",
        ".enc",
        ".5vw",
        ".bfr",
        ".pkt",
        ".wcap",
        ".vwr",
        ".rf5",
    )
)
_OTHER_ARCHIVES = frozenset((".xz", ".bz2", ".zip", ".7z"))
_COMPRESSED_SUFFIXES = _OTHER_ARCHIVES | {".gz", ".zst", ".lz4"}


class FileType(Enum):
    """The type of a file. `UNKNOWN` is none that we know; `TEXT` is unknown, too, but readable text.

    `PACKET_TEXT` is text of packets, as tcpdump prints it. `ARCHIVE` is a zip archive, whose members are the inputs.
    """

    CAPTURE = auto()
    EXPORT = auto()
    PARQUET = auto()
    PACKET_TEXT = auto()
    ARCHIVE = auto()
    TEXT = auto()
    UNKNOWN = auto()
    EMPTY = auto()


EXPORT_TYPES = (FileType.EXPORT, FileType.PARQUET, FileType.PACKET_TEXT)  # read without tshark
TYPES_IN_FOLDERS = (FileType.CAPTURE, FileType.EXPORT, FileType.PARQUET)  # inputs, whatever they are called


def file_type_of(path: Path) -> FileType:
    """The type of the file at `path`. Raises CaptureError for what is no regular file or cannot be read."""
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise CaptureError(str(path), reason, "name a capture, a fields export, or a folder that holds some")
        if path.stat().st_size == 0:  # files of the kernel say so too, and reading some of them never ends
            return FileType.EMPTY
        with open(path, "rb", opener=_without_waiting) as file:
            head = _first_bytes(file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise CaptureError(str(path), f"cannot be read: {why}") from None
    return type_of_content(head)


def _first_bytes(file: IO[bytes]) -> bytes:
    """What shows the type of a file. Of LZ4, a whole block has to be there before anything can be read."""
    head = file.read(HEAD) or b""
    return head + (file.read(_LZ4_BLOCK) or b"") if head.startswith(LZ4) else head


def _without_waiting(path: str, flags: int) -> int:
    """Open a file so that reading it fails where it would wait, as for the kernel's next message."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def looks_like_capture(path: Path) -> bool:
    """Whether the file is named like a capture, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _CAPTURE_SUFFIXES


def named_like_input(path: Path) -> bool:
    """Whether the file is named like a capture, or like a zip archive, which may hold some."""
    return looks_like_capture(path) or path.suffix.lower() == ".zip"


def begins_with_packet(path: Path) -> bool:
    """Whether packet text has a packet, or what its tool prints before the first one, in its first line.

    Notes that quote packets, as a mail or a README, have not. Raises OSError.
    """
    with path.open("rb") as file:
        head = _first_bytes(file)
    head = _as_utf8(_inside(head) if head.startswith(_COMPRESSED) else head).lstrip()
    first_line = head.partition(b"\n")[0]
    return bool(_PACKET_TREE.match(head) or _PACKET_LINE.search(first_line) or _BEFORE_PACKETS.match(first_line))


def is_other_archive(path: Path) -> bool:
    """Whether the file is named like a compressed file or archive that tshark does not decompress."""
    return path.suffix.lower() in _OTHER_ARCHIVES


def type_of_content(head: bytes) -> FileType:
    """The type of a file with these first bytes (HEAD of them, or all)."""
    if not head:
        return FileType.EMPTY
    if head.startswith(_ZIP):
        return FileType.ARCHIVE
    if head.startswith(_COMPRESSED):  # decompressed once: gzip within gzip stays unknown
        head = _inside(head) or b"\0"  # damaged: tshark reports how
    if head.startswith(_CAPTURE_MAGICS) or _NETSCALER in head:
        return FileType.CAPTURE
    if head.startswith(_PARQUET):
        return FileType.PARQUET
    head = _as_utf8(head)
    if head.startswith(_COMPRESSED) or b"\0" in head:
        return FileType.UNKNOWN
    first_line = head.partition(b"\n")[0]
    if b"frame.number" in first_line:
        return FileType.EXPORT
    return FileType.PACKET_TEXT if _PACKET_LINE.search(head) or _PACKET_TREE.match(head) else FileType.TEXT


def _as_utf8(head: bytes) -> bytes:
    """The first bytes of a text without its BOM, in UTF-8."""
    if head.startswith(UTF16_MARKS):  # `>` in Windows PowerShell 5
        return head.decode("utf-16", "replace").encode("utf-8", "replace")
    return head.removeprefix(codecs.BOM_UTF8)


def _inside(head: bytes) -> bytes:
    """The first bytes of the decompressed content; fewer where the stream is cut short or damaged."""
    try:
        if head.startswith(GZIP):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD)
        if head.startswith(ZSTANDARD):
            return zstandard.ZstdDecompressor().stream_reader(head).read(HEAD)
        content: bytes = lz4.frame.LZ4FrameDecompressor().decompress(head, HEAD)
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError):
        return b""
    return content
