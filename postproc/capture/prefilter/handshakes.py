"""Handshakes of decodable packets: the few SYNs and SYN-ACKs that give handshake RTTs, however many flows there are.

Of a host that sent resets only its two shortest round trips count, and which of its ports answered. So most flows with
at most one SYN and one SYN-ACK need not be kept. Flows with more are *repeated* handshakes, and are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from heuristics.protocol.tshark_fields import ACK, RST, SYN
from postproc.capture.prefilter.arrays import Flags, Integers
from postproc.capture.prefilter.headers import DecodablePackets
from postproc.capture.prefilter.packet_rows import address_keys
from postproc.capture.prefilter.pcap_reader import Piece

_ROUND_TRIPS = 2  # as many as RoundTrips (flows/state.py) keeps
_Records = npt.NDArray[Any]  # a SYN or SYN-ACK each


@dataclass(slots=True)
class Handshakes:
    """The SYNs and SYN-ACKs of one IP version, in file order."""

    records: list[_Records] = field(default_factory=list)

    def add(self, piece: Piece, packets: DecodablePackets) -> None:
        """Add those among some packets."""
        syns = packets.select(np.flatnonzero(packets.is_tcp & (packets.tcp["flags"] & (SYN | RST) == SYN)))
        tcp, src, dst = syns.tcp, address_keys(syns.ip["src"]), address_keys(syns.ip["dst"])
        columns = {
            **{"src": src, "dst": dst, "sport": tcp["sport"], "dport": tcp["dport"]},
            **{"seq": tcp["seq"], "ack": tcp["ack"], "is_syn_ack": tcp["flags"] & ACK != 0},
            **{"frame": piece.first_frame + syns.index, "time_us": piece.time_us[syns.index]},
        }
        if len(src):
            kinds = [src.dtype, src.dtype, "u2", "u2", "u4", "u4", "?", "i8", "i8"]
            records = np.empty(len(src), np.dtype(list(zip(columns, kinds, strict=True))))
            for name, values in columns.items():
                records[name] = values
            self.records.append(records)

    def all(self) -> _Records | None:
        """All of them in one array; None where there are none."""
        self.records = [np.concatenate(self.records)] if self.records else []
        return self.records[0] if self.records else None


@dataclass(frozen=True, slots=True)
class SelectedHandshakes:
    """The frame numbers that show how hosts answered, and the packets of repeated handshakes."""

    frames: Integers
    repeated: _Records


def select_handshakes(records: _Records) -> SelectedHandshakes:
    """Select, of each host, the shortest round trips, and one SYN-ACK of each port."""
    addresses = np.concatenate([records["src"], records["dst"]])
    source, target = np.split(np.unique(addresses, return_inverse=True)[1].astype(np.int64) << 16, 2)
    source, target = source + records["sport"], target + records["dport"]
    low, high = np.minimum(source, target), np.maximum(source, target)
    order = np.lexsort((records["is_syn_ack"], high, low))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    flow = np.cumsum(begins) - 1
    is_syn_ack = records["is_syn_ack"][order]
    several = np.bincount(flow * 2 + is_syn_ack, minlength=2 * (flow[-1] + 1)).reshape(-1, 2) > 1
    repeated = (several[:, 0] | several[:, 1])[flow] | (low == high)[order]
    pairs = np.flatnonzero(~begins[1:] & ~repeated[1:])
    syn, syn_ack = order[pairs], order[pairs + 1]
    answered = _answers(records[syn], records[syn_ack]) & (source[syn] == target[syn_ack])
    syn, syn_ack = syn[answered], syn_ack[answered]
    elapsed_us = records["time_us"][syn_ack] - records["time_us"][syn]
    shortest = _first_of_each(source[syn_ack] >> 16, elapsed_us)
    ports = np.flatnonzero(records["is_syn_ack"])
    ports = ports[np.unique(source[ports], return_index=True)[1]]
    selected = np.concatenate([syn[shortest], syn_ack[shortest], ports])
    return SelectedHandshakes(np.unique(records["frame"][selected]), records[order[repeated]])


def _answers(syn: _Records, syn_ack: _Records) -> Flags:
    """Whether the SYN-ACK answers the SYN, by the rule of flows/handshake_rtt.py."""
    acknowledged: Flags = syn_ack["ack"] == syn["seq"] + np.uint32(1)  # both modulo 2^32
    return acknowledged & (syn["frame"] < syn_ack["frame"]) & (syn["time_us"] <= syn_ack["time_us"])


def _first_of_each(group: Integers, value: Integers) -> Integers:
    """The indices of the _ROUND_TRIPS least values of each group."""
    order = np.lexsort((value, group))
    rank = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return order[rank < _ROUND_TRIPS]
