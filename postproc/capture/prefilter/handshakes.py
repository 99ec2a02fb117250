"""SYNs and SYN-ACKs of plain packets: the few that show how their hosts answered, of however many flows.

Of a host that sent resets only its two shortest round trips count, and which of its ports answered. So of flows with at
most one SYN and one SYN-ACK most need not be kept; flows with more are *odd*, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heuristics.protocol.tshark_fields import ACK, RST, SYN
from postproc.capture.prefilter.headers import Flags, Plain
from postproc.capture.prefilter.packet_rows import packed
from postproc.capture.prefilter.pcap_reader import Integers, Piece

_ROUND_TRIPS = 2  # as many as postproc.state.RoundTrips keeps
_Noted = npt.NDArray[Any]


@dataclass(slots=True)
class Openings:
    """What was noted of the SYNs and SYN-ACKs of one IP version, in file order."""

    noted: list[_Noted] = field(default_factory=list)

    def note(self, piece: Piece, plain: Plain) -> None:
        """Take in some packets."""
        opening = plain.chosen(np.flatnonzero(plain.is_tcp & (plain.tcp["flags"] & (SYN | RST) == SYN)))
        tcp, src, dst = opening.tcp, packed(opening.ip["src"]), packed(opening.ip["dst"])
        columns = {
            **{"src": src, "dst": dst, "sport": tcp["sport"], "dport": tcp["dport"]},
            **{"seq": tcp["seq"], "ack": tcp["ack"], "answer": tcp["flags"] & ACK != 0},
            **{"frame": piece.first + opening.index, "time_us": piece.time_us[opening.index]},
        }
        if len(src):
            kinds = [src.dtype, src.dtype, "u2", "u2", "u4", "u4", "?", "i8", "i8"]
            noted = np.empty(len(src), np.dtype(list(zip(columns, kinds, strict=True))))
            for name, values in columns.items():
                noted[name] = values
            self.noted.append(noted)

    def all(self) -> _Noted | None:
        """Everything; None where that is nothing."""
        self.noted = [np.concatenate(self.noted)] if self.noted else []
        return self.noted[0] if self.noted else None


@dataclass(frozen=True, slots=True)
class Telling:
    """Of openings, the numbers of the frames that tell how hosts answered, and those of odd flows."""

    frames: Integers
    odd: _Noted


def telling(openings: _Noted) -> Telling:
    """Which openings tell how hosts answered: of each the shortest round trips, and one answer of each port."""
    addresses = np.concatenate([openings["src"], openings["dst"]])
    source, target = np.split(np.unique(addresses, return_inverse=True)[1].astype(np.int64) << 16, 2)
    source, target = source + openings["sport"], target + openings["dport"]
    low, high = np.minimum(source, target), np.maximum(source, target)
    order = np.lexsort((openings["answer"], high, low))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    flow = np.cumsum(begins) - 1
    answer = openings["answer"][order]
    several = np.bincount(flow * 2 + answer, minlength=2 * (flow[-1] + 1)).reshape(-1, 2) > 1
    odd = (several[:, 0] | several[:, 1])[flow] | (low == high)[order]
    pairs = np.flatnonzero(~begins[1:] & ~odd[1:])
    asked, given = order[pairs], order[pairs + 1]
    timed = _timed(openings[asked], openings[given]) & (source[asked] == target[given])
    asked, given = asked[timed], given[timed]
    elapsed = openings["time_us"][given] - openings["time_us"][asked]
    shortest = _first_of_each(source[given] >> 16, elapsed)
    ports = np.flatnonzero(openings["answer"])
    ports = ports[np.unique(source[ports], return_index=True)[1]]
    chosen = np.concatenate([asked[shortest], given[shortest], ports])
    return Telling(np.unique(openings["frame"][chosen]), openings[order[odd]])


def _timed(asked: _Noted, given: _Noted) -> Flags:
    """Whether the SYN-ACK answers the SYN, as postproc.answers has it."""
    acknowledged: Flags = given["ack"] == asked["seq"] + np.uint32(1)  # both modulo 2^32
    return acknowledged & (asked["frame"] < given["frame"]) & (asked["time_us"] <= given["time_us"])


def _first_of_each(group: Integers, value: Integers) -> Integers:
    """The indices of the least values of each group, _ROUND_TRIPS of them."""
    order = np.lexsort((value, group))
    rank = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return order[rank < _ROUND_TRIPS]
