"""Which device a reset is said to be of: only where form, hop limit and timing are its own, in both engines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet
from support.flows_by_hand import CLIENT, OPEN, Talk, written
from support.parity import compare, export, listed, postproc_rows, system_wireshark

from heuristics.rulebook.model import load

DATA = ("> PA 100", "< PA 1000", "> A")
ACCUSED = """
[[rule]]
id = "accused"
title = "For tests"
when = "hop_limit >= 0"
weight = 2000
say = "for tests"
reference = "made up"
"""


def _set(**fields: int) -> Callable[[Packet], None]:
    """Sets fields of the headers of a reset: ttl, id and flags (of IP), window."""

    def change(packet: Packet) -> None:
        for name, value in fields.items():
            setattr(packet[TCP] if name == "window" else packet[IP], name, value)

    return change


SURICATA = {"ttl": 60, "id": 4711, "flags": 0, "window": 1234}  # the window of the client's packets
REJECT = {"ttl": 64, "id": 0, "flags": "DF", "window": 0}

# The steps of a flow, how its resets are changed one after another, and the device.
DEVICES: dict[str, tuple[list[str], list[Callable[[Packet], None]], str]] = {
    "three RST+ACK, windows count up": (
        [*OPEN, "> PA 100", "< RA", "< RA", "< RA"],
        [_set(window=1980, ttl=50), _set(window=1981, ttl=50), _set(window=1982, ttl=50)],
        "the Great Firewall of China",
    ),
    "three RST+ACK, one window": (
        [*OPEN, "> PA 100", "< RA", "< RA", "< RA"],
        [_set(window=1980, ttl=50, id=5), _set(window=1980, ttl=50, id=6), _set(window=1980, ttl=50, id=7)],
        "",
    ),
    "two RST+ACK, windows count up": (
        [*OPEN, "> PA 100", "< RA", "< RA"],
        [_set(window=1980, ttl=50), _set(window=1981, ttl=50)],
        "",
    ),
    "Suricata": ([*OPEN, *DATA, "> PA 50", "< RA"], [_set(**SURICATA)], "Suricata"),
    "Suricata's form from 255": ([*OPEN, *DATA, "> PA 50", "< RA"], [_set(**SURICATA | {"ttl": 255})], ""),
    "Suricata's form, far below 64": ([*OPEN, *DATA, "> PA 50", "< RA"], [_set(**SURICATA | {"ttl": 28})], ""),
    "Suricata's form after a silence": ([*OPEN, *DATA, "> PA 50", "wait 99", "< RA"], [_set(**SURICATA)], ""),
    "REJECT": ([*OPEN, *DATA, "> PA 50", "< R"], [_set(**REJECT)], "Linux netfilter REJECT"),
    "REJECT's form after a silence": ([*OPEN, *DATA, "> PA 50", "wait 240", "< R"], [_set(**REJECT)], ""),
}


def _flow(at: int, name: str) -> list[Packet]:
    steps, changes, _ = DEVICES[name]
    packets = Talk(40000 + at).packets(steps, 1_700_000_000.0 + 10_000 * at)
    for packet in packets:
        if packet[IP].src == CLIENT:
            packet[TCP].window = SURICATA["window"]
    resets = [packet for packet in packets if "R" in packet[TCP].flags]
    for packet, change in zip(resets, changes, strict=True):
        change(packet)
    return packets


@cache
def devices() -> list[str]:
    """The device of the last reset of each flow, in one capture, if all resets are accused; both engines agree."""
    flows = [_flow(at, name) for at, name in enumerate(DEVICES)]
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        overlay = Path(folder) / "accused.toml"
        overlay.write_text(ACCUSED, encoding="utf-8")
        rulebook, wireshark = load(overlays=[overlay]), system_wireshark()
        capture = written(Path(folder) / "devices.pcap", [packet for flow in flows for packet in flow])
        found = compare(capture, wireshark, rulebook)
        assert not found, listed(found)
        judged = postproc_rows(export(capture, wireshark), rulebook)
    return [judged[frame].get("device", "") for frame in accumulate(map(len, flows))]


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_named_where_form_hop_limit_and_timing_fit(name: str) -> None:
    device, expected = devices()[list(DEVICES).index(name)], DEVICES[name][2]
    assert device.startswith(expected) if expected else not device


@pytest.mark.parametrize(("hop_limit", "front_end"), [(251, True), (123, False), (60, False)])
def test_a_window_alone_makes_no_netscaler(tmp_path: Path, hop_limit: int, front_end: bool) -> None:
    packets = Talk().packets([*OPEN, *DATA, "< RA"])
    _set(window=9300, ttl=hop_limit)(packets[-1])
    for packet in packets[:-1]:
        packet[IP].ttl = hop_limit
    capture, wireshark = written(tmp_path / "code.pcap", packets), system_wireshark()
    assert not (found := compare(capture, wireshark, load())), listed(found)
    row = postproc_rows(export(capture, wireshark), load())[len(packets)]
    assert ("netscaler_code" in row["evidence"].split(",")) == front_end
    assert (row.get("device", "").startswith("NetScaler")) == front_end
