"""IP headers and addresses as tcpdump prints them: whole with -v, else the two addresses only."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from heuristics.protocol.tshark_fields import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP
from postproc.capture.text.reading import BROKEN, NotUnderstoodError

IPV4_IN_IP, IPV6_IN_IP, GRE = 4, 41, 47  # IP protocol numbers of tunnels (RFC 2003, RFC 2473, RFC 2784)

_ENDS = r"\s+(?P<src>[0-9a-fA-F:.]+)(?:%[\w.-]+)? > (?P<dst>[0-9a-fA-F:.]+?)(?:%[\w.-]+)?:(?=\s|$)"
_V4 = re.compile(
    r"\(tos 0x(?P<tos>[0-9a-f]{1,2})(?:,(?:ECT\(\d\)|CE))?,(?: ttl (?P<ttl>\d{1,3}),)? id (?P<id>\d{1,5}), "
    r"offset (?P<offset>\d+), flags \[(?P<df>[^\]]{0,20})\], proto [^()]{0,40}\((?P<proto>\d{1,3})\), "
    r"length (?P<length>\d+)(?:, options \((?P<options>[^()]*)\))?(?:, bad cksum [0-9a-f]+ \(->[0-9a-f]+\)!)?\)" + _ENDS
)
_V6 = re.compile(
    r"\((?:class 0x(?P<tclass>[0-9a-f]{1,2}), )?(?:flowlabel 0x(?P<label>[0-9a-f]{1,5}), )?hlim (?P<ttl>\d{1,3}), "
    r"next-header [^()]{0,40}\((?P<proto>\d{1,3})\),? (?:payload )?length: (?P<length>\d+)\)" + _ENDS
)
_IP = re.compile(r"\((?=tos 0x|class 0x|flowlabel 0x|hlim )")
# Without -v. What follows the addresses shows what the packet carries.
_PLAIN = re.compile(
    r"(?:(?:^|\s)(?P<name>IP6?)|ethertype (?P<type>IPv[46]) \(0x[0-9a-f]{4}\),(?: length \d+:)?)" + _ENDS
)
_CARRIED = (
    (re.compile(r" Flags \["), PROTOCOL_TCP),
    (re.compile(r" ICMP "), PROTOCOL_ICMP),
    (re.compile(r" ICMP6, "), PROTOCOL_ICMPV6),
    (re.compile(r" IP "), IPV4_IN_IP),
    (re.compile(r" IP6 "), IPV6_IN_IP),
    (re.compile(r" GREv"), GRE),
)
_LARGEST_BYTE = 0xFF


@dataclass(frozen=True, slots=True)
class Header:
    """An IP header, and where it ends in the text. `src` and `dst` are as printed, with ports.

    `fields` is empty without -v, and `proto` 0 where the text does not show it.
    """

    version: int
    fields: dict[str, str | None]
    src: str
    dst: str
    proto: int
    end: int


def begins_header(body: str) -> bool:
    """Whether an IP header begins somewhere in the text, whole or not."""
    return _IP.search(body) is not None


def next_header(body: str, start: int) -> Header | None:
    """The first IP header from `start` on, if it is whole."""
    begin, plain = _IP.search(body, start), _PLAIN.search(body, start)
    if plain is not None and (begin is None or plain.start() < begin.start()):
        return _plain_header(body, plain)
    if begin is None:
        return None
    version, found = 4, _V4.match(body, begin.start())
    if found is None:
        version, found = 6, _V6.match(body, begin.start())
    if found is None:
        return None
    fields = found.groupdict()
    largest = max(int(fields["ttl"] or 0), int(fields["proto"] or 0), int(fields.get("id") or 0) // 256)
    if largest > _LARGEST_BYTE:
        return None
    return Header(version, fields, found["src"], found["dst"], int(found["proto"]), found.end())


def _plain_header(body: str, found: re.Match[str]) -> Header:
    version = 6 if found["name"] == "IP6" or found["type"] == "IPv6" else 4
    carried = (protocol for words, protocol in _CARRIED if words.match(body, found.end()))
    return Header(version, {}, found["src"], found["dst"], next(carried, 0), found.end())


def is_fragment(header: Header) -> bool:
    return header.version == 4 and header.fields.get("offset", "0") != "0"


@lru_cache(maxsize=65_536)
def split_port(text: str, version: int) -> tuple[str, int | None]:
    """An address and the port after it. Raises NotUnderstoodError where it is none."""
    address, _, port = text.rpartition(".")
    try:
        if text.count(".") == (4 if version == 4 else 1) and port.isdecimal() and int(port) < 65_536:
            return _address(address, version), int(port)
        if version == 6 and text.count(".") == 4 and port.isdecimal():  # 2001:db8::192.0.2.1.80
            return _address(address, version), int(port)
        return _address(text, version), None
    except ValueError:
        raise NotUnderstoodError(BROKEN) from None


def _address(text: str, version: int) -> str:
    """An address as Wireshark writes it. Raises ValueError."""
    if version == 4:
        return str(ipaddress.IPv4Address(text))
    return ipaddress.IPv6Address(text).compressed if "." not in text else text.lower()
