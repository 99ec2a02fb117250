"""Numbers of the capture file formats pcap and pcapng, each with one name.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html and draft-ietf-opsawg-pcapng-03.html; the longest packet
is that of Wireshark (wiretap/wtap.h).
"""

from __future__ import annotations

import struct

# pcap: the numbers with which a file begins, in either byte order. The last one is Kuznetzov's "modified" format.
PCAP_MICROSECONDS, PCAP_NANOSECONDS, PCAP_MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
PCAP_HEADER, PCAP_RECORD = 24, 16  # bytes before the records, and before each packet
LONGEST_PACKET = 262_144  # bytes; Wireshark calls a file with longer ones damaged

# pcapng: the types of blocks.
SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, NAMES, STATISTICS, PACKET, SECRETS = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6, 10
BYTE_ORDER_MAGIC = 0x1A2B3C4D  # in a section, in its byte order
BLOCK_FRAME = 12  # bytes of a block without a body
PACKET_DATA = 28  # where the packet begins in a packet block, also in the old one
END_OF_OPTIONS, COMMENT, RESOLUTION, FILTER, OFFSET = 0, 1, 9, 11, 14  # options


def pcap_header(link_type: int, longest: int = LONGEST_PACKET) -> bytes:
    """How a little-endian pcap file with times in microseconds begins. `longest`: bytes of a packet at most."""
    return struct.pack("<IHHiIII", PCAP_MICROSECONDS, 2, 4, 0, 0, longest, link_type)


def padded(length: int) -> int:
    """`length`, rounded up to a multiple of four, as fields of blocks are."""
    return (length + 3) // 4 * 4
