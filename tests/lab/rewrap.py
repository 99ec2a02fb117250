"""The same traffic as other capture points would have it: doubled by a mirror port, VLAN-tagged, inside a tunnel."""

from __future__ import annotations

import gzip
import json
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .capture import Frame, read_pcap, write_pcap
from .labels import write_labels
from .packets import IPV4, IPV6, UDP, Packet, checksum, ipv4_header

GRE = 47
VXLAN_PORT = 4789  # RFC 7348
TUNNEL = ("198.51.100.251", "198.51.100.252")
MICROSECOND = 1000  # nanoseconds
LATEST_COPY = 20_000 * MICROSECOND


def _ethertype(data: bytes) -> int:
    return int.from_bytes(data[12:14], "big")


def one_hop_later(data: bytes) -> bytes:
    """The frame as the next link carries it: hop limit one lower; other frames than IP as they are."""
    if _ethertype(data) == IPV6:
        return data[:21] + bytes([max(1, data[21]) - 1]) + data[22:]
    if _ethertype(data) != IPV4:
        return data
    end = 14 + (data[14] & 15) * 4
    head = data[14:22] + bytes([max(1, data[22]) - 1, data[23], 0, 0]) + data[26:end]
    return data[:14] + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data[end:]


def mirrored(frames: Sequence[Frame], rng: random.Random) -> list[tuple[int, bool, Frame]]:
    """Every frame twice, in order of time: (its index, whether it is the copy, frame).

    One of three mirrors: the copy is the same, or one hop later and at once, or one hop later and up to 20 ms late.
    """
    kind = rng.choice(("same", "routed", "late"))
    entries = []
    for index, frame in enumerate(frames):
        delay = rng.randrange(1, LATEST_COPY) if kind == "late" else rng.randrange(1, 60) * MICROSECOND
        data = frame.data if kind == "same" else one_hop_later(frame.data)
        entries += [(index, False, frame), (index, True, Frame(frame.time + delay, data, frame.outgoing))]
    return sorted(entries, key=lambda entry: entry[2].time)


def _each(frames: Sequence[Frame], change: Callable[[Frame], bytes]) -> list[tuple[int, bool, Frame]]:
    return [(index, False, replace(frame, data=change(frame))) for index, frame in enumerate(frames)]


def tagged(frames: Sequence[Frame], rng: random.Random) -> list[tuple[int, bool, Frame]]:
    """One 802.1Q tag on every frame."""
    tag = struct.pack("!HH", 0x8100, rng.randrange(2, 4095))
    return _each(frames, lambda frame: frame.data[:12] + tag + frame.data[12:])


def _outer(frame: Frame, protocol: int, payload: bytes, rng: random.Random) -> bytes:
    source, target = TUNNEL if frame.outgoing else TUNNEL[::-1]
    outer = Packet(4, source, target, 250, protocol, rng.randrange(65536), True, 0, 0)
    return frame.data[:12] + struct.pack("!H", IPV4) + ipv4_header(outer, protocol, len(payload)) + payload


def in_gre(frames: Sequence[Frame], rng: random.Random) -> list[tuple[int, bool, Frame]]:
    """Every IP packet inside GRE (RFC 2784); other frames stay bare."""

    def change(frame: Frame) -> bytes:
        if _ethertype(frame.data) not in (IPV4, IPV6):
            return frame.data
        return _outer(frame, GRE, bytes(2) + frame.data[12:], rng)

    return _each(frames, change)


def in_vxlan(frames: Sequence[Frame], rng: random.Random) -> list[tuple[int, bool, Frame]]:
    """Every frame inside VXLAN (RFC 7348)."""
    network = struct.pack("!II", 0x08000000, rng.randrange(1, 1 << 24) << 8)

    def change(frame: Frame) -> bytes:
        inner = network + frame.data
        udp = struct.pack("!HHHH", rng.randrange(49152, 65536), VXLAN_PORT, 8 + len(inner), 0)
        return _outer(frame, UDP, udp + inner, rng)

    return _each(frames, change)


WRAPPINGS = {"mirrored": mirrored, "vlan": tagged, "gre": in_gre, "vxlan": in_vxlan}


def move_events(
    events: Sequence[dict[str, object]], entries: Sequence[tuple[int, bool, Frame]]
) -> list[dict[str, object]]:
    """The labels of the rewrapped frames; the copies' events have `copy`."""
    by_index = {int(str(event["frame"])) - 1: event for event in events}
    moved = []
    for number, (index, is_copy, frame) in enumerate(entries, 1):
        if index in by_index:
            event = {**by_index[index], "frame": number, "time": round(frame.time / 1e9, 6)}
            moved.append({**event, "copy": True} if is_copy else event)
    return moved


def rewrap_some(out: Path, seed: int, count: int) -> None:
    """Repeat some of a folder's captures, as many of each wrapping; they and their labels are named WRAPPING-NAME."""
    rng = random.Random(f"rewrap {seed}")
    labels = [path for path in sorted(out.glob("*.labels.json")) if not path.name.startswith(tuple(WRAPPINGS))]
    with_events = [path for path in labels if json.loads(path.read_text())["events"]]
    for name, wrapping in WRAPPINGS.items():
        for path in rng.sample(with_events, min(count, len(with_events))):
            content = json.loads(path.read_text())
            mac = bytes.fromhex(content["vantage_mac"].replace(":", ""))
            plain = [replace(frame, outgoing=frame.data[6:12] == mac) for frame in read_pcap(out / content["capture"])]
            entries = wrapping(plain, rng)
            content["capture"] = f"{name}-{content['capture']}"
            content["frames"] = len(entries)
            content["notes"].append(f"made from the capture without {name}")
            content["events"] = move_events(content["events"], entries)
            write_pcap(out / content["capture"], [frame for _, _, frame in entries])
            write_labels(out / f"{name}-{path.name}", content)


def compress(out: Path) -> None:
    """Make every capture of a folder NAME.pcap.gz, and say so in its labels."""
    for path in sorted(out.glob("*.pcap")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
        labels = path.with_suffix(".labels.json")
        content = json.loads(labels.read_text())
        write_labels(labels, {**content, "capture": f"{path.name}.gz"})
