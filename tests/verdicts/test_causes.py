"""The cause that each reset is given, in both engines: what the packets around it show."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet
from support.command_line import LAB
from support.flows_by_hand import CLOSE, OPEN, Talk, written
from support.parity import compare, export, listed, postproc_rows, system_wireshark

from heuristics.protocol.idle_timeouts import KNOWN_TIMEOUTS, NO_TIMEOUT, known_timeout
from heuristics.rulebook.model import load

DATA = ("> PA 100", "< PA 1000", "> A")

# The steps of a flow, and what its last reset's cause says; that of a device in between where the name begins so.
CAUSES: dict[str, tuple[Sequence[str], str]] = {
    "keep-alive race": (
        [*OPEN, *DATA, "wait 5", "< FA", "> PA 90 ack=6001", "< R seq=6001"],
        r"keep-alive race: after 5\.0\d s of silence the host closed",
    ),
    "closed while the other side sends": (
        [*OPEN, *DATA, "> PA 500", "> FA", "< PA 900 ack=1601", "> R seq=1601"],
        "closed the connection while the other side was still sending",
    ),
    "late packet": (
        [*OPEN, *DATA, "< FA", "> A", "> PA 9", "< R"],
        "had already closed the connection, and the other side sent on",
    ),
    "the other side closes": ([*OPEN, *DATA, "> FA", "< R"], "which the host no longer knows"),
    "backlog overflow": ([*OPEN, "< R"], "tcp_abort_on_overflow"),
    "accepted and aborted": ([*OPEN, "< RA"], "accepts the connection and aborts it before it sends anything"),
    "half-open after a crash": ([*OPEN, *DATA, "wait 300", "> PA 50", "< R"], r"half-open: .* silent for 300 s"),
    "idle timeout of the host": (
        [*OPEN, *DATA, "wait 901", "< RA"],
        r"silent for 901 s \(such resets of this host: 1, the shortest silence: 901 s; .* near it: 900 s",
    ),
    "idle, no timeout near": ([*OPEN, *DATA, "wait 130", "> RA"], r"silent for 130 s .*near it: none"),
    "connection not seen": (["> PA 50 ack=7", "> PA 50 ack=7", "< R seq=7"], "no other packet of it"),
    "device, idle": (
        [*OPEN, *DATA, "wait 350", "< RA"],
        r"silent for 350 s: a device that keeps state ends it .*shortest silence: 350 s; .*350 s, as of AWS",
    ),
    "device, forgot": (
        [*OPEN, *DATA, "wait 800", "> PA 5", "< RA"],
        r"silent for 800 s and sent again: a device had dropped .* near it: none",
    ),
    "device, first data": ([*OPEN, "> PA 100", "< RA"], "once it has seen the first data"),
    "device, closing": ([*OPEN, *DATA, "> FA", "< RA"], "one side had closed"),
    "device, closed": ([*OPEN, *DATA, *CLOSE, "< RA"], "after the connection had ended, a device answers"),
    "device, again": (
        [*OPEN, *DATA, "< RA", "wait 1", "< RA"],
        "a reset had ended the connection, the device repeats it",
    ),
    "device, both sides": ([*OPEN, *DATA, "< RA", "> RA"], "resets both sides of the connection"),
}


DECIDES = """
[[rule]]
id = "decides"
title = "For tests"
when = "hop_limit >= 0"
weight = {}
say = "for tests"
reference = "made up"
"""


def _flow(at: int, name: str) -> list[Packet]:
    """Every flow has a server of its own, so that no silence of another one counts, and a device its hop limit."""
    packets = Talk(40000 + at).packets(CAUSES[name][0], 1_700_000_000.0 + 10_000 * at)
    for packet in packets:
        if name.startswith("device") and "R" in packet[TCP].flags:
            packet[IP].ttl = 64
        if packet[IP].src.startswith("203."):
            packet[IP].src = f"203.0.113.{at + 1}"
        else:
            packet[IP].dst = f"203.0.113.{at + 1}"
    return packets


@cache
def rows(weight: int, names: tuple[str, ...]) -> list[dict[str, str]]:
    """What both engines say of the last reset of each flow, under a rule that decides who sent it."""
    flows = [_flow(at, name) for at, name in enumerate(names)]
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        overlay = Path(folder) / "decides.toml"
        overlay.write_text(DECIDES.format(weight), encoding="utf-8")
        rulebook, wireshark = load(overlays=[overlay]), system_wireshark()
        capture = written(Path(folder) / "causes.pcap", [packet for flow in flows for packet in flow])
        found = compare(capture, wireshark, rulebook)
        assert not found, listed(found)
        judged = postproc_rows(export(capture, wireshark), rulebook)
    lasts = accumulate(map(len, flows))
    return [judged[frame] for frame in lasts]


DEVICES = tuple(name for name in CAUSES if name.startswith("device"))
HOSTS = tuple(name for name in CAUSES if name not in DEVICES)


@pytest.mark.parametrize("name", HOSTS)
def test_why_a_host_resets_follows_from_the_packets_around(name: str) -> None:
    row = rows(-2000, HOSTS)[HOSTS.index(name)]
    assert row["origin"] == "endpoint"
    assert re.search(CAUSES[name][1], row["cause"]), row["cause"]


@pytest.mark.parametrize("name", DEVICES)
def test_why_a_device_resets_follows_from_the_packets_around(name: str) -> None:
    row = rows(2000, DEVICES)[DEVICES.index(name)]
    assert row["origin"] == "middlebox"
    assert re.search(CAUSES[name][1], row["cause"]), row["cause"]


def test_the_shortest_silence_of_all_resets_of_a_sender_is_given(tmp_path: Path) -> None:
    silent = [[*OPEN, *DATA, f"wait {seconds}", "< RA"] for seconds in (907, 899.98, 950, 12)]
    packets = [packet for at, steps in enumerate(silent) for packet in Talk(40000 + at).packets(steps, 1e9 + 2000 * at)]
    capture, wireshark = written(tmp_path / "silent.pcap", packets), system_wireshark()
    assert not (found := compare(capture, wireshark, load())), listed(found)
    judged = [row for row in postproc_rows(export(capture, wireshark), load()).values() if "verdict" in row]
    assert [row["observed.silent_resets"] for row in judged] == ["3"] * 4
    assert "such resets of this host: 3, the shortest silence: 900 s" in judged[0]["cause"]
    assert "silence" not in judged[3]["cause"]


def test_no_policy_is_named_once_the_connection_has_ended() -> None:
    judged = postproc_rows(export(LAB / "05_tcpkill_r1.client.pcap", system_wireshark()), load())
    accused = [row for row in judged.values() if row.get("origin") == "middlebox"]
    policies = [row for row in accused if "firewall rule" in row["cause"]]
    assert len(accused) > 100
    assert policies, "the first reset of each flow is a policy's"
    assert {row["observed.after_end"] for row in policies} == {"no"}


@pytest.mark.parametrize(
    ("seconds", "near"),
    [(240, "240 s"), (244.9, "240 s"), (245.1, NO_TIMEOUT), (357, "350 s"), (3671, "3600 s"), (3673, NO_TIMEOUT)],
)
def test_a_silence_is_near_a_timeout_by_a_share_or_some_seconds(seconds: float, near: str) -> None:
    assert known_timeout(round(seconds * 1_000_000)).startswith(near)


def test_no_silence_is_near_two_timeouts() -> None:
    assert all(known_timeout(seconds * 1_000_000) == words for seconds, words in KNOWN_TIMEOUTS)
