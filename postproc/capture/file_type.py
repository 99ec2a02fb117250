"""The type of an input file, from its content: a name proves nothing."""

from __future__ import annotations

import re
import zlib
from enum import Enum, auto
from pathlib import Path

from postproc.runtime.errors import CaptureError

# The magic numbers of pcap, with which a file begins in either byte order; the last is Kuznetzov's "modified" format.
PCAP_MICROSECONDS, PCAP_NANOSECONDS, _PCAP_MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
# First bytes of capture files.
_CAPTURE_MAGICS = (
    *(
        magic
        for number in (PCAP_MICROSECONDS, PCAP_NANOSECONDS, _PCAP_MODIFIED)
        for magic in (number.to_bytes(4), number.to_bytes(4, "little"))
    ),
    b"\x0a\x0d\x0d\x0a",  # pcapng
    b"snoop\0\0\0",  # RFC 1761
)
_NETSCALER = b"Performance Data"  # stands somewhere in the first record of an nstrace
# First bytes of compressed files.
GZIP, ZSTANDARD, LZ4 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
_COMPRESSED = (GZIP, ZSTANDARD, LZ4)
_PARQUET = b"PAR1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # of its first member, or of the end of an empty archive
# A packet as tcpdump prints it: its IP header (-v), or its addresses.
_PACKET_LINE = re.compile(
    rb"\((?:tos 0x[0-9a-f]{1,2}\b|(?:class 0x\w+, |flowlabel 0x\w+, )*hlim \d+, next-header )|"
    rb"^.{0,80}\bIP6? [\w.:%-]+ > [\w.:%-]+: |ethertype IPv[46] \(0x",
    re.MULTILINE,
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

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
    UTF16 = auto()
    PACKET_TEXT = auto()
    ARCHIVE = auto()
    TEXT = auto()
    UNKNOWN = auto()
    EMPTY = auto()


EXPORT_TYPES = (FileType.EXPORT, FileType.PARQUET, FileType.UTF16, FileType.PACKET_TEXT)  # read without tshark
TYPES_IN_FOLDERS = (FileType.CAPTURE, FileType.EXPORT, FileType.PARQUET)  # inputs, whatever they are called


def file_type_of(path: Path) -> FileType:
    """The type of the file at `path`. Raises CaptureError for what is no regular file or cannot be read."""
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise CaptureError(str(path), reason, "name a capture, a fields export, or a folder that holds some")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise CaptureError(str(path), f"cannot be read: {why}") from None
    return type_of_content(head)


def looks_like_capture(path: Path) -> bool:
    """Whether the file is named like a capture, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _CAPTURE_SUFFIXES


def named_like_input(path: Path) -> bool:
    """Whether the file is named like a capture, or like a zip archive, which may hold some."""
    return looks_like_capture(path) or path.suffix.lower() == ".zip"


def is_other_archive(path: Path) -> bool:
    """Whether the file is named like a compressed file or archive that tshark does not decompress."""
    return path.suffix.lower() in _OTHER_ARCHIVES


def type_of_content(head: bytes) -> FileType:
    """The type of a file with these first bytes (HEAD of them, or all)."""
    if not head:
        return FileType.EMPTY
    if head.startswith(_ZIP):
        return FileType.ARCHIVE
    if head.startswith(GZIP):  # decompressed once: gzip within gzip stays unknown
        head = _inside_gzip(head) or b"\0"  # damaged: tshark reports how
    if head.startswith(_CAPTURE_MAGICS) or _NETSCALER in head:
        return FileType.CAPTURE
    if head.startswith(_PARQUET):
        return FileType.PARQUET
    if head.startswith(_UTF16):
        return FileType.UTF16
    if head.startswith(_COMPRESSED) or b"\0" in head:
        return FileType.UNKNOWN
    first_line = head.partition(b"\n")[0]
    if b"frame.number" in first_line:
        return FileType.EXPORT
    return FileType.PACKET_TEXT if _PACKET_LINE.search(head) else FileType.TEXT


def _inside_gzip(head: bytes) -> bytes:
    """The first bytes of the decompressed content; fewer where the stream is cut short or damaged."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD)
    except zlib.error:
        return b""
