"""The TCP options of many packets at once: timestamps, whether the options are usual, and whether Linux wrote them."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from heuristics.protocol.tshark_fields import LINUX_OPTIONS
from postproc.capture.prefilter.arrays import Bytes, Flags, Integers, read_at

_END, _NOP, _TIMESTAMPS = 0, 1, 8
# Lengths of the options in common use (IANA "TCP Option Kind Numbers").
_LENGTHS = {2: (4,), 3: (3,), 4: (2,), 5: (10, 18, 26, 34), 8: (10,)}
_USUAL_START = 0x0101080A  # two NOPs and a timestamp, as nearly every packet with data has


def timestamps(data: Bytes, at: Integers, length: Integers) -> tuple[Integers, Flags]:
    """The timestamp values of options of `length` bytes that begin at `at` (-1: none), and which options are usual.

    Unusual are unknown, repeated and malformed options, and anything after the end of the list but padding.
    """
    values = np.full(len(at), -1, np.int64)
    usual = np.ones(len(at), np.bool_)
    shortcut = (length == 12) & (read_at(data, at, ">u4") == _USUAL_START)
    values[shortcut] = read_at(data, at[shortcut] + 4, ">u4")
    active = np.flatnonzero(~shortcut)
    position = at.copy()
    end = at + length
    met = np.zeros((len(at), 256) if len(active) else (0, 256), np.bool_)
    while len(active):
        kind = data[position[active]]
        nop = kind == _NOP
        step = np.ones(len(active), np.int64)
        rest = np.flatnonzero(~nop & (kind != _END))
        chosen = active[rest]
        inside = position[chosen] + 1 < end[chosen]
        size = np.where(inside, data[position[chosen] + 1], 0).astype(np.int64)
        fits = inside & (position[chosen] + size <= end[chosen]) & _fits(kind[rest], size) & ~met[chosen, kind[rest]]
        usual[chosen] &= fits
        met[chosen, kind[rest]] = True
        with_timestamp = fits & (kind[rest] == _TIMESTAMPS)
        values[chosen[with_timestamp]] = read_at(data, position[chosen[with_timestamp]] + 2, ">u4")
        step[rest] = np.maximum(size, 1)
        ended = kind == _END
        usual[active[ended]] &= _is_padding(data, position[active[ended]], end[active[ended]])
        position[active] += step
        active = active[usual[active] & ~ended & (position[active] < end[active])]
    return values, usual


def linux_syn_options(data: Bytes, at: Integers, length: Integers) -> Flags:
    """Whether usual options of `length` bytes that begin at `at` are those of a Linux SYN, in its order."""
    found = np.zeros(len(at), np.bool_)
    for kinds in ([int(kind) for kind in order.split(",")] for order in LINUX_OPTIONS):
        sizes = [_LENGTHS[kind][0] if kind in _LENGTHS else 1 for kind in kinds]
        same = np.flatnonzero(length == sum(sizes))
        for kind, before in zip(kinds, accumulate(sizes, initial=0), strict=False):
            same = same[data[at[same] + before] == kind]
        found[same] = True
    return found


def _fits(kind: Bytes, size: Integers) -> Flags:
    fits = np.zeros(len(kind), np.bool_)
    for known, sizes in _LENGTHS.items():
        fits |= (kind == known) & np.isin(size, sizes)
    return fits


def _is_padding(data: Bytes, start: Integers, end: Integers) -> Flags:
    """Whether there are only zeros, fewer than four, from `start` to `end`."""
    found = end - start < 4
    for further in range(3):
        within = start + further < end
        found &= ~within | (data[start + further] == 0)
    return found
