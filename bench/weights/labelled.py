"""Labelled captures: NAME.pcap (or .pcap.gz) with NAME.labels.json beside it (tests/lab/README.md), read once each.

What one capture cannot decide, whoever judges it, follows from the labels alone (`Label.undecidable`):

- *mimic*: a device in the path that copies everything from the sender (mechanism "hop_copying_in_path") and drops what
  would betray it;
- *next to the sender*: a SYN refused (RST+ACK with sequence number 0) by a device that sits one hop before the claimed
  sender, counted from the capture point: a route that changed by a hop looks the same.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from heuristics.rulebook.scoring import Origin
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.packet_table import authentic
from postproc.capture.reader import read_packets
from postproc.capture.tshark.program import Tshark

MIMIC, NEXT_TO_SENDER = "mimic", "next to the sender"
_UNKNOWN_NODE = "unknown"
_MIMICS = "hop_copying_in_path"
_ROUTER = re.compile(r"r(\d+)")
_FRAME = re.compile(r"frame (\d+):")  # what a problem of the laboratory's is about


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one reset or ICMP error. `truth` is where it came from (an Origin).

    `hops` is how many routers are between the capture point and the claimed sender, `node_hops` how many between it and
    who really sent it (None: not a router of the path). `sender_absent`: the capture holds no authentic packet of the
    claimed sender.
    """

    capture: str
    frame: int
    kind: str
    vantage: str
    mechanism: str
    truth: str
    refuses_syn: bool
    hops: int
    node_hops: int | None
    sender_absent: bool

    @property
    def forged(self) -> bool:
        """Whether something in between sent it in the sender's name. A front-end speaks for itself."""
        return self.truth == Origin.MIDDLEBOX

    @property
    def undecidable(self) -> str:
        """Why one capture cannot decide it: `MIMIC`, `NEXT_TO_SENDER`, or nothing where it can."""
        if not self.forged:
            return ""
        if self.mechanism == _MIMICS:
            return MIMIC
        next_to = self.node_hops is not None and abs(self.hops - self.node_hops) <= 1
        return NEXT_TO_SENDER if next_to and self.refuses_syn else ""

    @property
    def group(self) -> tuple[str, str, str]:
        """What averages are over: a mechanism at one vantage, and the truth."""
        return self.vantage, self.mechanism, self.truth


@dataclass(frozen=True, slots=True)
class Labelled:
    """One capture: its packets table and its labels in the order of their file.

    Without those of which the laboratory could not measure who sent it, as a busy machine's clock makes of some.
    """

    name: str
    packets: pl.DataFrame
    labels: tuple[Label, ...]


def labelled_captures(folder: Path, program: Tshark) -> Iterator[Labelled]:
    """Every labelled capture of a folder, by name. Several tsharks run at a time; raises CaptureError."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda path: read_labelled(path, program), sorted(folder.glob("*.labels.json")))


def read_labelled(path: Path, program: Tshark) -> Labelled:
    """The capture that a labels file speaks of."""
    labels = json.loads(path.read_text(encoding="utf-8"))
    capture = path.with_name(labels["capture"])
    packets = read_packets_of(capture, program)
    sources = set(packets.filter(authentic())["src"].unique())
    doubted = {int(frame) for problem in labels["inconsistent"] for frame in _FRAME.findall(problem)}
    measured = (event for event in labels["events"] if event["node"] != _UNKNOWN_NODE and event["frame"] not in doubted)
    return Labelled(capture.name, packets, tuple(_label(labels, event, sources) for event in measured))


def read_packets_of(capture: Path, program: Tshark) -> pl.DataFrame:
    """A capture's packets table. Raises CaptureError."""
    return read_packets(Source(capture, capture.name, FileType.CAPTURE), program, whole=True).table


def _label(labels: Mapping[str, Any], event: Mapping[str, Any], sources: set[str]) -> Label:
    return Label(
        capture=labels["capture"],
        frame=event["frame"],
        kind=event["kind"],
        vantage=labels["vantage"],
        mechanism=event["mechanism"],
        truth=event["origin"],
        refuses_syn=event.get("seq") == 0 and "A" in event.get("flags", ""),
        hops=_sender_hops(labels, event["src"]),
        node_hops=_node_hops(labels, event["node"]),
        sender_absent=event["src"] not in sources,
    )


def _sender_hops(labels: Mapping[str, Any], address: str) -> int:
    if address in labels.get(labels["vantage"], {}).values():  # a capture between the hosts has no addresses of its own
        return 0
    other = labels.get("other_hosts", {}).get(address)
    return _path_hops(labels) if other is None else int(other)


def _path_hops(labels: Mapping[str, Any]) -> int:
    """How many routers are between the client and the server."""
    hops = labels["hops"]
    return int(hops["4"] if isinstance(hops, dict) else hops)  # some labels have a number for each IP version


def _node_hops(labels: Mapping[str, Any], node: str) -> int | None:
    """Routers are numbered from the client on, from 1."""
    number = _ROUTER.fullmatch(node)
    if number is None:
        return None
    from_client = int(number[1]) - 1
    return from_client if labels["vantage"] == "client" else _path_hops(labels) - 1 - from_client
