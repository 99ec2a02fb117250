"""The columns of an export. The plugin reads the same values, most of them from the bytes of the packet.

Only header fields that stand in the packet are used. What Wireshark derives under preferences (stream numbers,
relative sequence numbers, analysis flags) is left alone, so that a user's settings cannot change a verdict.
"""

from __future__ import annotations

# Fields of the frame and of the Ethernet, IP, TCP, ICMP and UDP headers. In tunnels and ICMP errors a field of the IP
# header has one value for each header; `ip.proto` and `ipv6.nxt` tell which of them carries TCP.
FIELDS: tuple[str, ...] = (
    "frame.number",
    "frame.time_epoch",
    "eth.src",
    "eth.dst",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.id",
    "ip.flags.df",
    "ip.dsfield",
    "ip.proto",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "ipv6.flow",
    "ipv6.tclass",
    "ipv6.nxt",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.hdr_len",
    "tcp.flags",
    "tcp.window_size_value",
    "tcp.len",
    "tcp.option_kind",
    "tcp.options.timestamp.tsval",
    "tcp.reset_cause",
    "f5ethtrailer.rstcausetxt",
    "udp.srcport",
    "udp.dstport",
)

# Exports may lack these; observables of them are then missing.
OPTIONAL_FIELDS = frozenset({"eth.src", "eth.dst", "tcp.option_kind", "f5ethtrailer.rstcausetxt"})

# A column of tables that are read from captures, in no export: the bytes of a diagnostic payload, in hexadecimal.
# tshark shows a payload up to its first NUL only.
PAYLOAD_BYTES = "payload bytes"

# The UDP port of VXLAN (RFC 7348), and that of Linux before this RFC, which flannel and Cilium still use. Wireshark
# knows the first only.
VXLAN_PORT, LINUX_VXLAN_PORT = 4789, 8472
GENEVE_PORT, GTP_U_PORT = 6081, 2152  # RFC 8926; 3GPP TS 29.281

# IP protocol numbers (IANA "Assigned Internet Protocol Numbers").
PROTOCOL_ICMP = 1
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_ICMPV6 = 58

# Next headers that are IPv6 extension headers (IANA "IPv6 Extension Header Types").
IPV6_EXTENSIONS = frozenset({0, 43, 44, 51, 60, 135, 139, 140})

# ICMP error types: RFC 792 (3, 4, 5, 11, 12); ICMPv6: every type below 128 is an error (RFC 4443 section 2.1).
ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
USED_UP = 1  # a packet that is rejected with this hop limit or less was not forwarded for want of hops
ICMP_REDIRECT = 5  # counts as an error, but rejects nothing: not judged
ICMPV6_FIRST_INFORMATIONAL = 128

# TCP flag bits (RFC 9293 section 3.1). The four bits above CWR are the AE flag (RFC 9768) and the reserved ones.
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
RESERVED_UNIT = 256

# Option kinds of a Linux SYN or SYN-ACK, in its order: segment size (2), SACK permitted (4), timestamps (8),
# padding (1), window scale (3); and the same without timestamps.
LINUX_OPTIONS = ("2,4,8,1,3", "2,1,1,4,1,3")


def reserved_bits(flags: int) -> int:
    """The four TCP flag bits above CWR: AE and the reserved three."""
    return flags // RESERVED_UNIT
