"""Internet checksums (RFC 1071) of changed packets: the right ones stay right, and the wrong ones wrong.

A sum of 16-bit words in ones' complement is the number that the bytes form, modulo 65,535.
"""

from __future__ import annotations

_ONES = 0xFFFF


def words(data: bytes | bytearray) -> int:
    """The sum of the 16-bit words of `data`; an odd last byte counts as the first of two."""
    return int.from_bytes(data if len(data) % 2 == 0 else bytes(data) + b"\0", "big") % _ONES


def mend(data: bytearray, at: int, end: int, before: int, after: int) -> None:
    """Change the checksum at `at` by what the words that it covers changed by: from sum `before` to sum `after`.

    Where the packet was captured only in part, what is missing counts as unchanged.
    """
    if at + 2 <= end:
        checksum = (int.from_bytes(data[at : at + 2], "big") - after + before) % _ONES
        data[at : at + 2] = checksum.to_bytes(2, "big")


def is_left_to_card(checksum: int, pseudo: int, protocol: int, length: int) -> bool:
    """Whether it is only the sum of the pseudo header, which a network card completes as it sends the packet."""
    return checksum % _ONES == (pseudo + protocol + length) % _ONES
