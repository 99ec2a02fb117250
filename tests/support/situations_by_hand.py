"""Small captures, made by hand, of what explanations and their neighbours in the rulebook are for.

Each is a function that returns packets; `SITUATIONS` has them all by name. The last reset is the one in question,
unless the function says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from support.flows_by_hand import CLIENT, OPEN, SERVER, START, Talk

ISN = 400_000_000
LINUX_SYN = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
UNSTAMPED_SYN = [("MSS", 1460), ("NOP", None), ("NOP", None), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]
OTHER_SYN = [("MSS", 1460), ("NOP", None), ("WScale", 6), ("SAckOK", b""), ("Timestamp", (7, 0))]
STAMPED = [("NOP", None), ("NOP", None), ("Timestamp", (8, 0))]
REQUEST = ("> PA 100", "< A", "< PA 900", "> A")
AGAIN = ("> PA 50", "< PA 300", "> A")
DEVICE_HOP_LIMIT = 57  # of what a device sends; the server's own is 52

SITUATIONS: dict[str, Callable[[], list[Packet]]] = {}


def situation(make: Callable[[], list[Packet]]) -> Callable[[], list[Packet]]:
    """Register a capture by the name of its function."""
    SITUATIONS[make.__name__] = make
    return make


def flow(*steps: str, linux: bool = True, server_hops: int = 52, ipv6: bool = False, port: int = 40000) -> list[Packet]:
    """A conversation as the kernels of both ends send it; each counts its IP IDs by one. Linux, or another stack."""
    packets = Talk(port, isn=ISN, ipv6=ipv6).packets(steps)
    counters = {CLIENT: 7000, SERVER: 21000}
    for packet in packets:
        ip, tcp = packet.payload, packet[TCP]
        bare = linux and tcp.flags == "R"
        tcp.options = (LINUX_SYN if linux else OTHER_SYN) if "S" in tcp.flags else [] if tcp.flags == "R" else STAMPED
        tcp.window = 64240 if "S" in tcp.flags else 0 if tcp.flags == "R" else 502
        from_client = tcp.sport == port
        if ipv6:
            ip.hlim, ip.fl = (64 if from_client else server_hops), 0x12345 + from_client
            continue
        ip.ttl, ip.flags = (64 if from_client else server_hops), "DF"
        counters[ip.src] += 1
        ip.id = 0 if bare else counters[ip.src]
    return packets


def forged(packet: Packet, hop_limit: int, ip_id: int = 0) -> None:
    """Give a packet the hop limit and the IP ID of a device, and no TCP options."""
    packet.payload.ttl, packet.payload.id, packet[TCP].options = hop_limit, ip_id, []


def renumbered(packets: Sequence[Packet], source: str, step: int) -> None:
    """Let the IP IDs of `source` go on by `step`."""
    for number, packet in enumerate(packet for packet in packets if packet.payload.src == source):
        packet.payload.id = 21000 + number * step


# A client that resets on purpose.


def _fake_rst(step: str, *, ipv6: bool = False) -> list[Packet]:
    packets = flow(*OPEN, step, *REQUEST, *AGAIN, ipv6=ipv6)
    fake = packets[3]
    fake[TCP].window, fake[TCP].options = 502, []
    setattr(fake.payload, "hlim" if ipv6 else "ttl", 4)
    if not ipv6:
        fake.payload.id = packets[2].payload.id + 1
    return packets


@situation
def fake_reset_of_a_client() -> list[Packet]:
    """zapret on the client, captured there: hop limit 4, so that it dies before the server."""
    return _fake_rst("> R")


@situation
def fake_abort_of_a_client() -> list[Packet]:
    """The same with ACK."""
    return _fake_rst("> RA")


@situation
def fake_reset_of_a_client_over_ipv6() -> list[Packet]:
    """The same over IPv6, with the flow label of the socket."""
    return _fake_rst("> R", ipv6=True)


@situation
def fake_reset_without_flow_label_at_the_client() -> list[Packet]:
    """The same as a raw socket sends it: with the client's MAC and hop limit, but not with the socket's flow label."""
    packets = _fake_rst("> R", ipv6=True)
    for packet in packets:
        packet.src = "02:00:00:00:00:0a" if packet[TCP].dport == 80 else "02:00:00:00:00:0b"
    packets[3].payload.hlim, packets[3].payload.fl = 64, 0
    return packets


@situation
def reset_of_a_client_after_its_first_data() -> list[Packet]:
    """An injector reads the request and resets in the client's name; the client goes on."""
    packets = flow(*OPEN, "> PA 100", "> R", "< A", "< PA 900", "> A", *AGAIN)
    forged(packets[4], 57, 4711)
    packets[4][TCP].window = 502
    return packets


@situation
def reset_of_a_client_before_its_data_from_elsewhere() -> list[Packet]:
    """An injector resets before the first data, but what it sends would arrive."""
    packets = flow(*OPEN, "> R", *REQUEST, *AGAIN)
    forged(packets[3], 57, 4711)
    packets[3][TCP].window = 502
    return packets


@situation
def fake_abort_with_numbers_of_the_past() -> list[Packet]:
    """A fake that the server drops for its numbers, not for its hop limit."""
    packets = flow(*OPEN, "> RA seq=399990001 ack=1999934465", *REQUEST, *AGAIN)
    packets[3][TCP].window, packets[3][TCP].options = 502, []
    return packets


@situation
def copied_reset_of_a_client_before_its_data() -> list[Packet]:
    """A device that copies hop limit and window resets a connection that has only begun. Seen at the server."""
    packets = flow(*OPEN, "> R", *REQUEST, *AGAIN)
    forged(packets[3], 64, 4711)
    packets[3][TCP].window = 502
    for packet in packets:
        if packet.payload.src == CLIENT:
            packet.payload.ttl = 52
    return packets


# Two initial hop limits.


def _four_hops_nearer(step: str, *, linux: bool = False, counts: bool = True) -> list[Packet]:
    packets = flow(*OPEN, *REQUEST, *AGAIN, "wait 1", "> PA 50", step, linux=linux)
    packets[-1].payload.ttl = 56
    if not counts:
        packets[-1].payload.id = 4711
    return packets


@situation
def data_from_60_and_reset_from_64() -> list[Packet]:
    """Solaris, which aborts."""
    return _four_hops_nearer("< RA")


@situation
def data_from_60_and_bare_reset_from_64() -> list[Packet]:
    """Solaris, which no longer knows the connection."""
    return _four_hops_nearer("< R")


@situation
def device_four_hops_nearer_than_linux() -> list[Packet]:
    """Linux starts all from one hop limit."""
    return _four_hops_nearer("< R", linux=True, counts=False)


@situation
def device_four_hops_nearer_than_another_stack() -> list[Packet]:
    """Its IP ID is of no counter."""
    return _four_hops_nearer("< R", counts=False)


# Another stack.


@situation
def abort_of_aix() -> list[Packet]:
    """Without timestamps and don't-fragment, the next IP ID."""
    packets = flow(*OPEN, *REQUEST, "wait 1", "> PA 50", "< RA", linux=False, server_hops=62)
    packets[-1][TCP].options, packets[-1].payload.flags = [], 0
    return packets


@situation
def abort_unlike_another_stack() -> list[Packet]:
    """The same from a device that copies the hop limit, but no IP ID."""
    packets = abort_of_aix()
    packets[-1].payload.id = 4711
    return packets


# Silent drop.


@situation
def silent_drop_of_a_server() -> list[Packet]:
    """HAProxy, captured at the server: an abort with hop limit 1."""
    packets = flow(*OPEN, *REQUEST, "> PA 50", "< RA", server_hops=64)
    packets[-1].payload.ttl = 1
    return packets


@situation
def reset_that_is_no_silent_drop() -> list[Packet]:
    """Hop limit 1 in the form of a device."""
    packets = flow(*OPEN, *REQUEST, "> PA 50", "< RA", server_hops=64)
    forged(packets[-1], 1, 4711)
    return packets


# Injected data.


@situation
def block_page() -> list[Packet]:
    """Page and reset have a hop limit of their own; the server's answer comes later and shows its own."""
    own = ("< A seq=2000001202", "< PA 300 seq=2000001202")
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< PFA 200", "< RA", *own)
    for number, packet in enumerate(packets[11:13]):
        forged(packet, DEVICE_HOP_LIMIT, 21006 + number)
    return packets


@situation
def abort_by_a_detour_of_two_hops() -> list[Packet]:
    """The server's own abort, and one packet before, come by a shorter way; time stamps and IP IDs go on."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, *AGAIN, "> PA 60", "< PA 200", "> A", "< PA 200", "> PA 10", "< RA")
    sent = [packet for packet in packets if packet.payload.src == SERVER]
    sent[-3].payload.ttl = sent[-1].payload.ttl = 54
    return packets


@situation
def block_page_on_the_first_request() -> list[Packet]:
    """The device drops the request and answers; of the server the capture has the SYN-ACK alone."""
    packets = flow(*OPEN, "> PA 60", "< PFA 200", "< RA")
    for packet in packets[-2:]:
        forged(packet, DEVICE_HOP_LIMIT, 4711)
    return packets


@situation
def data_injected_after_an_honest_abort() -> list[Packet]:
    """They do not show that the sender went on. The abort is the one in question."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< RA", "wait 1", "< PA 200 ack=400000311")
    forged(packets[-1], DEVICE_HOP_LIMIT, 4711)
    return packets


@situation
def sender_goes_on_after_a_reset() -> list[Packet]:
    """The same, but it is the server that goes on."""
    return flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< RA", "wait 1", "< PA 200 ack=400000311")


# Form.


@situation
def abort_of_a_host_with_one_counter() -> list[Packet]:
    """Its IP IDs go on for all its connections, and after a silence by more than 8. An abort without timestamps."""
    packets = flow(*OPEN, *REQUEST, "wait 60", "> PA 50", "< RA", linux=False, server_hops=62)
    renumbered(packets, SERVER, 3)
    packets[-1].payload.id += 20
    packets[-1][TCP].options = []
    return packets


@situation
def refusal_of_an_unasked_syn_ack() -> list[Packet]:
    """A client's kernel refuses an answer that it does not know. It starts resets from 255 and SYNs from 64."""
    packets = flow("> S", "wait 1", "< SA", "> R", linux=False)
    packets[-1].payload.ttl = 255
    return packets


@situation
def refusal_of_a_syn_ack_by_a_device() -> list[Packet]:
    """The same from elsewhere."""
    packets = flow("> S", "wait 1", "< SA", "> R", linux=False)
    forged(packets[-1], 57, 4711)
    return packets


@situation
def abort_with_a_smaller_window() -> list[Packet]:
    """A forger that copies hop limit and timestamps."""
    packets = flow(*OPEN, *REQUEST, "wait 1", "> PA 50", "< RA")
    packets[-1][TCP].window, packets[-1].payload.id = 100, 4711
    return packets


@situation
def abort_with_a_larger_window() -> list[Packet]:
    """A forger that copies the hop limit and counts, where nobody has timestamps."""
    packets = flow(*OPEN, *REQUEST, "wait 1", "> PA 50", "< RA")
    for packet in packets:
        packet[TCP].options = UNSTAMPED_SYN if "S" in packet[TCP].flags else []
    packets[-1][TCP].window = 8192
    return packets


@situation
def abort_with_the_usual_window() -> list[Packet]:
    """The host's own."""
    packets = flow(*OPEN, *REQUEST, "wait 1", "> PA 50", "< RA")
    packets[-1][TCP].window = 501
    return packets


# Across flows.


@situation
def local_device_that_speaks_for_all() -> list[Packet]:
    """Both ends look 0 hops away, and so do servers of two networks."""
    packets: list[Packet] = []
    for number, server in enumerate(("203.0.113.1", "198.51.100.9", "203.0.113.2", "198.51.100.10")):
        made = Talk(40000 + number, isn=ISN + number).packets((*OPEN, "> PA 100", "< RA"), START + number)
        for packet in made:
            ip = packet.payload
            ip.src, ip.dst = (CLIENT, server) if ip.src == CLIENT else (server, CLIENT)
            ip.ttl = 64
        made[-1].payload.id = 9000 + 977 * number
        packets += made
    return packets


def _other_packets(hop_limit: int, make: Callable[[int], Packet]) -> list[Packet]:
    """A closed port refuses, and the capture has other packets in the name of the host that refuses."""
    packets = flow("> S", "< RA seq=0 ack=400000001", server_hops=64)
    packets[-1].payload.id, packets[-1][TCP].options, packets[-1][TCP].window = 0, [], 0
    for number in range(6):
        other = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / make(number)
        other.payload.ttl, other.time = hop_limit, START - 10 + number
        packets.append(other)
    return packets


def _ssdp(number: int) -> Packet:
    return IP(src=SERVER, dst="239.255.255.250", id=number) / UDP(sport=1900, dport=1900) / Raw(b"NOTIFY")


def _answer(number: int) -> Packet:
    return IP(src=SERVER, dst=CLIENT, id=number) / UDP(sport=53, dport=5000) / Raw(b"answer")


def _spoofed_syn(number: int) -> Packet:
    return IP(src=SERVER, dst=CLIENT, id=number) / TCP(sport=5000 + number, dport=22, flags="S", seq=number)


@situation
def refusal_of_a_router_that_sends_ssdp() -> list[Packet]:
    """SSDP starts from 4 and says nothing of the distance."""
    return _other_packets(4, _ssdp)


@situation
def refusal_in_the_name_of_a_host_further_away() -> list[Packet]:
    """Answers of a service do."""
    return _other_packets(44, _answer)


@situation
def refusal_of_a_host_whose_name_others_use() -> list[Packet]:
    """Spoofed SYNs."""
    return _other_packets(44, _spoofed_syn)


@situation
def refused_and_later_accepted() -> list[Packet]:
    """The service came up between the first SYN and the second."""
    packets = flow(
        "> S", "< RA seq=0 ack=400000001", "wait 1", "> S seq=400000000", "< SA ack=400000001", "> A", "> PA 100", "< A"
    )
    packets[1].payload.id, packets[1][TCP].options, packets[1][TCP].window = 0, [], 0
    return packets


@situation
def refused_though_accepted() -> list[Packet]:
    """One SYN, accepted by the host and refused by a device."""
    packets = flow("> S", "< SA", "< RA seq=0 ack=400000001", "> A", "> PA 100", "< A")
    packets[2].payload.id, packets[2][TCP].options, packets[2][TCP].window = 0, [], 0
    return packets
