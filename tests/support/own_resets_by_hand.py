"""Situations of senders that reset a flow themselves as well, made by hand; registered with situations_by_hand.py."""

from __future__ import annotations

from scapy.layers.inet import TCP
from scapy.packet import Packet

from support.situations_by_hand import DEVICE_HOP_LIMIT, OPEN, REQUEST, flow, situation


def _abort_then(*answers: str) -> list[Packet]:
    """The server aborts while data are on their way to it; bare resets follow."""
    packets = flow(*OPEN, *REQUEST, "> PA 100", "> PA 100", "< RA", *answers)
    for packet in packets[-len(answers) :]:
        packet[TCP].window = 0
    return packets


@situation
def device_beside_a_kernel_that_resets_too() -> list[Packet]:
    """The kernel's answer has the hop limit of the server's service; a device resets as well."""
    packets = _abort_then("< R", "< R")
    packets[-1].payload.ttl = DEVICE_HOP_LIMIT
    return packets


@situation
def kernel_with_a_hop_limit_of_its_own() -> list[Packet]:
    """The service sends with a hop limit of its own, its kernel's answers come with another."""
    packets = _abort_then("< R", "< R")
    for packet in packets[-2:]:
        packet.payload.ttl = DEVICE_HOP_LIMIT
    return packets
