"""Encapsulation: ports and payloads behind which Wireshark may find another packet (tunnels, packet records).

UDP is decodable only where it certainly encapsulates no packet; TCP unless it may encapsulate one, as few protocols
over TCP do. From `tshark -G decodes` and `tshark -G heuristic-decodes` of 4.0, 4.4 and 4.6.
"""

from __future__ import annotations

import numpy as np

from postproc.capture.prefilter.arrays import Bytes, Flags, Headers, Integers, read_at

# DNS, DHCP, NTP, NetBIOS, SNMP, IKE, syslog, DHCPv6, SSDP, WS-Discovery, mDNS, LLMNR.
_UDP_NOT_ENCAPSULATING = (53, 67, 68, 123, 137, 138, 161, 162, 500, 514, 546, 547, 1900, 3702, 5353, 5355)
_QUIC = 443
_QUIC_FIXED_BIT = 0x40  # RFC 9000 section 17: set in the first byte of every packet of version 1
# Ports of protocols that encapsulate packets: IP, Ethernet, Wi-Fi, PPP, GTP and others.
_UDP_ENCAPSULATING = (
    *(213, 434, 573, 1701, 2002, 2123, 2152, 2157, 2222, 2268, 2887, 3386, 3503, 3544, 4305, 4306, 4307, 4341, 4500),
    *(4729, 4754, 4789, 4790, 5000, 5072, 5201, 5246, 5247, 5436, 5555, 6081, 6118, 6343, 6543, 6635, 7932, 8472),
    *(8848, 9214, 12220, 12222, 12223, 17220, 17754, 19999, 37008, 44818),
)
# rpcap, GTP, FCIP, USB/IP, iFCP, LISP, OpenFlow, STT; X.25, ATM, IPsec and UMA over TCP, DLSw, Gryphon.
_TCP_ENCAPSULATING = (
    *(2002, 2123, 2152, 3225, 3240, 3386, 3420, 4341, 4342, 6633, 6653, 7471),
    *(1998, 2812, 10000, 14001, 2065, 2067, 7000),
)
# Wireshark knows these protocols by their port, so it does not guess from the payload.
_TCP_KNOWN = (
    *(21, 22, 23, 25, 53, 80, 102, 110, 139, 143, 179, 389, 443, 445, 465, 587, 636, 993, 995, 1433, 1521, 1883, 3128),
    *(3306, 3389, 5060, 5061, 5432, 6379, 8080, 27017),
)
_START = np.dtype([("a", "u1"), ("b", "u1"), ("c", "u1"), ("d", "u1"), ("last", ">u4")])
_OPENFLOW_VERSIONS, _OPENFLOW_TYPES = 6, 40
_RPCAP_TYPES, _RPCAP_LONGEST = 20, 262_144
_UDP_HEADER = 8


def _either(ports: Headers, known: tuple[int, ...]) -> Flags:
    return np.isin(ports["sport"], known) | np.isin(ports["dport"], known)


def udp_without_packet(data: Bytes, at: Integers, ports: Headers) -> Flags:
    """Which UDP packets encapsulate no packet. `at` is where their headers begin, `ports` has their ports."""
    first = read_at(data, at + _UDP_HEADER, _START)
    # Wireshark recognises QUIC by its payload. Packet records and transport streams begin with marks of their own.
    guessed = (first["a"] == 0x47) | (first["a"] == ord("R")) | (first["a"] == 0xBE)
    quic = _either(ports, (_QUIC,)) & (first["a"] >= _QUIC_FIXED_BIT) & ~guessed
    without: Flags = (_either(ports, _UDP_NOT_ENCAPSULATING) | quic) & ~_either(ports, _UDP_ENCAPSULATING)
    return without


def tcp_may_carry_packet(data: Bytes, at: Integers, ports: Headers) -> Flags:
    """Which TCP segments may encapsulate a packet. `at` is where their payloads begin."""
    may_carry = _either(ports, _TCP_ENCAPSULATING)
    guessed = np.flatnonzero(~may_carry & ~_either(ports, _TCP_KNOWN))
    first = read_at(data, at[guessed], _START)
    length = first["c"].astype(np.int64) * 256 + first["d"]
    openflow = (first["a"] - 1 < _OPENFLOW_VERSIONS) & (first["b"] <= _OPENFLOW_TYPES) & (length >= 8)
    rpcap = (first["a"] == 0) & (first["b"] & 0x7F < _RPCAP_TYPES) & (first["b"] & 0x7F != 0)
    fibre_channel = (first["a"] ^ first["c"] == 0xFF) & (first["b"] ^ first["d"] == 0xFF)
    may_carry[guessed] = openflow | (rpcap & (first["last"] <= _RPCAP_LONGEST)) | fibre_channel
    return may_carry
