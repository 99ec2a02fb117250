"""Honest resets of stacks other than Linux, and not from the sender's socket: no reset may be accused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet
from support.flows_by_hand import CLIENT6, OPEN, Talk
from verdicts.test_linux_stack import ISN, LABEL, as_linux, last_row, talk, unlabelled

BSD_SYN = [("MSS", 1460), ("NOP", None), ("WScale", 6), ("SAckOK", b""), ("Timestamp", (7, 0))]
STAMPED = [("NOP", None), ("NOP", None), ("Timestamp", (8, 0))]
REQUEST = ("> PA 100", "< A", "< PA 900", "> A")


def as_bsd(packet: Packet) -> None:
    """Gives a packet the form of FreeBSD and macOS: timestamps on all packets but resets, IP ID 0."""
    ip, tcp = packet.payload, packet[TCP]
    tcp.options = BSD_SYN if "S" in tcp.flags else [] if "R" in tcp.flags else STAMPED
    if ip.version == 4:
        ip.flags, ip.id = "DF", 0


def bsd_talk(*steps: str, ipv6: bool = False) -> list[Packet]:
    """A conversation between two BSD hosts."""
    packets = Talk(isn=ISN, ipv6=ipv6).packets((*OPEN, *REQUEST, *steps))
    for packet in packets:
        as_bsd(packet)
    return packets


def bsd(folder: Path, *steps: str, ipv6: bool = False, hop_limit: int = 60) -> dict[str, str]:
    """The row of the last packet of such a conversation, a reset with `hop_limit`."""
    packets = bsd_talk(*steps, ipv6=ipv6)
    setattr(packets[-1].payload, "hlim" if ipv6 else "ttl", hop_limit)
    return last_row(folder, packets)


def accused(row: dict[str, str]) -> bool:
    """Whether the verdict is forged or likely forged."""
    return "forged" in row["verdict"]


@pytest.mark.parametrize("ipv6", [False, True])
def test_bsd_gives_up_at_the_segment_that_it_repeats(ipv6: bool, tmp_path: Path) -> None:
    """Its SND.NXT has gone back, and the sequence number of its abort with it."""
    repeated = 5 * ISN + 1 + 900
    again = f"< PA 1000 seq={repeated % 2**32}"
    steps = ("< PA 1000", "< PA 1000", "wait 1", again, "wait 2", again, "wait 4", f"< RA seq={repeated + 1000}")
    row = bsd(tmp_path, *steps, ipv6=ipv6)
    assert "behind_other" in row["evidence"]
    assert not accused(row)


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("step", ["< R", "< RA"])
def test_a_route_that_changed_by_a_hop(step: str, ipv6: bool, tmp_path: Path) -> None:
    assert not accused(bsd(tmp_path, step, ipv6=ipv6, hop_limit=59))


def test_a_stack_that_starts_resets_from_60_and_the_rest_from_64(tmp_path: Path) -> None:
    assert not accused(bsd(tmp_path, "< R", hop_limit=56))


def test_both_sides_timers_run_out_at_once(tmp_path: Path) -> None:
    """A stack that aborts without ACK, while the peer's next request is in flight."""
    packets = bsd_talk("wait 30", "> PA 20", "< R")
    packets[-1].time = packets[-2].time + 0.002
    row = last_row(tmp_path, packets)
    assert "unprovoked_other" in row["evidence"]
    assert not accused(row)


@pytest.mark.parametrize("linux", [False, True])
def test_a_radio_that_slept_during_the_first_round_trips(linux: bool, tmp_path: Path) -> None:
    """300 ms for the first two answers, 40 ms for the third, which is the abort."""
    packets = Talk(isn=ISN).packets(("> S", "wait 0.3", "< SA", "> A", "> PA 100", "wait 0.35", "< PA 90", "> PA 100"))
    packets += Talk(isn=ISN).packets(("< RA",), packets[-1].time + 0.04)
    packets[-1][TCP].seq, packets[-1][TCP].ack = 5 * ISN + 91, ISN + 201
    for packet in packets:
        (as_linux if linux else as_bsd)(packet)
    row = last_row(tmp_path, packets)
    assert ("causality_in_place" if linux else "causality_in_place_other") in row["evidence"].split(";")
    assert not accused(row)


def other_label(packet: Packet) -> None:
    """As Linux labels a reset without socket."""
    packet.payload.fl = LABEL + 77


def own_label(packet: Packet) -> None:
    """Only the socket has this label, or a device that copies it."""
    packet.payload.fl = LABEL + (packet[TCP].dport == 80)


@pytest.mark.parametrize(
    ("change", "away", "steps", "verdict"),
    [
        (other_label, 1, (), "likely genuine"),
        (other_label, 3, (), "unclear"),
        (unlabelled, 1, (), "unclear"),
        (unlabelled, 1, ("wait 3", "< PA 10"), "unclear"),  # its own firewall rejects, and its socket continues
        (own_label, 1, (), "unclear"),
        (own_label, -1, (), "likely forged"),  # a device in between is nearer
        (own_label, 1, ("wait 3", "< PA 10"), "forged"),
    ],
)
def test_routers_may_choose_the_way_by_flow_label(
    change: Callable[[Packet], None], away: int, steps: tuple[str, ...], verdict: str, tmp_path: Path
) -> None:
    packets = talk("< R", *steps, ipv6=True)
    reset = next(packet for packet in packets if packet[TCP].flags == "R")
    change(reset)
    reset.payload.hlim -= away
    assert last_row(tmp_path, packets)["verdict"] == verdict


def test_where_all_of_a_hosts_flows_take_one_way_a_label_explains_nothing(tmp_path: Path) -> None:
    others = [
        packet for port in range(5) for packet in Talk(50_000 + port, ipv6=True).packets((*OPEN, *REQUEST, *REQUEST))
    ]
    for packet in others:
        packet.time -= 60
    packets = talk("< R", ipv6=True)
    unlabelled(packets[-1])
    packets[-1].payload.hlim += 1
    assert last_row(tmp_path, [*others, *packets])["verdict"] == "likely forged"


def test_a_port_used_again_after_the_server_forgot(tmp_path: Path) -> None:
    """No reset, no FIN: the SYN belongs to the old flow, and its refusal refuses no accepted SYN."""
    packets = talk("wait 60", f"> S seq={ISN + 9_000_000}", f"< RA seq=0 ack={ISN + 9_000_001}")
    packets[-1][TCP].options, packets[-1][TCP].window = [], 0
    packets[-1].payload.ttl -= 1
    row = last_row(tmp_path, packets)
    assert not any(sign.startswith("refuses_accepted") for sign in row["evidence"].split(";"))
    assert not accused(row)


def test_a_syn_after_one_that_was_accepted(tmp_path: Path) -> None:
    """The server sent a SYN-ACK for the first attempt, so its refusal of the second one takes nothing back."""
    again = 9_000_000
    steps = ("> S", "< SA", "wait 60", f"> S seq={again}", f"< RA seq=0 ack={again + 1}")
    row = last_row(tmp_path, Talk(isn=ISN).packets(steps))
    assert not any(sign.startswith("refuses_accepted") for sign in row["evidence"].split(";"))


def test_the_client_and_the_server_are_told_apart(tmp_path: Path) -> None:
    """The tests above are about the server. The client's own abort is as innocent."""
    row = bsd(tmp_path, "> R", ipv6=True, hop_limit=59)
    assert row["src"] == CLIENT6
    assert not accused(row)
