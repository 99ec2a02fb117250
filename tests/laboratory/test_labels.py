"""The laboratory's labels, on small made captures: what left an endpoint is the endpoint's, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.capture import Frame
from lab.labels import Note, Setup, events
from lab.packets import ACK, RST, SYN, TCP, Packet, build, read_frame
from lab.rewrap import mirrored, move_events, one_hop_later, tagged

CLIENT, SERVER, ROUTER, VIRTUAL = "192.0.2.10", "203.0.113.20", "198.51.100.1", "203.0.113.99"
MILLISECOND = 1_000_000
WIRE = 5 * MILLISECOND
CLIENT_MAC, SERVER_MAC, OTHER_MAC = (bytes.fromhex(f"02000000000{n}") for n in (1, 2, 3))
PORT = 8080

SYN_PACKET = Packet(4, CLIENT, SERVER, 64, TCP, 7, True, 0, 0, 40_000, PORT, 1000, 0, SYN, window=64240)
SYN_ACK = Packet(4, SERVER, CLIENT, 64, TCP, 0, True, 0, 0, PORT, 40_000, 5000, 1001, SYN | ACK, window=65160)
RESET = Packet(4, SERVER, CLIENT, 64, TCP, 0, True, 0, 0, PORT, 40_000, 5001, 1001, RST | ACK)


def frame(packet: Packet, at: int, outgoing: bool = False) -> Frame:
    """A frame of one side's capture; `at` in nanoseconds."""
    return Frame(at, CLIENT_MAC + OTHER_MAC + b"\x08\x00" + build(packet), outgoing)


def arrived(packet: Packet, hops: int = 5) -> Packet:
    """The packet at the end of its way."""
    return replace(packet, hop_limit=packet.hop_limit - hops)


def path_setup(**changes: object) -> Setup:
    """A client, a server, and router r1 between them, which plays the device."""
    owners = {CLIENT: "client", SERVER: "server", ROUTER: "r1", VIRTUAL: "r1"}
    notes = [Note(PORT, "abort", "server"), Note(PORT, "reject", "device")]
    return Setup(owners, "r1", notes, **changes)  # type: ignore[arg-type]


def label(
    client: Sequence[Frame], server: Sequence[Frame], device: Sequence[Frame] = (), with_setup: Setup | None = None
) -> tuple[list[dict[str, object]], list[str]]:
    """The client's labels, after a handshake that shows what the wire takes."""
    shake = frame(arrived(SYN_ACK), WIRE)
    taps = {"client": [shake, *client], "server": [frame(SYN_ACK, 0, True), *server], "device.client": device}
    return events("client", taps, with_setup or path_setup())


def test_a_reset_that_left_the_server_one_wire_delay_earlier_is_the_servers() -> None:
    found, problems = label([frame(arrived(RESET), 105 * MILLISECOND)], [frame(RESET, 100 * MILLISECOND, True)])
    assert [(e["frame"], e["origin"], e["node"], e["mechanism"]) for e in found] == [(2, "endpoint", "server", "abort")]
    assert problems == []


def test_a_reset_that_only_the_device_sent_is_a_middleboxs() -> None:
    found, problems = label([frame(RESET, 100 * MILLISECOND)], [], [frame(RESET, 99 * MILLISECOND, True)])
    assert [(e["origin"], e["node"], e["mechanism"]) for e in found] == [("middlebox", "r1", "reject")]
    assert problems == []


def test_a_reset_that_nobody_was_seen_to_send_is_counted() -> None:
    found, problems = label([frame(RESET, 100 * MILLISECOND)], [])
    assert [(e["origin"], e["node"]) for e in found] == [("middlebox", "unknown")]
    assert problems == ["frame 2: nobody was seen to send it"]


def test_neighbours_among_themselves_are_no_event() -> None:
    assert label([frame(replace(RESET, source="169.254.0.7"), 100 * MILLISECOND)], []) == ([], [])


def test_the_same_packet_too_soon_for_the_wire_is_not_the_servers() -> None:
    device = [frame(RESET, 100 * MILLISECOND, True)]
    found, problems = label([frame(RESET, 101 * MILLISECOND)], [frame(RESET, 100 * MILLISECOND, True)], device)
    assert [e["origin"] for e in found] == ["middlebox"]
    assert "the wire takes 5.000 ms" in problems[0]


def test_one_departure_accounts_for_one_arrival() -> None:
    arrivals = [frame(arrived(RESET), at * MILLISECOND) for at in (105, 130)]
    found, problems = label(arrivals, [frame(RESET, 100 * MILLISECOND, True)], [frame(RESET, 128 * MILLISECOND, True)])
    assert [e["origin"] for e in found] == ["endpoint", "middlebox"]
    assert problems == ["frame 2: 2 arrivals of what left its sender 1 times"]


def test_a_router_that_owns_the_address_is_a_front_end() -> None:
    refusal = replace(RESET, source=VIRTUAL)
    found, problems = label([frame(refusal, 100 * MILLISECOND)], [], [frame(refusal, 99 * MILLISECOND, True)])
    assert [(e["origin"], e["node"]) for e in found] == [("front-end", "r1")]
    assert problems == []


def test_behind_address_translation_the_server_still_speaks() -> None:
    left, came = RESET, arrived(replace(RESET, source=VIRTUAL))
    found, _ = label([frame(came, 105 * MILLISECOND)], [frame(left, 100 * MILLISECOND, True)],
                     with_setup=path_setup(aliases={VIRTUAL: SERVER}))  # fmt: skip
    assert [(e["origin"], e["node"]) for e in found] == [("endpoint", "server")]


def test_behind_a_syn_proxy_sequence_numbers_do_not_count() -> None:
    came = arrived(replace(RESET, sequence=9_999_999))
    found, _ = label([frame(came, 105 * MILLISECOND)], [frame(RESET, 100 * MILLISECOND, True)],
                     with_setup=path_setup(renumbered={PORT}))  # fmt: skip
    assert [(e["origin"], e["mechanism"]) for e in found] == [("endpoint", "abort")]


def test_a_host_that_forwards_for_another_speaks_for_itself_only() -> None:
    owners = {CLIENT: "client", "203.0.113.130": "h1", "203.0.113.131": "h2"}
    with_setup = Setup(owners, "r1", [Note(PORT, "closed_port", "server")], hosts={"client", "server", "h1", "h2"})
    near, far = (replace(RESET, source=address) for address in owners if address != CLIENT)
    taps = {
        "client": [frame(arrived(near), 105 * MILLISECOND), frame(arrived(far, 6), 107 * MILLISECOND)],
        "server": [],
        "h1": [frame(near, 100 * MILLISECOND, True), frame(arrived(far, 1), 102 * MILLISECOND, True)],
        "h2": [frame(far, 101 * MILLISECOND, True)],
    }
    found, problems = events("client", taps, with_setup)
    assert [(e["origin"], e["node"], e["mechanism"]) for e in found] == [
        ("endpoint", "h1", "closed_port"),
        ("endpoint", "h2", "closed_port"),
    ]
    assert problems == []


def test_what_is_built_is_read_again() -> None:
    for packet in (SYN_PACKET, RESET, replace(RESET, version=6, source="2001:db8::1", target="2001:db8::2",
                                              ip_id=None, df=None, flow_label=0xBEEF)):  # fmt: skip
        ethertype = b"\x08\x00" if packet.version == 4 else b"\x86\xdd"
        assert read_frame(CLIENT_MAC + OTHER_MAC + ethertype + build(packet)) == packet


def test_one_hop_later_is_one_less_with_a_right_checksum() -> None:
    later = one_hop_later(frame(RESET, 0).data)
    assert later == frame(replace(RESET, hop_limit=63), 0).data


def test_a_mirrored_capture_labels_both_copies() -> None:
    class Late:
        """A mirror that copies late."""

        def choice(self, kinds: Sequence[str]) -> str:
            return kinds[-1]

        def randrange(self, *_: int) -> int:
            return 8 * MILLISECOND

    frames = [frame(RESET, 0), frame(SYN_ACK, 3 * MILLISECOND)]
    entries = mirrored(frames, Late())  # type: ignore[arg-type]
    assert [(index, copy) for index, copy, _ in entries] == [(0, False), (1, False), (0, True), (1, True)]
    moved = move_events([{"frame": 1, "origin": "endpoint"}], entries)
    assert [(e["frame"], e.get("copy")) for e in moved] == [(1, None), (3, True)]


def test_a_vlan_tag_sits_before_the_ethertype() -> None:
    import random

    (_, _, out), = tagged([frame(RESET, 0)], random.Random(1))  # fmt: skip
    assert out.data[12:14] == b"\x81\x00"
    assert out.data[16:18] == b"\x08\x00"
