"""Which pcapng blocks Wireshark reads in exactly one way. It refuses some others, or reads them otherwise.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html; the checks of Wireshark are those of
wiretap/pcapng.c. Each function gets blocks in the byte order `order`, with the fields around the body.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import numpy as np

from postproc.capture.file_format import (
    BLOCK_FRAME,
    COMMENT,
    END_OF_OPTIONS,
    FILTER,
    NAMES,
    PACKET_DATA,
    RESOLUTION,
    SECRETS,
    SECTION,
    STATISTICS,
    padded,
)
from postproc.capture.prefilter.arrays import Bytes, Integers, read_at

_BODY = 8  # where the body begins
_VERSION = (1, 0)
_TO_THE_END = -1  # as the length of a section

_FLAGS, _FCS_LENGTH = 2, 0x1E0  # an option of packets, and its bits that say how many bytes of checksum follow
_FILTER_TEXT = 0  # a filter that is a text
_ANY = -1  # the length of an option that is a text or bytes
# The lengths of options, by code. Options that are not here, such as an offset to all times, are unusual.
_COMMENTS = {COMMENT: _ANY}
_SECTION_OPTIONS = _COMMENTS | {2: _ANY, 3: _ANY, 4: _ANY}
_INTERFACE_OPTIONS = _COMMENTS | {
    **dict.fromkeys((2, 3, 12, 15), _ANY),  # name, description, operating system, hardware
    **{4: 8, 5: 17, 6: 6, 7: 8, 8: 8, 16: 8, 17: 8},  # addresses, speeds
    **{RESOLUTION: 1, FILTER: _ANY},
}
_PACKET_OPTIONS = _COMMENTS | {_FLAGS: 4, 4: 8, 5: 8, 6: 4}
_STATISTICS_OPTIONS = _COMMENTS | dict.fromkeys(range(2, 9), 8)
_NAMES_OPTIONS = _COMMENTS | {2: _ANY, 3: 4, 4: 16}
_ADDRESS_LENGTHS = {1: 4, 2: 16}  # of name records, by their type


def options(data: bytes, order: str, lengths: Mapping[int, int]) -> dict[int, bytes] | None:
    """The options in `data`; None where one has another length than in `lengths`, or is none of these."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        code, length = struct.unpack_from(f"{order}HH", data, at)
        value = data[at + 4 : at + 4 + length]
        at += 4 + padded(length)
        if code == END_OF_OPTIONS:
            return found if length == 0 and at == len(data) else None
        if at > len(data) or lengths.get(code) not in (length, _ANY):
            return None
        found[code] = value
    return found


def interface_options(block: bytes, order: str) -> dict[int, bytes] | None:
    """The options of an interface; None where they are unusual."""
    found = options(block[16:-4], order, _INTERFACE_OPTIONS) if len(block) >= BLOCK_FRAME + 8 else None
    if found is None or found.get(FILTER, b"\0")[:1] != bytes([_FILTER_TEXT]):
        return None
    return found


def is_usual(kind: int, block: bytes, order: str, interfaces: int) -> bool:
    """Whether a block without a packet, which is no interface, is usual. `interfaces` is how many came before it."""
    check = _CHECKS.get(kind)
    return check is not None and check(block, order, interfaces)


def _is_usual_section(block: bytes, order: str, _: int) -> bool:
    if len(block) < BLOCK_FRAME + 16:
        return False
    major, minor, length = struct.unpack_from(f"{order}HHq", block, 12)
    return (
        (major, minor) == _VERSION
        and length == _TO_THE_END
        and options(block[24:-4], order, _SECTION_OPTIONS) is not None
    )


def _are_usual_statistics(block: bytes, order: str, interfaces: int) -> bool:
    if len(block) < BLOCK_FRAME + 12:
        return False
    (interface,) = struct.unpack_from(f"{order}I", block, _BODY)
    return interface < interfaces and options(block[20:-4], order, _STATISTICS_OPTIONS) is not None


def _are_usual_names(block: bytes, order: str, _: int) -> bool:
    body, at = block[_BODY:-4], 0
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        record = body[at + 4 : at + 4 + length]
        at += 4 + padded(length)
        if code == END_OF_OPTIONS:
            return length == 0 and options(body[at:], order, _NAMES_OPTIONS) is not None
        if at > len(body) or length <= _ADDRESS_LENGTHS.get(code, length) or not record.endswith(b"\0"):
            return False
    return False


def _are_usual_secrets(block: bytes, order: str, _: int) -> bool:
    if len(block) < BLOCK_FRAME + 8:
        return False
    (length,) = struct.unpack_from(f"{order}I", block, _BODY + 4)
    after = _BODY + 8 + padded(length)
    return after <= len(block) - 4 and options(block[after:-4], order, _COMMENTS) is not None


_CHECKS: Mapping[int, Callable[[bytes, str, int], bool]] = {
    SECTION: _is_usual_section,
    STATISTICS: _are_usual_statistics,
    NAMES: _are_usual_names,
    SECRETS: _are_usual_secrets,
}


def are_usual_packets(data: Bytes, starts: Integers, length: Integers, captured: Integers, order: str) -> bool:
    """Whether these enhanced packet blocks repeat their length at the end, and their options are usual."""
    ends = starts + length - 4
    if (read_at(data, ends, f"{order}u4") != length).any():
        return False
    at = starts + PACKET_DATA + (captured + 3) // 4 * 4
    left = at < ends
    while left.any():  # runs once for the first option of all packets, once for the second of all ...
        at, ends = at[left], ends[left]
        code, size = (read_at(data, at + offset, f"{order}u2").astype(np.int64) for offset in (0, 2))
        after = at + 4 + (size + 3) // 4 * 4
        is_end = code == END_OF_OPTIONS
        sound = np.where(is_end, (size == 0) & (after == ends), after <= ends)
        fits = np.isin(code, [name for name, expected in _PACKET_OPTIONS.items() if expected == _ANY])
        for name, expected in _PACKET_OPTIONS.items():
            fits |= (code == name) & (size == expected)
        flags = read_at(data, at + 4, f"{order}u4").astype(np.int64)
        with_checksum = (code == _FLAGS) & (flags & _FCS_LENGTH != 0)
        if not (sound & (is_end | fits) & ~with_checksum).all():
            return False
        at = after
        left = ~is_end & (at < ends)
    return True
