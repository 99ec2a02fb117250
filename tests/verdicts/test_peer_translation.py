"""Captures of both sides of a NAT: flows are the same though their addresses and ports are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from scapy.packet import Packet
from support.both_ends import OPENED, both, table
from support.command_line import LAB, run
from support.flows_by_hand import CLIENT, SERVER, START, written
from support.session_logs import EXAMPLE

from bench.public_captures import captures_of_others
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import LEFT_SENDER, NEVER_LEFT, ReconcileResult, Undecided

INSIDE, VIRTUAL, NAT = "10.0.0.7", "198.51.100.80", "198.51.100.9"
CASE = captures_of_others() / "cases" / "24-inside-and-outside-nat"


def renamed(packets: list[Packet], names: dict[str, str], ports: dict[int, int] | None = None) -> list[Packet]:
    """The packets with other addresses and ports."""
    for packet in packets:
        ip = packet.payload
        ip.src, ip.dst = names.get(ip.src, ip.src), names.get(ip.dst, ip.dst)
        tcp = ip.payload
        tcp.sport, tcp.dport = (ports or {}).get(tcp.sport, tcp.sport), (ports or {}).get(tcp.dport, tcp.dport)
    return packets


def both_ends(steps: Sequence[str], forged: int) -> tuple[list[Packet], list[Packet]]:
    """A talk as captured at both ends, which talk a minute before and after, too, with numbers of their own."""
    client, server = both(steps, forged)
    for start, port in ((START - 60, 40001), (START + 60, 40002)):
        for side, packets in zip((client, server), both(OPENED, 0, start, port), strict=True):
            side += renumbered(packets, port)
    return client, server


def renumbered(packets: list[Packet], by: int) -> list[Packet]:
    """The packets with other sequence and acknowledgement numbers."""
    for packet in packets:
        tcp = packet.payload.payload
        tcp.seq, tcp.ack = (tcp.seq + by) % 2**32, (tcp.ack + by) % 2**32 if tcp.flags.A else 0
    return packets


def compared(folder: Path, capture: list[Packet], peer: list[Packet], complete: Sequence[str] = ()) -> ReconcileResult:
    """What the peer says about the resets of the capture."""
    tables = [table(written(folder / name, packets)) for name, packets in (("here.pcap", capture), ("peer.pcap", peer))]
    return reconcile(*tables, complete)


def rules(result: ReconcileResult) -> list[str]:
    return [each.rule_id for each in result.evidence]


@pytest.mark.parametrize(("reset", "forged", "rule"), [("> R", 1, NEVER_LEFT), ("> RA", 0, LEFT_SENDER)])
@pytest.mark.parametrize("ports", [None, {40000: 61001}], ids=["port kept", "port changed"])
def test_behind_a_source_nat(reset: str, forged: int, rule: str, ports: dict[int, int] | None, tmp_path: Path) -> None:
    """Captured at the server, where the client has the address of the NAT; the peer is the client."""
    steps = [*OPENED, "> PA 10", "< A", reset, *(["> PA 20"] if forged else [])]
    client, server = both_ends(steps, 0)
    if forged:
        client = [packet for packet in client if not packet.payload.payload.flags.R]
    result = compared(tmp_path, renamed(server, {CLIENT: NAT}, ports), client)
    assert rules(result) == [rule]
    (found,) = result.translations
    assert (found.source.here, found.source.there) == ((NAT, (ports or {}).get(40000, 40000)), (CLIENT, 40000))
    assert not found.destination.is_translated


def test_the_server_behind_a_source_nat_is_seen_through_from_the_other_side_too(tmp_path: Path) -> None:
    """Captured at the client; the peer is the server, which knows the client by another address."""
    client, server = both_ends([*OPENED, "< R"], 1)
    assert rules(compared(tmp_path, client, renamed(server, {CLIENT: NAT}))) == [NEVER_LEFT]


def test_a_load_balancer_may_speak_for_its_address(tmp_path: Path) -> None:
    """The peer is the server behind it: a reset that the server never sent is the load balancer's own."""
    client, server = both_ends([*OPENED, "< R"], 1)
    here = renamed(client, {SERVER: VIRTUAL})
    result = compared(tmp_path, here, server)
    assert rules(result) == []
    assert [(each.why, each.resets) for each in result.undecided] == [(Undecided.FRONT_END, 1)]
    assert result.translations[0].destination.is_translated
    client, server = both_ends([*OPENED, "< R"], 0)
    assert rules(compared(tmp_path, renamed(client, {SERVER: VIRTUAL}), server)) == [LEFT_SENDER]


def refused_at_a_router(port: int) -> tuple[list[Packet], list[Packet]]:
    """A talk through a router that forwards port 80 of its address, and its refusal of a SYN to `port`.

    Captured at the client, which resets the talk, and at the server, which has nothing of the SYN.
    """
    client, server = both_ends([*OPENED, "> R"], 0)
    refused, _ = both(["> S", "< RA"], 2, START + 1, 40003)
    return renamed([*client, *renamed(refused, {}, {80: port})], {SERVER: VIRTUAL}), server


@pytest.mark.parametrize("named", [[SERVER], [SERVER, VIRTUAL]], ids=["local", "as the user says"])
@pytest.mark.parametrize("port", [80, 8443], ids=["a forwarded port", "another port"])
def test_a_router_refuses_the_ports_that_it_does_not_forward(port: int, named: list[str], tmp_path: Path) -> None:
    """Even where the server's capture holds every packet of the server: the address is the router's."""
    client, server = refused_at_a_router(port)
    result = compared(tmp_path, client, server, complete=named)
    assert [each.destination.here for each in result.translations] == [(VIRTUAL, 80)]
    assert rules(result) == []
    undecided = {each.why: each.resets for each in result.undecided}
    assert undecided == {Undecided.NOT_AT_SENDER: 1, Undecided.FRONT_END: 1}


def test_a_host_itself_refuses_the_ports_of_its_own_address(tmp_path: Path) -> None:
    """The same talks without translation: the complete capture at the server lacks the refusal, so it is forged."""
    client, server = refused_at_a_router(8443)
    result = compared(tmp_path, renamed(client, {VIRTUAL: SERVER}), server, complete=[SERVER])
    assert rules(result) == [NEVER_LEFT]


def test_a_nat_refuses_the_ports_of_its_address(tmp_path: Path) -> None:
    """Captured at a server that also connects to the address of a NAT; the peer is a client behind the NAT."""
    client, server = both_ends([*OPENED, "> R"], 0)
    _, refused = both(["< S", "> RA"], 0, START + 1, 40003)
    result = compared(tmp_path, renamed([*server, *refused], {CLIENT: NAT}), client, complete=[CLIENT, NAT])
    assert rules(result) == [LEFT_SENDER]
    assert [(each.why, each.resets) for each in result.undecided] == [(Undecided.FRONT_END, 1)]


def test_both_ends_translated(tmp_path: Path) -> None:
    client, server = both_ends([*OPENED, "< R"], 0)
    result = compared(tmp_path, client, renamed(server, {CLIENT: NAT, SERVER: INSIDE}, {40000: 1234, 80: 8080}))
    assert rules(result) == [LEFT_SENDER]
    (found,) = result.translations
    assert found.source.is_translated
    assert found.destination.is_translated


def other_numbers(packets: list[Packet]) -> list[Packet]:
    return renumbered(packets, 12345)


def twice(packets: list[Packet]) -> list[Packet]:
    """The same flow under two more addresses: on both sides of a further NAT."""
    copies = renamed([packet.copy() for packet in packets], {NAT: "10.0.0.99"})
    return [*packets, *copies]


@pytest.mark.parametrize("change", [other_numbers, twice])
def test_what_is_not_sure_is_no_translation(change: Callable[[list[Packet]], list[Packet]], tmp_path: Path) -> None:
    client, server = both_ends([*OPENED, "< R"], 1)
    result = compared(tmp_path, client, change(renamed(server, {CLIENT: NAT})))
    assert result.translations == ()
    assert rules(result) == []
    assert sum(each.resets for each in result.undecided) == 1


def test_inside_and_outside_of_a_nat() -> None:
    """A case of the field: the NAT answers late segments in its own name."""
    if not CASE.is_dir():
        pytest.skip("the cases are not here")
    found = json.loads(run("reconcile", "--no-cache", CASE, "--format", "json").stdout)
    assert [(row["capture"], row["frame"], row["evidence"], row["verdict"]) for row in found] == [
        ("outside.pcap", frame, "never_left", "forged") for frame in (30, 34, 38)
    ]
    assert {row["witness_src"] for row in found} == {"198.51.100.3"}


def test_the_example_is_decided_on_both_sides_of_its_firewall() -> None:
    shown = run("reconcile", "--no-cache", EXAMPLE).stdout
    assert "2 pairs of captures compared, 17 findings" in shown
    assert "NAT between client.pcap and server.pcap: the source 192.0.2.30 is 198.51.100.4 there (4 flows" in shown
    assert "the peer may lack packets of the sender (--complete says that it holds all)" in shown
    whole = json.loads(run("reconcile", "--no-cache", "--complete", EXAMPLE, "--format", "json").stdout)
    assert len(whole) == 18
    forged = [row for row in whole if row["evidence"] == "never_left"]
    assert {80} == {port for row in forged for port in (row["sport"], row["dport"]) if port < 1024}


def test_no_comparison_is_without_a_reason() -> None:
    captures = [LAB / "02_reject_syn_r1.client.pcap", LAB / "03_reject_midstream_r1.router.pcap"]
    names = [path for path in captures if path.exists()] + [EXAMPLE / "client.pcap"]
    shown = run("reconcile", "--no-cache", *names).stdout
    assert "0 findings" in shown
    assert "Not compared: " in shown
    assert "they were taken more than ten minutes apart" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server.pcap", "write CAPTURE=ADDRESS"),
        ("nowhere.pcap=192.0.2.1", "where CAPTURE is one of these: client.pcap, server.pcap"),
        ("server.pcap=here", "'here' is no address"),
    ],
)
def test_a_host_must_name_a_capture_and_an_address(text: str, said: str) -> None:
    result = run("reconcile", "--host", text, EXAMPLE)
    assert result.exit_code == 2
    assert said in result.stderr


def test_host_says_where_a_capture_was_taken(tmp_path: Path) -> None:
    """A host that sends with an unusual hop limit does not look local; --host says that it is."""
    client, server = both_ends([*OPENED, "< R"], 1)
    for packet in server:
        packet.payload.ttl = {64: 100}.get(packet.payload.ttl, packet.payload.ttl)
    for packet in client:
        packet.payload.ttl = {60: 96}.get(packet.payload.ttl, packet.payload.ttl)
    written(tmp_path / "client.pcap", client)
    written(tmp_path / "server.pcap", server)
    plain = run("reconcile", "--no-cache", tmp_path)
    assert "0 findings" in plain.stdout
    named = run("reconcile", "--no-cache", "--host", f"server.pcap={SERVER}", tmp_path, "--format", "json")
    assert [row["evidence"] for row in json.loads(named.stdout)] == ["never_left"]
