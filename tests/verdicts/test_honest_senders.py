"""Honest resets in situations that look like forgery at first sight: no reset may be accused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from support.command_line import rows, run
from support.flows_by_hand import CLIENT, OPEN, SERVER, Talk, written
from verdicts.test_linux_stack import ISN, as_linux, last_row, talk
from verdicts.test_other_stacks import accused, bsd_talk

HERE, OWNER, OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def on_one_link(*steps: str) -> list[Packet]:
    """A conversation between neighbours, each with a MAC and an initial hop limit."""
    packets = talk("> A", *steps)
    for packet in packets:
        packet.payload.ttl = 64
        from_client = packet.payload.src == CLIENT
        packet.src, packet.dst = (HERE, OWNER) if from_client else (OWNER, HERE)
    return packets


@pytest.mark.parametrize("moved", [True, False])
def test_an_address_that_moves_to_another_host(moved: bool, tmp_path: Path) -> None:
    """Its new owner does not know the connection. An injector answers packets that go to another MAC."""
    packets = on_one_link("wait 1", "> PA 10", "< R")
    *_, asked, reset = packets
    reset.src = OTHER
    if moved:
        asked.dst = OTHER
    row = last_row(tmp_path, packets)
    assert accused(row) is not moved
    assert ("own_name" in row["evidence"]) is not moved


def test_an_export_without_the_macs_that_packets_went_to(tmp_path: Path) -> None:
    """Exports of earlier versions lack the destination MAC: they cannot show whether the address has moved."""
    packets = on_one_link("wait 1", "> PA 10", "< R")
    packets[-1].src = OTHER
    export = tmp_path / "old.tsv"
    assert run("export", written(tmp_path / "link.pcap", packets), "-o", export).exit_code == 0
    table = [line.split("\t") for line in export.read_text(encoding="utf-8").splitlines()]
    gone = table[0].index("eth.dst")
    lines = ["\t".join([*line[:gone], *line[gone + 1 :]]) + "\n" for line in table]
    export.write_text("".join(lines), encoding="utf-8")
    (row,) = rows(export)
    assert not accused(row)


def test_a_service_whose_hop_limit_does_not_tell_how_far_it_is(tmp_path: Path) -> None:
    """BGP between neighbours starts from hop limit 1, resets of the kernel start from 64."""
    packets = talk("> A", "wait 1", "> PA 10", "< R")
    for packet in packets:
        packet.payload.ttl = 64 if packet[TCP].flags == "R" else 1
    assert not accused(last_row(tmp_path, packets))


@pytest.mark.parametrize("shown", [True, False])
def test_the_owner_of_an_address_answers_for_a_host_behind_it(shown: bool, tmp_path: Path) -> None:
    """One hop nearer than the container. The owner's own packets come from there too, if the capture has any."""
    packets = talk("wait 1", "> PA 10", "< R")
    packets[-1].payload.ttl += 1
    pings = [
        Ether() / IP(src=SERVER, dst=CLIENT, ttl=61) / ICMP(type="echo-reply", id=number) / Raw(bytes(8))
        for number in range(3)
    ]
    for ping in pings:
        ping.time = packets[0].time
    assert accused(last_row(tmp_path, [*pings, *packets] if shown else packets)) is not shown


def test_a_capture_of_nothing_but_syns_and_resets(tmp_path: Path) -> None:
    """Behind a SYN proxy: the proxy's handshake is no baseline of the server."""
    packets = []
    for port in range(50_000, 50_006):
        flow = Talk(port, isn=ISN).packets((*OPEN, "> PA 10", "< A", "< PA 700", "< RA"))
        for packet in flow:
            as_linux(packet)
            if packet[TCP].flags == "SA":
                packet.payload.ttl = 250
            if packet[TCP].flags == "RA":
                packet[TCP].options = []
        packets += [packet for packet in flow if {"S", "R"} & set(str(packet[TCP].flags))]
    assert not any(accused(row) for row in rows(written(tmp_path / "filtered.pcap", packets)))


def test_a_load_balancer_that_says_so_is_a_front_end(tmp_path: Path) -> None:
    packets = talk("wait 300", "< RA")
    reset = packets[-1]
    reset.payload.ttl, reset[TCP].options, reset[TCP].window = 253, [], 0
    reset[TCP].remove_payload()
    reset[TCP].add_payload(Raw(b"BIG-IP: [0x2409a71:704] Flow expired (sweeper)"))
    row = last_row(tmp_path, packets)
    assert not accused(row)
    assert row["origin"] == "front-end"


@pytest.mark.parametrize(("away", "guilty"), [(-2, False), (-3, False), (2, True)])
def test_from_beyond_the_sender_is_less_telling(away: int, guilty: bool, tmp_path: Path) -> None:
    """Another site may have taken over the address. A device in between is nearer."""
    packets = talk("wait 1", "> PA 10", "< R")
    packets[-1].payload.ttl += away
    assert accused(last_row(tmp_path, packets)) is guilty


@pytest.mark.parametrize(("away", "guilty"), [(-5, False), (5, True)])
def test_a_port_that_a_proxy_does_not_answer_for(away: int, guilty: bool, tmp_path: Path) -> None:
    """Its neighbours' packets come from the proxy, which is nearer. The host itself refuses."""
    packets = [*talk(), *Talk(50_000, 81).packets(("> S", "< RA"), 1_700_000_010)]
    packets[-1].payload.ttl = 55 + away
    for packet in packets[:-1]:
        packet.payload.ttl = 55
    assert accused(last_row(tmp_path, packets)) is guilty


@pytest.mark.parametrize(
    ("conversation", "more", "guilty"), [(bsd_talk, 4, False), (bsd_talk, 5, True), (talk, 4, True)]
)
def test_data_start_from_60_and_resets_from_64(
    conversation: Callable[..., list[Packet]], more: int, guilty: bool, tmp_path: Path
) -> None:
    """As on Solaris, but not on Linux."""
    packets = conversation("wait 1", "> PA 10", "< R")
    for packet in packets:
        packet.payload.ttl = 53
    packets[-1].payload.ttl += more
    assert accused(last_row(tmp_path, packets)) is guilty


@pytest.mark.parametrize(("away", "guilty"), [(-1, False), (1, True)])
def test_another_host_of_a_pool_knows_nothing_of_the_connection(away: int, guilty: bool, tmp_path: Path) -> None:
    """One hop beyond the host that had the address before. A device in between is nearer."""
    packets = talk("wait 1", "> PA 10", "< R")
    packets[-1].payload.ttl += away
    assert accused(last_row(tmp_path, packets)) is guilty


def test_a_burst_over_ways_that_differ_by_a_hop(tmp_path: Path) -> None:
    """A bundle of several links is no injector with many hop limits."""
    packets = talk("wait 1", "> PA 10", "> PA 10", "> PA 10", "< R", "< R", "< R")
    for packet, away in zip(packets[-3:], (0, -1, 1), strict=True):
        packet.payload.ttl += away
    found = rows(written(tmp_path / "bundle.pcap", packets))
    assert len(found) == 3
    assert not any("burst_hops" in row["evidence"] or accused(row) for row in found)


def test_data_in_a_refused_syn_do_not_move_the_stage(tmp_path: Path) -> None:
    """TCP Fast Open."""
    row = last_row(tmp_path, Talk(isn=ISN).packets(("> S 100", f"< RA seq=0 ack={ISN + 101}")))
    assert row["stage"] == "post-syn"
    assert row["cause"] == "connection refused: nothing listens on this port"


def test_an_error_whose_quote_is_cut_before_the_target(tmp_path: Path) -> None:
    """The snap length cuts the quote after the probe's source: it is unknown whether the host itself refuses."""
    probe = IP(src=CLIENT, dst=SERVER, ttl=60) / UDP(sport=40_000, dport=161)
    error = Ether() / IP(src=SERVER, dst=CLIENT, ttl=56) / ICMP(type=3, code=13) / probe
    error.time = 1_700_000_000
    snapped = Ether(bytes(error)[: 14 + 20 + 8 + 18])
    snapped.time, snapped.wirelen = error.time, len(error)
    (row,) = rows(written(tmp_path / "snapped.pcap", [snapped]))
    assert (row["verdict"], row["origin"], row["evidence"]) == ("unclear", "unknown", "no_quote")


@pytest.mark.parametrize("earlier", [True, False])
def test_an_answer_that_took_long_to_what_came_before(earlier: bool, tmp_path: Path) -> None:
    """If round trips vary, the reset may come just after the next segment. Its number shows which one it answers."""
    packets = talk("wait 1", "> PA 20", "wait 0.06", "< PA 40", "wait 0.03", "> PA 20", "< R")
    reset = packets[-1]
    reset.time = packets[-2].time + 0.002
    reset[TCP].seq -= 40 * earlier
    row = last_row(tmp_path, packets)
    assert accused(row) is not earlier
    assert ("unprovoked" in row["evidence"].split(";")) is not earlier


@pytest.mark.parametrize("stamped", [True, False])
def test_the_abort_of_a_host_nearer_than_others_behind_the_same_address(stamped: bool, tmp_path: Path) -> None:
    """Its connection is older than the capture. A device that refuses in the name of the address sends no options."""
    *_, abort = talk("wait 1", "> PA 10", "< RA")
    abort.payload.ttl += 3
    abort[TCP].options = abort[TCP].options if stamped else []
    farther = Talk(port=40001).packets((*OPEN, "> PA 10", "< PA 10", "> PA 10", "< PA 10"), start=abort.time + 1)
    row = last_row(tmp_path, [abort, *farther])
    assert "hop_gap_host" in row["evidence"].split(";")
    assert accused(row) is not stamped
