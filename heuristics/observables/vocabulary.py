"""The observables of a reset: every fact that a rule may read, by name.

This table feeds the rule compiler (names and types), both engines (a test holds each to exactly these names) and the
documentation (`make docs` writes docs/observables.md from it). "Sender" is the claimed source of the reset, "peer" the
other side; "baseline" is what the sender's authentic packets show. Resets and ICMP errors are never part of it.

To add an observable of the context, add a row with the source CONTEXT, and measure it in `take_reset` of both engines
(postproc/flows/reset_context.py, generator/templates/state/reset_context.lua.j2). The rest follows from the row.
"""

from __future__ import annotations

from heuristics.observables.burst_vocabulary import BURST
from heuristics.observables.cross_flow_vocabulary import OF_CAPTURE, OF_CASE, OF_PAIR
from heuristics.observables.ending_vocabulary import ENDING
from heuristics.observables.observable import Mark, ObservableSource, table
from heuristics.observables.observable import Observable as Observable
from heuristics.observables.observable import Type as Type
from heuristics.observables.observable import Value as Value
from heuristics.observables.stated_vocabulary import STATED

HEADER, CONTEXT, FLOW, HOST = (
    ObservableSource.HEADER,
    ObservableSource.CONTEXT,
    ObservableSource.FLOW,
    ObservableSource.HOST,
)
GIVEN, UINT16 = Mark.GIVEN, Mark.UINT16

_FORM = (
    table(
        Type.INT,
        ("ip_version", HEADER, "", "4 or 6: the IP header that carries the TCP header", GIVEN),
        (
            "hop_limit",
            HEADER,
            "hops",
            "IPv4 TTL or IPv6 hop limit of the header that carries the TCP header; missing in text that lacks it, "
            "never in Wireshark",
        ),
        (
            "distance",
            HEADER,
            "hops",
            "initial hop limit (the smallest of 32, 64, 128, 255 not below it) minus hop limit",
        ),
        ("ip_id", HEADER, "", "IPv4 identification; missing in IPv6"),
        ("tos", HEADER, "", "IPv4 TOS byte or IPv6 traffic class"),
        ("flow_label", HEADER, "", "IPv6 flow label; missing in IPv4"),
        ("window", HEADER, "bytes", "TCP window field as it stands in the header, unscaled", GIVEN),
        ("payload_len", HEADER, "bytes", "length of the text a reset may carry (RFC 9293 section 3.5.3)", GIVEN),
        ("options_len", HEADER, "bytes", "length of the TCP options", GIVEN),
        ("reserved_bits", HEADER, "", "the TCP flag bits above CWR (AE and the reserved three), 0-15", GIVEN),
    )
    + table(
        Type.BOOL,
        ("df", HEADER, "", "IPv4 don't-fragment bit; missing in IPv6"),
        ("has_ack", HEADER, "", "the reset has the ACK flag", GIVEN),
    )
    + table(
        Type.STR,
        (
            "payload_kind",
            HEADER,
            "",
            "what the payload is: 'none', 'bigip' (F5's cause), 'henan', 'diagnostic' (IETF draft), 'text' or 'binary'",
            GIVEN,
        ),
        ("netscaler_code", HEADER, "", "what the window means as a NetScaler reset code; missing where it is none"),
    )
)

_BASELINE = table(
    Type.STR,
    ("baseline_source", HOST, "", "where the hop baseline comes from: 'flow', 'host' or 'none'", GIVEN),
) + table(
    Type.INT,
    (
        "hop_baseline",
        HOST,
        "hops",
        "most frequent hop limit of the sender's authentic packets, in the flow or else of the host",
    ),
    ("hop_delta", HOST, "hops", "hop limit minus hop baseline, signed"),
    ("baseline_distance", HOST, "hops", "distance of the hop baseline"),
    ("peer_distance", FLOW, "hops", "distance of the most frequent hop limit of the peer's packets in this flow"),
    (
        "flow_packets",
        FLOW,
        "packets",
        "authentic packets of the sender in this flow, before and after the reset",
        GIVEN,
    ),
    ("flow_values", FLOW, "", "how many different hop limits those packets show", GIVEN),
    (
        "match_packets",
        FLOW,
        "packets",
        "authentic packets in the sender's name, in this flow, with the hop limit of the reset",
        GIVEN,
    ),
    (
        "stray_packets",
        FLOW,
        "packets",
        "the same if another device sent them: few, with a hop limit of their own, amid the sender's packets; else 0",
        GIVEN,
    ),
    ("hop_gap", FLOW, "hops", "distance, on the hop limit scale, to the nearest value the sender shows in this flow"),
    (
        "distance_gap",
        FLOW,
        "hops",
        "the same on the distance scale: another initial hop limit at the same place gives 0",
    ),
    ("handshake_gap", FLOW, "hops", "hop limit difference to the sender's own SYN or SYN-ACK in this flow"),
    ("data_gap", FLOW, "hops", "hop limit difference to the nearest of the sender's other packets in this flow"),
    (
        "host_packets",
        HOST,
        "packets",
        "authentic packets of the sending host in the whole capture, all flows and protocols, but its SYNs",
        GIVEN,
    ),
    ("host_values", HOST, "", "how many different distances those packets show", GIVEN),
    (
        "host_share",
        HOST,
        "percent",
        "share of the host's packets that show its most frequent distance, or one next to it",
    ),
    ("host_gap", HOST, "hops", "distance difference to the nearest distance the host shows anywhere"),
    ("syn_values", HOST, "", "how many different distances the SYNs of the sending host show", GIVEN),
)

_TIMING = table(
    Type.STR,
    ("rtt_source", HOST, "", "where the round trip comes from: 'flow', 'host' or 'none'", GIVEN),
) + table(
    Type.INT,
    ("rtt_us", HOST, "us", "smallest round trip from this capture point to the sender and back"),
    ("acked_us", CONTEXT, "us", "time since the last byte that the reset acknowledges was first seen passing"),
    ("idle_us", CONTEXT, "us", "time since the last packet of the flow, in either direction"),
    (
        "peer_run_us",
        CONTEXT,
        "us",
        "time since the peer's packets began that followed one another closely, up to the last",
    ),
    ("peer_pause_us", CONTEXT, "us", "how long the peer had been silent before these"),
    ("response_us", CONTEXT, "us", "acked_us, or where that is missing the time since the peer's last packet"),
)

_TIMING += table(
    Type.BOOL,
    ("rtt_confirmed", HOST, "", "a second round trip of the same flow or host is at most half as long again as rtt_us"),
)

_FLOW = (
    table(
        Type.STR,
        (
            "stage",
            CONTEXT,
            "",
            "'post-syn', 'post-ack', 'post-psh', 'later', 'after-fin', or 'unknown' where the flow's start is missing",
            GIVEN,
        ),
        ("end_reason", FLOW, "", "why the session ended, as a Palo Alto firewall would log it", GIVEN),
    )
    + table(
        Type.BOOL,
        (
            "sender_is_initiator",
            CONTEXT,
            "",
            "the sender opened the connection; missing where no handshake packet was seen",
        ),
        (
            "syn_only",
            CONTEXT,
            "",
            "the sender opened the connection and had sent nothing but its SYN before the reset",
            GIVEN,
        ),
        ("established", CONTEXT, "", "the sender had sent more than its SYN or SYN-ACK before the reset", GIVEN),
        (
            "seq_foreign",
            CONTEXT,
            "",
            "the sequence number is further than seq_reach from all the sender sent: another conversation's",
            GIVEN,
        ),
        ("port_accepts", HOST, "", "the sender's port answered a SYN with a SYN-ACK somewhere in the capture", GIVEN),
        ("fin_before", CONTEXT, "", "a FIN of either side came before the reset", GIVEN),
        (
            "refuses_accepted",
            FLOW,
            "",
            "refuses (sequence number 0) the very SYN that the sender's SYN-ACK accepts, before or after",
            GIVEN,
        ),
        (
            "answers_earlier",
            CONTEXT,
            "",
            "no ACK, and a sequence number just short of what the peer has acknowledged: it answers an earlier segment",
            GIVEN,
        ),
        (
            "spoke_after",
            HOST,
            "",
            "the sender went on after its own reset, past it in sequence, with no new SYN: a round trip later, or "
            "acknowledging what cannot have reached it before",
            GIVEN,
        ),
    )
    + table(
        Type.INT,
        (
            "resets_before",
            CONTEXT,
            "",
            "earlier resets of this sender in this flow, copies of one packet counted once",
            GIVEN,
            UINT16,
        ),
        (
            "own_resets_before",
            CONTEXT,
            "",
            "those of them that carry a hop limit of the sender's packets, as far as the flow was known by then",
            GIVEN,
            UINT16,
        ),
        ("peer_resets_before", CONTEXT, "", "earlier resets of the peer in this flow", GIVEN, UINT16),
        ("peer_reset_gap_us", CONTEXT, "us", "time between this reset and the nearest one of the peer, either way"),
        (
            "ack_ahead",
            CONTEXT,
            "bytes",
            "how far the acknowledgement lies beyond all the peer sent; missing without ACK",
        ),
        (
            "acked_bytes",
            CONTEXT,
            "bytes",
            "how many bytes after the peer's SYN it acknowledges, signed; missing without ACK",
        ),
        (
            "ack_step",
            CONTEXT,
            "bytes",
            "acknowledgement minus that of the sender's last packet in this flow; missing without ACK",
        ),
        (
            "own_resets",
            FLOW,
            "",
            "resets of this sender in this flow, whole capture, that carry a hop limit of its authentic packets",
            GIVEN,
        ),
        ("own_bare_resets", FLOW, "", "those of them that have no ACK, as a kernel sends them without a socket", GIVEN),
        (
            "seq_ahead",
            CONTEXT,
            "bytes",
            "how far the sequence number lies beyond all the sender sent and the peer acknowledged; negative: behind",
        ),
        (
            "seq_step",
            CONTEXT,
            "bytes",
            "the same, of what the capture holds of the sender: it may have missed the rest",
        ),
    )
)

_OPENING = table(
    Type.BOOL,
    ("opening_df", FLOW, "", "the don't-fragment bit of the sender's own SYN or SYN-ACK (IPv4)"),
    (
        "opening_linux",
        FLOW,
        "",
        "the sender's own SYN or SYN-ACK was captured, has TCP options in Linux's order, and every hop limit of its "
        "other packets",
        GIVEN,
    ),
) + table(
    Type.INT,
    ("opening_label", FLOW, "", "the flow label of the sender's own SYN or SYN-ACK (IPv6)"),
    ("opening_window", FLOW, "", "the window of the sender's own SYN or SYN-ACK"),
    ("peer_syn_tos", FLOW, "", "TOS byte or traffic class of the peer's SYN"),
)

_LIKENESS = table(
    Type.BOOL,
    (
        "id_mirrored",
        CONTEXT,
        "",
        "IP ID (not 0) equal to that of the peer's packet it answers, and not the sender's own next",
    ),
    (
        "window_mirrored",
        CONTEXT,
        "",
        "window (not 0) equal to that of the peer's packet it answers, and not one the sender last used",
    ),
    ("reserved_mirrored", CONTEXT, "", "reserved TCP bits (not 0) equal to those of the peer's packet it answers"),
    (
        "ts_missing",
        CONTEXT,
        "",
        "the sender's packets in this flow carry TCP timestamps, the reset carries none",
        GIVEN,
    ),
    (
        "ack_unflagged",
        CONTEXT,
        "",
        "no ACK flag, but an acknowledgement number, within seq_reach of what the peer sent",
        GIVEN,
    ),
) + table(
    Type.INT,
    ("id_step", CONTEXT, "", "IP ID minus the sender's last IP ID in this flow, modulo 65536", UINT16),
    (
        "own_id_step",
        CONTEXT,
        "",
        "step between the sender's own last two IP IDs before the reset, modulo 65536",
        UINT16,
    ),
    ("own_window", CONTEXT, "", "window of the sender's last packet in this flow", UINT16),
    (
        "ts_step",
        CONTEXT,
        "",
        "TCP timestamp minus the sender's last timestamp in this flow, signed; missing without timestamps",
    ),
)

_LINK = table(
    Type.BOOL,
    (
        "mac_new",
        HOST,
        "",
        "source MAC address that none of the sender's authentic packets has; missing where one has no MAC",
    ),
    (
        "mac_shared",
        HOST,
        "",
        "the sender's authentic packets have a MAC that other addresses send from too, as behind a router",
    ),
    (
        "mac_addressed",
        CONTEXT,
        "",
        "source MAC address that the peer's last packet in this flow went to; missing where that packet's is not known",
    ),
)

OBSERVABLES: tuple[Observable, ...] = (
    *(*_FORM, *STATED, *_BASELINE, *_TIMING, *_FLOW, *ENDING, *_OPENING, *BURST, *_LIKENESS, *_LINK),
    *(*OF_CAPTURE, *OF_PAIR, *OF_CASE),
)

# Known only once the evidence is weighed: for causes and devices, not for rules.
JUDGED: tuple[Observable, ...] = table(
    Type.STR,
    (
        "verdict",
        ObservableSource.JUDGED,
        "",
        "'forged', 'likely forged', 'unclear', 'likely genuine' or 'genuine'",
        GIVEN,
    ),
    ("origin", ObservableSource.JUDGED, "", "'endpoint', 'front-end', 'middlebox' or 'unknown'", GIVEN),
)

# Observables from all captures of the case. Their rules are weighed once every capture is judged; of the other
# observables only those in WITH_CASES are still known then.
OF_CASES = frozenset(observable.name for observable in OBSERVABLES if observable.source is ObservableSource.CASE)
WITH_CASES = frozenset({"distance"})

# Names of those that every capture gives.
ALWAYS = frozenset(observable.name for observable in (*OBSERVABLES, *JUDGED) if observable.always)

# Those that both engines measure when the reset passes.
OF_CONTEXT: tuple[Observable, ...] = tuple(observable for observable in OBSERVABLES if observable.source is CONTEXT)
BY_NAME: dict[str, Observable] = {observable.name: observable for observable in OBSERVABLES}
