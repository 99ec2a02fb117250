"""TCP options of many packets at once: timestamps, whether all are as they should be, and whether Linux wrote them."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt

from heuristics.protocol.tshark_fields import LINUX_OPTIONS
from postproc.capture.prefilter.pcap_reader import Bytes, Integers, read_at

_END, _NOTHING, _TIMESTAMPS = 0, 1, 8
# Lengths of the options that hosts send every day (IANA "TCP Option Kind Numbers").
_LENGTHS = {2: (4,), 3: (3,), 4: (2,), 5: (10, 18, 26, 34), 8: (10,)}
_USUAL_START = 0x0101080A  # two fillers and a timestamp: nearly every packet with data


def timestamps(data: Bytes, at: Integers, length: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The timestamp values of options of `length` bytes that begin at `at` (-1: none), and which options are usual.

    Unusual are unknown, repeated and malformed options, and anything after the end of the list.
    """
    values = np.full(len(at), -1, np.int64)
    usual = np.ones(len(at), np.bool_)
    quick = (length == 12) & (read_at(data, at, ">u4") == _USUAL_START)
    values[quick] = read_at(data, at[quick] + 4, ">u4")
    active = np.flatnonzero(~quick)
    place = at.copy()
    end = at + length
    seen = np.zeros((len(at), 256) if len(active) else (0, 256), np.bool_)
    while len(active):
        kind = data[place[active]]
        filler = kind == _NOTHING
        step = np.ones(len(active), np.int64)
        rest = np.flatnonzero(~filler & (kind != _END))
        chosen = active[rest]
        inside = place[chosen] + 1 < end[chosen]
        size = np.where(inside, data[place[chosen] + 1], 0).astype(np.int64)
        fits = inside & (place[chosen] + size <= end[chosen]) & _fits(kind[rest], size) & ~seen[chosen, kind[rest]]
        usual[chosen] &= fits
        seen[chosen, kind[rest]] = True
        timed = fits & (kind[rest] == _TIMESTAMPS)
        values[chosen[timed]] = read_at(data, place[chosen[timed]] + 2, ">u4")
        step[rest] = np.maximum(size, 1)
        ended = kind == _END
        usual[active[ended]] &= _zeros(data, place[active[ended]], end[active[ended]])
        place[active] += step
        active = active[usual[active] & ~ended & (place[active] < end[active])]
    return values, usual


def linux(data: Bytes, at: Integers, length: Integers) -> npt.NDArray[np.bool_]:
    """Whether usual options of `length` bytes that begin at `at` are those of a Linux SYN, in its order."""
    found = np.zeros(len(at), np.bool_)
    for kinds in ([int(kind) for kind in order.split(",")] for order in LINUX_OPTIONS):
        sizes = [_LENGTHS[kind][0] if kind in _LENGTHS else 1 for kind in kinds]
        same = np.flatnonzero(length == sum(sizes))
        for kind, before in zip(kinds, accumulate(sizes, initial=0), strict=False):
            same = same[data[at[same] + before] == kind]
        found[same] = True
    return found


def _fits(kind: Bytes, size: Integers) -> npt.NDArray[np.bool_]:
    fits = np.zeros(len(kind), np.bool_)
    for known, sizes in _LENGTHS.items():
        fits |= (kind == known) & np.isin(size, sizes)
    return fits


def _zeros(data: Bytes, start: Integers, end: Integers) -> npt.NDArray[np.bool_]:
    """Whether nothing but zeros, fewer than four, stands from `start` to `end`."""
    found = end - start < 4
    for further in range(3):
        within = start + further < end
        found &= ~within | (data[start + further] == 0)
    return found
