"""Numbers in texts of packets."""

from __future__ import annotations


def number_up_to(text: str, most: int) -> int:
    """A number from 0 to `most`. Raises ValueError for any other."""
    if not text.isdecimal() or int(text) > most:
        raise ValueError(text)
    return int(text)
