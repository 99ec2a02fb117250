"""The observables of ICMP and ICMPv6 errors: every fact that an [[icmp]] entry of the rulebook may ask for, by name.

An error rejects a packet, the *probe*, and quotes its beginning. "Source" is the address that the error names as its
own, "target" the address that the probe was sent to, "prober" the one it came from. As everywhere, resets and ICMP
errors are no part of what an address has shown by its authentic packets.
"""

from __future__ import annotations

from heuristics.observables.observable import Mark, Observable, ObservableSource, Type, table

HEADER, CONTEXT, HOST, CAPTURE = (
    ObservableSource.HEADER,
    ObservableSource.CONTEXT,
    ObservableSource.HOST,
    ObservableSource.CAPTURE,
)
GIVEN = Mark.GIVEN

_ERROR = table(
    Type.INT,
    ("ip_version", HEADER, "", "4 or 6: the IP header that carries the ICMP error", GIVEN),
    ("icmp_type", HEADER, "", "ICMP or ICMPv6 type"),
    ("icmp_code", HEADER, "", "ICMP or ICMPv6 code"),
    ("hop_limit", HEADER, "hops", "IPv4 TTL or IPv6 hop limit of the error itself; missing in text that lacks it"),
    (
        "distance",
        HEADER,
        "hops",
        "initial hop limit (the smallest of 32, 64, 128, 255 not below it) minus hop limit",
    ),
) + table(
    Type.STR,
    ("icmp_name", HEADER, "", "type and code in words, such as 'port unreachable'", GIVEN),
    (
        "icmp_class",
        HEADER,
        "",
        "'prohibited' (by policy), 'port' (port or protocol), 'unreachable' (network or host), 'path' (hop limit used "
        "up, too big, malformed) or 'unknown'",
        GIVEN,
    ),
)

_QUOTE = (
    table(
        Type.INT,
        ("quoted_hop_limit", HEADER, "hops", "hop limit that the probe had left when it was rejected"),
        (
            "quoted_travelled",
            HEADER,
            "hops",
            "initial hop limit minus quoted hop limit: how far the probe had come; missing where it is used up",
        ),
    )
    + table(
        Type.STR,
        ("quoted_protocol", HEADER, "", "what the probe carried: 'tcp', 'udp', 'icmp' or 'other'"),
        ("stage", CONTEXT, "", "stage of the probe's TCP flow when the error came; 'unknown' where not known", GIVEN),
    )
    + table(
        Type.BOOL,
        (
            "from_target",
            HEADER,
            "",
            "the source is the target: the host answers for itself, or something does in its name",
        ),
        ("to_prober", HEADER, "", "the error goes to the prober"),
        ("source_unspecified", HEADER, "", "the source is the unspecified address, 0.0.0.0 or ::"),
    )
)

_TARGET = table(
    Type.INT,
    ("target_packets", HOST, "packets", "authentic packets of the target in the whole capture"),
    ("target_distance", HOST, "hops", "distance of the target's most frequent hop limit"),
    ("target_nearest", HOST, "hops", "the smallest distance that the target shows"),
    ("target_share", HOST, "percent", "share of the target's packets that show its most frequent distance"),
    ("target_gap", HOST, "hops", "distance difference between the error and the nearest distance the target shows"),
    ("target_idle_us", CONTEXT, "us", "time since the target's last authentic packet, when the error came"),
) + table(
    Type.BOOL,
    ("target_after", HOST, "", "the target sends authentic packets later in the capture"),
    ("port_answers", HOST, "", "the probed TCP port answers a SYN with a SYN-ACK somewhere in the capture"),
)

_SOURCE = table(
    Type.INT,
    ("hop_baseline", HOST, "hops", "most frequent hop limit of the source's authentic packets"),
    ("source_packets", HOST, "packets", "authentic packets of the source in the whole capture"),
    ("source_share", HOST, "percent", "share of them that show the most frequent distance"),
    ("source_gap", HOST, "hops", "distance difference between the error and the nearest distance the source shows"),
) + table(
    Type.BOOL,
    (
        "source_refuses",
        CAPTURE,
        "",
        "the source also rejects packets to this target as 'prohibited' or 'port' in the capture",
    ),
)

_PROBER = table(
    Type.INT,
    (
        "probe_packets",
        HOST,
        "packets",
        "authentic packets of the prober, of the probe's kind (TCP, or all else) where there are any",
    ),
    (
        "probe_hop_limit",
        HOST,
        "hops",
        "the hop limit that the probe may have had at the capture point: of those the packets show, the largest that "
        "has the initial hop limit of the quoted one and is not below it",
    ),
    (
        "quoted_beyond",
        HOST,
        "hops",
        "how far beyond the capture point the probe had come, at most: probe_hop_limit minus quoted_hop_limit, or "
        "quoted_travelled where the capture does not show the prober; missing where none of the prober's hop limits "
        "fits, as when the hop limit was rewritten on the way",
    ),
    (
        "quoted_short",
        HOST,
        "hops",
        "how far from the target the probe was, at least: target_nearest minus quoted_beyond; negative: further",
    ),
)

ICMP_OBSERVABLES: tuple[Observable, ...] = _ERROR + _QUOTE + _TARGET + _SOURCE + _PROBER
ICMP_ALWAYS: frozenset[str] = frozenset(observable.name for observable in ICMP_OBSERVABLES if observable.always)
ICMP_BY_NAME: dict[str, Observable] = {observable.name: observable for observable in ICMP_OBSERVABLES}
