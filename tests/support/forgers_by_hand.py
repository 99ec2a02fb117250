"""Situations of devices that look like the sender, made by hand; registered with those of situations_by_hand.py."""

from __future__ import annotations

from scapy.layers.inet import TCP
from scapy.packet import Packet

from support.situations_by_hand import AGAIN, OPEN, REQUEST, UNSTAMPED_SYN, flow, forged, situation

BEFORE_SERVER = 54  # the hop limit of what comes from two hops before the server
SHAPED = 12_503  # how far the second reset of a pair is ahead (peer-to-peer shaper)
COPY_S = 0.00002  # from one interface to the next
NEXT_PORT = {40000: 41000, 80: 8443}


def _refusal() -> list[Packet]:
    """A refusal of another port, two hops before the server, one round trip (10 ms) after the SYN."""
    packets = flow("> S", "< RA seq=0")
    forged(packets[1], BEFORE_SERVER)
    for packet in packets:
        tcp = packet[TCP]
        packet.time, tcp.sport, tcp.dport = packet.time + 10, NEXT_PORT[tcp.sport], NEXT_PORT[tcp.dport]
    packets[1][TCP].window = 0
    return packets


@situation
def refusal_by_the_owner_of_an_address() -> list[Packet]:
    """The device that forwards port 80 to the server refuses another port, or a firewall there does."""
    return [*flow(*OPEN, *REQUEST, *AGAIN), *_refusal()]


@situation
def refusal_by_a_device_that_resets_open_connections() -> list[Packet]:
    """The same, but from there an open connection of the server was reset as well."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< R")
    packets[-1].payload.ttl = BEFORE_SERVER
    return [*packets, *_refusal()]


@situation
def block_page_that_the_server_never_answers() -> list[Packet]:
    """The page is the last that the capture has in the server's name; it started from 128, the server from 64."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< PFA 200", "> A", "< RA")
    for packet in (packets[-3], packets[-1]):
        forged(packet, 120, 4711)
    return packets


@situation
def abort_by_a_detour_at_the_end() -> list[Packet]:
    """The server's own last packets come by a way that is two hops shorter: the initial hop limit stays."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< PA 200", "> A", "< RA")
    for packet in (packets[-3], packets[-1]):
        packet.payload.ttl = BEFORE_SERVER
    return packets


@situation
def abort_after_the_kernel_knew_no_socket() -> list[Packet]:
    """Linux without timestamps: RST+ACK with the server's hop limit, after a reset without ACK with the same."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< R", "< RA")
    for packet in packets:
        packet[TCP].options = UNSTAMPED_SYN if "S" in packet[TCP].flags else []
    packets[-1].payload.id = 0
    return packets


@situation
def two_pairs_of_a_shaper() -> list[Packet]:
    """Two pairs of resets in one burst, from two places; the second of each is far ahead."""
    packets = flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< R", "< R", "< R", "< R")
    for number, (packet, hop_limit) in enumerate(zip(packets[-4:], (21, 21, 105, 105), strict=True)):
        forged(packet, hop_limit, 4711 + number)
        packet[TCP].window, packet[TCP].seq = 10240, packet[TCP].seq + 14 * (number // 2) + SHAPED * (number % 2)
    return packets


@situation
def refusal_on_three_interfaces() -> list[Packet]:
    """On all interfaces of a host with two virtual routers: each packet passes three times, one hop limit less each."""
    seen = []
    for packet in flow(*OPEN, *REQUEST, *AGAIN, "> PA 60", "< R"):
        for crossed in range(3):
            copy = packet.copy()
            copy.payload.ttl, copy.time = packet.payload.ttl - crossed, packet.time + crossed * COPY_S
            seen.append(copy)
    return seen
