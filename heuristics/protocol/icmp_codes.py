"""ICMP and ICMPv6 errors by type and code: the meaning of each in words, and its class.

Sources: RFC 792, RFC 1122 section 3.2.2 and RFC 1812 section 5.2.7 (IPv4); RFC 4443 with RFC 6554, 7112, 8754 and 8883
(IPv6); the IANA registries "ICMP Type Numbers" and "ICMPv6 Parameters". Redirects (IPv4 type 5) reject nothing, so they
are not among them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class IcmpClass(StrEnum):
    """The class of an ICMP error: why it rejects the packet that it quotes."""

    PROHIBITED = "prohibited"  # by policy, and it says so
    PORT = "port"  # nothing listens there: only the addressed host knows (RFC 1122 section 3.2.2.1)
    UNREACHABLE = "unreachable"  # no way to the host: a router knows
    PATH = "path"  # something on the way: hop limit used up, too big, malformed
    UNKNOWN = "unknown"


class IcmpMeaning(NamedTuple):
    """The meaning of one type and code."""

    icmp_class: IcmpClass
    name: str


_Codes = dict[tuple[int, int, int], IcmpMeaning]


def _of(version: int, icmp_class: IcmpClass, names: dict[tuple[int, int], str]) -> _Codes:
    return {(version, *code): IcmpMeaning(icmp_class, name) for code, name in names.items()}


# By IP version, type and code.
ICMP_MEANINGS: _Codes = (
    _of(
        4,
        IcmpClass.PROHIBITED,
        {
            (3, 9): "network administratively prohibited",
            (3, 10): "host administratively prohibited",
            (3, 13): "communication administratively prohibited",
        },
    )
    | _of(4, IcmpClass.PORT, {(3, 2): "protocol unreachable", (3, 3): "port unreachable"})
    | _of(
        4,
        IcmpClass.UNREACHABLE,
        {
            (3, 0): "network unreachable",
            (3, 1): "host unreachable",
            (3, 6): "destination network unknown",
            (3, 7): "destination host unknown",
            (3, 8): "source host isolated",
            (3, 11): "network unreachable for this type of service",
            (3, 12): "host unreachable for this type of service",
        },
    )
    | _of(
        4,
        IcmpClass.PATH,
        {
            (3, 4): "fragmentation needed but forbidden",
            (3, 5): "source route failed",
            (3, 14): "host precedence violation",
            (3, 15): "precedence cutoff in effect",
            (4, 0): "source quench",
            (11, 0): "time to live exceeded in transit",
            (11, 1): "fragment reassembly time exceeded",
            (12, 0): "parameter problem",
            (12, 1): "required option missing",
            (12, 2): "bad length",
        },
    )
    | _of(
        6,
        IcmpClass.PROHIBITED,
        {
            (1, 1): "communication administratively prohibited",
            (1, 5): "source address failed ingress or egress policy",
            (1, 6): "reject route to destination",
        },
    )
    | _of(6, IcmpClass.PORT, {(1, 4): "port unreachable", (4, 1): "unrecognized next header"})
    | _of(6, IcmpClass.UNREACHABLE, {(1, 0): "no route to destination", (1, 3): "address unreachable"})
    | _of(
        6,
        IcmpClass.PATH,
        {
            (1, 2): "beyond scope of source address",
            (1, 7): "error in source routing header",
            (1, 8): "headers too long",
            (2, 0): "packet too big",
            (3, 0): "hop limit exceeded in transit",
            (3, 1): "fragment reassembly time exceeded",
            (4, 0): "erroneous header field",
            (4, 2): "unrecognized option",
            (4, 3): "first fragment has an incomplete header chain",
            (4, 4): "segment routing upper-layer header error",
            (4, 5): "unrecognized next header at an intermediate node",
            (4, 6): "extension header too big",
            (4, 7): "extension header chain too long",
            (4, 8): "too many extension headers",
            (4, 9): "too many options in an extension header",
            (4, 10): "option too big",
        },
    )
)


def icmp_meaning(version: int, icmp_type: int, icmp_code: int | None) -> IcmpMeaning:
    """The meaning of an error of IP `version`. A type or code that is not defined has its numbers for a name."""
    unknown = f"type {icmp_type} code {'unknown' if icmp_code is None else icmp_code}"
    return ICMP_MEANINGS.get((version, icmp_type, -1 if icmp_code is None else icmp_code)) or IcmpMeaning(
        IcmpClass.UNKNOWN, unknown
    )
