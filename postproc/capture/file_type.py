"""What an input file is, by what stands in it: a name may say anything."""

from __future__ import annotations

import zlib
from enum import Enum, auto
from pathlib import Path

from postproc.runtime.errors import CaptureError

# First bytes of capture files. pcap: microseconds, nanoseconds and Kuznetzov's "modified" format, in both byte orders.
_CAPTURE_MAGICS = (
    *(
        magic
        for number in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
        for magic in (number.to_bytes(4), number.to_bytes(4, "little"))
    ),
    b"\x0a\x0d\x0d\x0a",  # pcapng
    b"snoop\0\0\0",  # RFC 1761
)
_NETSCALER = b"Performance Data"  # somewhere in the first record of an nstrace
_GZIP = b"\x1f\x8b"
_COMPRESSED = (_GZIP, b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")  # gzip, Zstandard, LZ4
_PARQUET = b"PAR1"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_HEAD = 8192  # bytes looked at; the header line of an export has 400

# A file that we do not know, but whose name is a capture's, is left to tshark, which reads many more formats.
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
_PACKED_OTHERWISE = frozenset((".xz", ".bz2", ".zip", ".7z"))
_COMPRESSED_SUFFIXES = _PACKED_OTHERWISE | {".gz", ".zst", ".lz4"}


class Kind(Enum):
    """What a file is. `UNKNOWN`: none we can tell; `TEXT`: the same, and readable text."""

    CAPTURE = auto()
    EXPORT = auto()
    PARQUET = auto()
    UTF16 = auto()
    TEXT = auto()
    UNKNOWN = auto()
    EMPTY = auto()


EXPORTS = (Kind.EXPORT, Kind.PARQUET, Kind.UTF16)


def kind_of(path: Path) -> Kind:
    """What the file at `path` is. Raises CaptureError when it is no regular file or cannot be read."""
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise CaptureError(str(path), reason, "name a capture, a fields export, or a folder that holds some")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else error
        raise CaptureError(str(path), f"cannot be read: {why}") from None
    if head.startswith(_GZIP):  # unpacked once: gzip within gzip stays unknown
        head = _inside_gzip(head) or b"\0"  # damaged: tshark will say how
    return _kind(head)


def looks_like_capture(path: Path) -> bool:
    """Whether the name is a capture's, compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED_SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in _CAPTURE_SUFFIXES


def is_packed_otherwise(path: Path) -> bool:
    """Whether the name is that of a packed file that tshark does not unpack."""
    return path.suffix.lower() in _PACKED_OTHERWISE


def _kind(head: bytes) -> Kind:
    if not head:
        return Kind.EMPTY
    if head.startswith(_CAPTURE_MAGICS) or _NETSCALER in head:
        return Kind.CAPTURE
    if head.startswith(_PARQUET):
        return Kind.PARQUET
    if head.startswith(_UTF16):
        return Kind.UTF16
    if head.startswith(_COMPRESSED) or b"\0" in head:
        return Kind.UNKNOWN
    first_line = head.partition(b"\n")[0]
    return Kind.EXPORT if b"frame.number" in first_line else Kind.TEXT


def _inside_gzip(head: bytes) -> bytes:
    """The first bytes of what is compressed; fewer where the stream is cut or damaged."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _HEAD)
    except zlib.error:
        return b""
