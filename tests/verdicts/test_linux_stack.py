"""Resets in the name of a Linux host: some that its kernel never sends in this form, and some that it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet
from support.command_line import rows, run
from support.flows_by_hand import CLIENT, OPEN, Talk, written

LINUX_SYN = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
STAMPED = [("NOP", None), ("NOP", None), ("Timestamp", (8, 0))]
LABEL, ANOTHER_LABEL = 0x12345, 0x54321
ISN = 400_000_000
OPEN_FLOW = (*OPEN, "> PA 100", "< A", "< PA 900", "> A", "wait 1", "> PA 50")
SIGNS = {
    "abort_again_linux",
    "abort_label_linux",
    "abort_window_linux",
    "bare_ack_linux",
    "bare_id_linux",
    "bare_label_linux",
    "bare_window_linux",
    "ip_id_foreign_linux",
    "ts_missing_linux",
}


def talk(*steps: str, ipv6: bool = False) -> list[Packet]:
    """An open connection between two Linux hosts, and the steps that follow."""
    packets = Talk(isn=ISN, ipv6=ipv6).packets((*OPEN_FLOW, *steps))
    for packet in packets:
        as_linux(packet)
    return packets


def last_row(folder: Path, packets: Sequence[Packet]) -> dict[str, str]:
    """The row of the last reset."""
    return rows(written(folder / "linux.pcap", packets))[-1]


def signs(row: dict[str, str]) -> set[str]:
    """The signs in its evidence that Linux would not show."""
    return SIGNS.intersection(row["evidence"].split(";"))


def evidence(folder: Path, steps: tuple[str, ...], change: Callable[[Packet], None], *, ipv6: bool = False) -> set[str]:
    """The signs found in the reset that comes last in `steps`, after `change`."""
    packets = talk(*steps, ipv6=ipv6)
    change(packets[-1])
    return signs(last_row(folder, packets))


def as_linux(packet: Packet) -> None:
    """Gives a packet the options, window, IP ID and flow label of Linux 6.18."""
    ip, tcp = packet.payload, packet[TCP]
    handshake, bare = "S" in tcp.flags, tcp.flags == "R"
    tcp.options = LINUX_SYN if handshake else [] if bare else STAMPED
    tcp.window = 64240 if handshake else 0 if bare else 502
    if ip.version == 6:
        ip.fl = (ANOTHER_LABEL if bare else LABEL) + (tcp.dport == 80)
    else:
        ip.flags = "DF"
        ip.id = 0 if bare else ip.id


def unstamped(packet: Packet) -> None:
    """RST+ACK in the form of many injectors."""
    packet[TCP].options = []


def closed(packet: Packet) -> None:
    """An abort that takes back the window."""
    packet[TCP].window = 0


def open_(packet: Packet) -> None:
    """A bare reset with a window."""
    packet[TCP].window = 502


def numbered(packet: Packet) -> None:
    """A bare reset with an IP ID."""
    packet.payload.id = 4711


def acknowledging(packet: Packet) -> None:
    """A bare reset with an acknowledgement number."""
    packet[TCP].ack = ISN + 151


def shifted(packet: Packet) -> None:
    """The 0 of a bare reset, past a firewall that shifts sequence numbers."""
    packet[TCP].ack = 0xDEADBEEF


def unlabelled(packet: Packet) -> None:
    """No flow label."""
    packet.payload.fl = 0


def labelled(packet: Packet) -> None:
    """The flow label of the server's socket."""
    packet.payload.fl = LABEL


def unchanged(packet: Packet) -> None:
    """As Linux sends it."""


def without_socket(packet: Packet) -> None:
    """The answer of Linux without a socket to a segment without ACK."""
    closed(packet)
    unstamped(packet)


@pytest.mark.parametrize(
    ("steps", "change", "ipv6", "sign"),
    [
        (("< RA",), unstamped, False, "ts_missing_linux"),
        (("< RA",), closed, False, "abort_window_linux"),
        (("< RA",), unlabelled, True, "abort_label_linux"),
        (("< R", "> A", "wait 0.2", "< RA"), unstamped, False, "abort_again_linux"),
        (("< R",), open_, False, "bare_window_linux"),
        (("< R",), acknowledging, False, "bare_ack_linux"),
        (("< R",), acknowledging, True, "bare_ack_linux"),
        (("< R",), numbered, False, "bare_id_linux"),
        (("< R",), labelled, True, "bare_label_linux"),
    ],
)
def test_what_linux_would_not_send(
    steps: tuple[str, ...], change: Callable[[Packet], None], ipv6: bool, sign: str, tmp_path: Path
) -> None:
    assert evidence(tmp_path, steps, change, ipv6=ipv6) == {sign}


@pytest.mark.parametrize(("change", "note"), [(closed, "differs"), (unstamped, "")])
def test_a_field_that_evidence_rests_on_is_no_trifle(
    change: Callable[[Packet], None], note: str, tmp_path: Path
) -> None:
    """In the story of a reset. The windows of honest resets often differ too."""
    packets = talk("< RA")
    change(packets[-1])
    path = written(tmp_path / "linux.pcap", packets)
    told = json.loads(run("explain", path, "--format", "json").stdout)
    assert [line["note"] for line in told["comparison"]["lines"] if line["field"] == "window"] == [note]


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("steps", [("< RA",), ("< R",), ("> R",), ("< RA", "> PA 20", "< R"), ("< FA", "> A", "< R")])
def test_what_linux_sends(steps: tuple[str, ...], ipv6: bool, tmp_path: Path) -> None:
    assert evidence(tmp_path, steps, unchanged, ipv6=ipv6) == set()


@pytest.mark.parametrize(("held", "sign"), [(True, {"ip_id_foreign_linux"}), (False, set())])
def test_ip_ids_that_the_capture_may_have_missed_are_no_sign(held: bool, sign: set[str], tmp_path: Path) -> None:
    """The data of an upload. A filter may leave only the acknowledgements."""
    data = [step for _ in range(60) for step in ("> PA 1400", "< A")]
    packets = talk("< A", "< A", *data, "> RA")
    packets[-1].payload.id = packets[-3].payload.id + 5000
    uploaded = [packet for packet in packets if len(packet[TCP].payload) == 1400]
    kept = [packet for packet in packets if held or packet not in uploaded]
    for packet in kept:
        if packet.payload.src == CLIENT and packet is not packets[-1]:
            packet.payload.id = 7 + kept.index(packet)
    assert signs(last_row(tmp_path, kept)) & {"ip_id_foreign_linux"} == sign


@pytest.mark.parametrize(("received", "sign"), [(501, {"abort_window_linux"}), (502, set()), (900, set())])
def test_a_window_that_the_peer_may_have_filled_is_no_sign(received: int, sign: set[str], tmp_path: Path) -> None:
    """After more than the first window. The window scale of the server is not known."""
    packets = talk("> PA 40000", "< A", f"> PA {received}", "< RA")
    closed(packets[-1])
    assert signs(last_row(tmp_path, packets)) == sign


@pytest.mark.parametrize("ipv6", [False, True])
def test_the_answer_to_a_segment_without_ack_is_no_abort(ipv6: bool, tmp_path: Path) -> None:
    assert evidence(tmp_path, ("> P 10", "< RA seq=0"), without_socket, ipv6=ipv6) == set()


@pytest.mark.parametrize("opening_window", [0, 29200, 65535])
def test_only_the_window_of_linux_4_20_tells_that_ip_ids_are_0(opening_window: int, tmp_path: Path) -> None:
    """A SYN proxy, an older Linux, an older Android."""
    packets = talk("< R")
    packets[1][TCP].window = opening_window
    numbered(packets[-1])
    assert signs(last_row(tmp_path, packets)) == set()


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(
    ("change", "verdict"), [(unchanged, "unclear"), (shifted, "unclear"), (acknowledging, "forged")]
)
def test_a_socket_that_goes_on_is_excused_by_its_own_firewall_alone(
    change: Callable[[Packet], None], verdict: str, ipv6: bool, tmp_path: Path
) -> None:
    """It acknowledges 0, or what a device on the path makes of 0. An injector acknowledges the peer's data."""
    packets = talk("< R", "wait 3", "< PA 10", ipv6=ipv6)
    if ipv6:
        unlabelled(packets[-2])
    change(packets[-2])
    row = last_row(tmp_path, packets)
    assert "speaks_after" in row["evidence"].split(";")
    assert row["verdict"] == verdict


@pytest.mark.parametrize(("ipv6", "verdict"), [(False, "unclear"), (True, "likely genuine")])
def test_the_kernel_behind_a_service_with_a_hop_limit_of_its_own(ipv6: bool, verdict: str, tmp_path: Path) -> None:
    """The socket aborts with the service's hop limit. The kernel answers later packets with its default."""
    packets = talk("< RA", "> PA 20", "< R", ipv6=ipv6)
    if ipv6:
        packets[-1].payload.hlim = 42
    else:
        packets[-1].payload.ttl = 42
    row = last_row(tmp_path, packets)
    assert {"hop_gap", "after_own_abort_ipv6" if ipv6 else "after_own_abort"} <= set(row["evidence"].split(";"))
    assert row["verdict"] == verdict


def test_a_proxy_on_linux_that_answers_first_tells_nothing_of_the_host(tmp_path: Path) -> None:
    """Its SYN-ACK, then the host's own, from the distance of the host."""
    packets = talk("< RA")
    for packet in packets[1:]:
        packet.time += 0.02
    own = packets[1].copy()
    own.time -= 0.01
    own[TCP].options = [("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
    packets[1].payload.ttl = 57
    closed(packets[-1])
    assert signs(last_row(tmp_path, [*packets, own])) == set()


def test_a_mirror_port_before_and_after_a_router_shows_one_host_twice(tmp_path: Path) -> None:
    """Every packet, also of the handshake, has one of two hop limits: no device answers for another host."""
    packets = talk("< RA")
    closed(packets[-1])
    copies = [packet.copy() for packet in packets]
    for copy in copies:
        copy.payload.ttl -= 1
    pairs = [each for pair in zip(packets, copies, strict=True) for each in pair]
    for number, packet in enumerate(pairs):
        packet.time += number * 1e-5
    assert "abort_window_linux" in signs(last_row(tmp_path, pairs))


@pytest.mark.parametrize("change", [unstamped, closed])
def test_a_syn_proxy_on_linux_tells_nothing_of_the_host_behind_it(
    change: Callable[[Packet], None], tmp_path: Path
) -> None:
    packets = talk("< RA")
    for packet in packets:
        if packet.payload.src != CLIENT and "S" not in packet[TCP].flags:
            packet.payload.ttl = 57  # the handshake was answered nearer
    change(packets[-1])
    row = last_row(tmp_path, packets)
    assert row["hop_delta"] == "0"
    assert signs(row) == set()


@pytest.mark.parametrize("answers", [True, False])
def test_a_socket_that_answers_what_its_reset_cannot_have_known(answers: bool, tmp_path: Path) -> None:
    """The data pass 3 ms before the reset, and an answer takes 10 ms: the acknowledgement comes after the reset."""
    *before, asked, reset, after = talk("> PA 50", "< R", "< PA 10")
    reset.time, after.time = asked.time + 0.003, asked.time + 0.009  # too early for a delayed packet
    after[TCP].ack -= 0 if answers else 50
    row = last_row(tmp_path, [*before, asked, reset, after])
    assert ("speaks_after" in row["evidence"].split(";")) is answers


@pytest.mark.parametrize("change", [unlabelled, unchanged])
def test_a_timestamp_once_more_speaks_for_a_socket_that_has_a_label(
    change: Callable[[Packet], None], tmp_path: Path
) -> None:
    packets = talk("< RA", ipv6=True)
    change(packets[-1])
    row = last_row(tmp_path, packets)
    assert "active_form" in row["evidence"].split(";")
    assert ("abort_label_stamped" in row["evidence"].split(";")) is (change is unlabelled)
