"""Arithmetic on TCP sequence numbers and on capture times."""

from __future__ import annotations

from heuristics.language.expressions import MAX_OBSERVABLE

# `a` is not before `b` if (a - b) & SEQ_MASK < SEQ_HALF. Code that runs for every packet uses this instead of a call.
SEQ_MASK, SEQ_HALF = 0xFFFFFFFF, 0x80000000


def seq_diff(a: int, b: int) -> int:
    """How far sequence number `a` lies beyond `b`, signed, across the wrap (RFC 9293 section 3.4)."""
    return ((a - b + SEQ_HALF) & SEQ_MASK) - SEQ_HALF


def elapsed_us(later_us: int, earlier_us: int) -> int:
    """Time from one packet to another in microseconds, negative if the clock ran backwards.

    Limited to the numbers that rules may compute with (12 days): a packet without a time stamp lies decades from the
    others.
    """
    elapsed = later_us - earlier_us
    if -MAX_OBSERVABLE <= elapsed <= MAX_OBSERVABLE:  # nearly always, and faster than max and min
        return elapsed
    return MAX_OBSERVABLE if elapsed > 0 else -MAX_OBSERVABLE
