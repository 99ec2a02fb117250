"""Situations of address translation (NAT), made by hand; they are registered with those of situations_by_hand.py.

The client dials VIRTUAL, an address that a device translates to that of the server behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from support.flows_by_hand import CLIENT, OPEN, SERVER
from support.situations_by_hand import AGAIN, REQUEST, flow, situation

VIRTUAL = "198.51.100.10"
LEAK = ("< PA 300", "> R")  # the server's next data come with its own address, and the client's kernel refuses them
COPY_US = 20  # from a packet to its translated copy


def dialled(packets: Sequence[Packet]) -> list[Packet]:
    """The packets as they pass before the device that translates: VIRTUAL in place of SERVER."""
    for packet in packets:
        ip = packet[IP]
        ip.src, ip.dst = (VIRTUAL if address == SERVER else address for address in (ip.src, ip.dst))
    return list(packets)


def both_ways(packets: Sequence[Packet]) -> list[Packet]:
    """The packets as a capture of all interfaces of the device has them: those of the server, and translated ones.

    The server is 4 hops behind the device, the client 2 hops before it.
    """
    made = []
    for packet in packets:
        from_client = packet[IP].src == CLIENT
        packet.payload.ttl = 61 if from_client else 60
        [copy] = dialled([packet.copy()])
        copy.payload.ttl = 62 if from_client else 59
        first, second = (copy, packet) if from_client else (packet, copy)
        first.time, second.time = packet.time, packet.time + COPY_US / 1e6
        made += [first, second]
    return made


def refusal(hop_limit: int) -> list[Packet]:
    """A SYN to another port of VIRTUAL, and a refusal as Linux netfilter makes it."""
    packets = dialled(flow("> S", "< RA seq=0", port=41000))
    packets[1].payload.ttl, packets[1].payload.id = hop_limit, 0
    packets[1][TCP].window, packets[1][TCP].options = 0, []
    for packet in packets:
        packet.time += 10
        packet[TCP].sport, packet[TCP].dport = (
            {80: 8443}.get(each, each) for each in (packet[TCP].sport, packet[TCP].dport)
        )
    return packets


def connection_that_leaks() -> list[Packet]:
    """At the client: the translation is lost in the midst of a connection."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, *LEAK)
    packets[-1][TCP].window = 0
    return [*dialled(packets[:-2]), *packets[-2:]]


@situation
def reset_that_is_not_translated() -> list[Packet]:
    """Between client and device: the server's own reset passes with its own address, and with its own port."""
    *packets, reset = flow(*OPEN, *REQUEST, "> RA", "< R")
    reset[TCP].sport = 8443
    return [*dialled(packets), reset]


@situation
def reset_with_the_number_of_another_connection() -> list[Packet]:
    """As before, but the number is not that of the connection."""
    packets = reset_that_is_not_translated()
    packets[-1][TCP].seq += 1_000_000
    return packets


@situation
def refusal_of_an_undialled_address() -> list[Packet]:
    """At the device, on all interfaces: the server's data pass untranslated, and so does the client's refusal."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, *LEAK)
    packets[-2].payload.ttl, packets[-1].payload.ttl, packets[-1][TCP].window = 60, 62, 0
    return [*both_ways(packets[:-2]), *packets[-2:]]


@situation
def reset_of_a_translated_connection() -> list[Packet]:
    """At the device, on all interfaces: a bare reset in the client's name passes under both addresses."""
    return both_ways(flow(*OPEN, *REQUEST, *AGAIN, "> R"))


@situation
def refusal_of_the_device_that_translates() -> list[Packet]:
    """At the client: a leak shows that the address is translated, and from nearer another port of it is refused."""
    return [*connection_that_leaks(), *refusal(57)]


@situation
def answer_of_a_device_that_no_longer_translates() -> list[Packet]:
    """At the client: after the leak, the device itself answers what the client still sends to VIRTUAL."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, *LEAK, "> FA", "< R")
    for packet in (packets[-3], packets[-1]):
        packet[TCP].window = 0
    packets[-1].payload.ttl = 57
    return [*dialled(packets[:-4]), *packets[-4:-2], *dialled(packets[-2:])]


@situation
def reset_from_before_a_device_that_translates() -> list[Packet]:
    """At the device, on all interfaces: something between it and the client resets in the name of VIRTUAL."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "< R")
    packets[-1].payload.ttl, packets[-1][TCP].window = 63, 0
    return [*both_ways(packets[:-1]), *dialled(packets[-1:])]


@situation
def refusal_at_the_device_that_translates() -> list[Packet]:
    """At the device itself, on all interfaces; a connection was aborted before."""
    asked, refused = refusal(64)
    asked.payload.ttl, refused.time = 62, asked.time + COPY_US / 1e6
    return [*both_ways(flow(*OPEN, *REQUEST, *AGAIN, "< RA")), asked, refused]


@situation
def refusal_beside_a_flow_that_is_no_counterpart() -> list[Packet]:
    """At the client: another host happens to have a connection to the same port of the client."""
    packets = connection_that_leaks()
    for packet in packets[-2:]:
        packet[TCP].seq, packet[TCP].ack = packet[TCP].seq + 10**9, packet[TCP].ack and packet[TCP].ack + 10**9
    return [*packets, *refusal(57)]


@situation
def refusal_by_masquerade() -> list[Packet]:
    """At a router that translates the client's address: the client's own reset passes with its own address."""
    *packets, reset = flow(*OPEN, *REQUEST, "< RA", "> R")
    for packet in packets:
        ip = packet[IP]
        ip.src, ip.dst = (VIRTUAL if address == CLIENT else address for address in (ip.src, ip.dst))
    return [*packets, reset]
