"""The observables of ICMP and ICMPv6 errors: every fact that an [[icmp]] entry of the rulebook may ask for, by name.

An error rejects a packet, the *probe*, and quotes its beginning. "Source" is the address that the error names as its
own, "target" the address that the probe was sent to, "prober" the one it came from. As everywhere, resets and ICMP
errors are no part of what an address has shown by its authentic packets.
"""

from __future__ import annotations

from heuristics.observables.vocabulary import Observable, Type


def _table(type_: Type, *rows: tuple[str, str, str]) -> tuple[Observable, ...]:
    return tuple(Observable(name, type_, unit, meaning) for name, unit, meaning in rows)


_ERROR = _table(
    Type.INT,
    ("ip_version", "", "4 or 6: the IP header that carries the ICMP error"),
    ("icmp_type", "", "ICMP or ICMPv6 type"),
    ("icmp_code", "", "ICMP or ICMPv6 code"),
    ("hop_limit", "hops", "IPv4 TTL or IPv6 hop limit of the error itself"),
    ("distance", "hops", "initial hop limit (the smallest of 32, 64, 128, 255 not below it) minus hop limit"),
) + _table(
    Type.STR,
    ("icmp_name", "", "type and code in words, such as 'port unreachable'"),
    (
        "icmp_class",
        "",
        "'prohibited' (by policy), 'port' (port or protocol), 'unreachable' (network or host), 'path' (hop limit used "
        "up, too big, malformed) or 'unknown'",
    ),
)

_QUOTE = (
    _table(
        Type.INT,
        ("quoted_hop_limit", "hops", "hop limit that the probe had left when it was rejected"),
        (
            "quoted_travelled",
            "hops",
            "initial hop limit minus quoted hop limit: how far the probe had come; missing where it is used up",
        ),
    )
    + _table(
        Type.STR,
        ("quoted_protocol", "", "what the probe carried: 'tcp', 'udp', 'icmp' or 'other'"),
        ("stage", "", "stage of the probe's TCP flow when the error came; 'unknown' where not known"),
    )
    + _table(
        Type.BOOL,
        ("from_target", "", "the source is the target: the host answers for itself, or something does in its name"),
        ("to_prober", "", "the error goes to the prober"),
        ("source_unspecified", "", "the source is the unspecified address, 0.0.0.0 or ::"),
    )
)

_TARGET = _table(
    Type.INT,
    ("target_packets", "packets", "authentic packets of the target in the whole capture"),
    ("target_distance", "hops", "distance of the target's most frequent hop limit"),
    ("target_nearest", "hops", "the smallest distance that the target shows"),
    ("target_share", "percent", "share of the target's packets that show its most frequent distance"),
    ("target_gap", "hops", "distance difference between the error and the nearest distance the target shows"),
    ("target_idle_us", "us", "time since the target's last authentic packet, when the error came"),
) + _table(
    Type.BOOL,
    ("target_after", "", "the target sends authentic packets later in the capture"),
    ("port_answers", "", "the probed TCP port answers a SYN with a SYN-ACK somewhere in the capture"),
)

_SOURCE = _table(
    Type.INT,
    ("hop_baseline", "hops", "most frequent hop limit of the source's authentic packets"),
    ("source_packets", "packets", "authentic packets of the source in the whole capture"),
    ("source_share", "percent", "share of them that show the most frequent distance"),
    ("source_gap", "hops", "distance difference between the error and the nearest distance the source shows"),
) + _table(
    Type.BOOL,
    ("source_refuses", "", "the source also rejects packets to this target as 'prohibited' or 'port' in the capture"),
)

_PROBER = _table(
    Type.INT,
    (
        "probe_packets",
        "packets",
        "authentic packets of the prober, of the probe's kind (TCP, or all else) where there are any",
    ),
    (
        "probe_hop_limit",
        "hops",
        "the hop limit that the probe may have had at the capture point: of those the packets show, the largest that "
        "has the initial hop limit of the quoted one and is not below it",
    ),
    (
        "quoted_beyond",
        "hops",
        "how far beyond the capture point the probe had come, at most: probe_hop_limit minus quoted_hop_limit, or "
        "quoted_travelled where the capture does not show the prober; missing where none of the prober's hop limits "
        "fits, as when the hop limit was rewritten on the way",
    ),
    (
        "quoted_short",
        "hops",
        "how far from the target the probe was, at least: target_nearest minus quoted_beyond; negative: further",
    ),
)

# Those that a capture always gives; see heuristics.vocabulary.ALWAYS.
ICMP_ALWAYS: frozenset[str] = frozenset({"ip_version", "hop_limit", "distance", "icmp_name", "icmp_class", "stage"})
ICMP_OBSERVABLES: tuple[Observable, ...] = _ERROR + _QUOTE + _TARGET + _SOURCE + _PROBER
ICMP_BY_NAME: dict[str, Observable] = {observable.name: observable for observable in ICMP_OBSERVABLES}
