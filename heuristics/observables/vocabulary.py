"""The observables: every fact about a reset that a rule may weigh, by name.

This one table feeds the rule compiler (names and types), both engines (a test holds each to exactly these names) and
the documentation (docs/observables.md is written from it). "Sender" is the claimed source of the reset, "peer" the
other side; "baseline" is what the sender's authentic packets show, resets and ICMP errors never being part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """The type of an observable or of an expression. Integers only: both engines compute the same bits."""

    INT = "int"
    BOOL = "bool"
    STR = "str"


@dataclass(frozen=True, slots=True)
class Observable:
    """One fact about a reset. `unit` is empty where the value is a plain number, a name or a flag."""

    name: str
    type: Type
    unit: str
    meaning: str


# An observable that was not there to be measured is None (nil in Lua): a rule that reads it does not fire.
Value = int | bool | str | None


def _table(type_: Type, *rows: tuple[str, str, str]) -> tuple[Observable, ...]:
    return tuple(Observable(name, type_, unit, meaning) for name, unit, meaning in rows)


_FORM = (
    _table(
        Type.INT,
        ("ip_version", "", "4 or 6: the IP header that carries the TCP header"),
        ("hop_limit", "hops", "IPv4 TTL or IPv6 hop limit of the header that carries the TCP header"),
        ("distance", "hops", "initial hop limit (the smallest of 32, 64, 128, 255 not below it) minus hop limit"),
        ("ip_id", "", "IPv4 identification; missing in IPv6"),
        ("tos", "", "IPv4 TOS byte or IPv6 traffic class"),
        ("flow_label", "", "IPv6 flow label; missing in IPv4"),
        ("window", "bytes", "TCP window field as it stands in the header, unscaled"),
        ("payload_len", "bytes", "length of the text a reset may carry (RFC 9293 section 3.5.3)"),
        ("options_len", "bytes", "length of the TCP options"),
        ("reserved_bits", "", "the TCP flag bits above CWR (AE and the reserved three), 0-15"),
    )
    + _table(
        Type.BOOL,
        ("df", "", "IPv4 don't-fragment bit; missing in IPv6"),
        ("has_ack", "", "the reset has the ACK flag"),
    )
    + _table(
        Type.STR,
        (
            "payload_kind",
            "",
            "what the payload is: 'none', 'bigip' (F5's cause), 'henan', 'diagnostic' (CBOR), 'text' or 'binary'",
        ),
        ("netscaler_code", "", "what the window means as a NetScaler reset code; missing where it is none"),
    )
)

_BASELINE = _table(
    Type.STR,
    ("baseline_source", "", "where the hop baseline comes from: 'flow', 'host' or 'none'"),
) + _table(
    Type.INT,
    (
        "hop_baseline",
        "hops",
        "most frequent hop limit of the sender's authentic packets, in the flow or else of the host",
    ),
    ("hop_delta", "hops", "hop limit minus hop baseline, signed"),
    ("baseline_distance", "hops", "distance of the hop baseline"),
    ("flow_packets", "packets", "authentic packets of the sender in this flow, before and after the reset"),
    ("flow_values", "", "how many different hop limits those packets show"),
    ("hop_gap", "hops", "distance, on the hop limit scale, to the nearest value the sender shows in this flow"),
    ("distance_gap", "hops", "the same on the distance scale: another initial hop limit at the same place gives 0"),
    ("handshake_gap", "hops", "hop limit difference to the sender's own SYN or SYN-ACK in this flow"),
    ("data_gap", "hops", "hop limit difference to the nearest of the sender's other packets in this flow"),
    ("host_packets", "packets", "authentic packets of the sending host in the whole capture, all flows and protocols"),
    ("host_values", "", "how many different distances those packets show"),
    ("host_share", "percent", "share of the host's packets that show its most frequent distance, or one next to it"),
    ("host_gap", "hops", "distance difference to the nearest distance the host shows anywhere"),
)

_TIMING = _table(
    Type.STR,
    ("rtt_source", "", "where the round trip comes from: 'flow', 'host' or 'none'"),
) + _table(
    Type.INT,
    ("rtt_us", "us", "smallest round trip from this capture point to the sender and back"),
    ("acked_us", "us", "time since the last byte that the reset acknowledges was first seen passing"),
    ("idle_us", "us", "time since the last packet of the flow, in either direction"),
    ("peer_run_us", "us", "time since the peer's packets began that followed one another closely, up to the last"),
    ("peer_pause_us", "us", "how long the peer had been silent before these"),
    ("response_us", "us", "acked_us, or where that is missing the time since the peer's last packet"),
)

_TIMING += _table(
    Type.BOOL,
    ("rtt_confirmed", "", "a second round trip of the same flow or host is at most half as long again as rtt_us"),
)

_FLOW = (
    _table(
        Type.STR,
        (
            "stage",
            "",
            "'post-syn', 'post-ack', 'post-psh', 'later', 'after-fin', or 'unknown' where the flow's start is missing",
        ),
        ("end_reason", "", "why the session ended, as a Palo Alto firewall would log it"),
    )
    + _table(
        Type.BOOL,
        ("sender_is_initiator", "", "the sender opened the connection; missing where no handshake packet was seen"),
        ("syn_only", "", "the sender opened the connection and had sent nothing but its SYN before the reset"),
        ("established", "", "the sender had sent more than its SYN or SYN-ACK before the reset"),
        (
            "seq_foreign",
            "",
            "the sequence number is further than seq_reach from all the sender sent: another conversation's",
        ),
        ("port_accepts", "", "the sender's port answered a SYN with a SYN-ACK somewhere in the capture"),
        ("fin_before", "", "a FIN of either side came before the reset"),
        (
            "refuses_accepted",
            "",
            "refuses (sequence number 0) the very SYN that the sender's SYN-ACK accepts, before or after",
        ),
        (
            "answers_earlier",
            "",
            "no ACK, and a sequence number just short of what the peer has acknowledged: it answers an earlier segment",
        ),
        (
            "spoke_after",
            "",
            "the sender went on after its own reset, past it in sequence, with no new SYN: a round trip later, or "
            "acknowledging what cannot have reached it before",
        ),
    )
    + _table(
        Type.INT,
        ("resets_before", "", "earlier resets of this sender in this flow, copies of one packet counted once"),
        ("peer_resets_before", "", "earlier resets of the peer in this flow"),
        ("peer_reset_gap_us", "us", "time between this reset and the nearest one of the peer, either way"),
        ("ack_ahead", "bytes", "how far the acknowledgement lies beyond all the peer sent; missing without ACK"),
        ("acked_bytes", "bytes", "how many bytes after the peer's SYN it acknowledges, signed; missing without ACK"),
        (
            "ack_step",
            "bytes",
            "acknowledgement minus that of the sender's last packet in this flow; missing without ACK",
        ),
        (
            "own_resets",
            "",
            "resets of this sender in this flow, whole capture, that carry a hop limit of its authentic packets",
        ),
        (
            "seq_ahead",
            "bytes",
            "how far the sequence number lies beyond all the sender sent and the peer acknowledged; negative: behind",
        ),
        ("seq_step", "bytes", "the same, of what the capture holds of the sender: it may have missed the rest"),
    )
)

_OPENING = _table(
    Type.BOOL,
    ("opening_df", "", "the don't-fragment bit of the sender's own SYN or SYN-ACK (IPv4)"),
    (
        "opening_linux",
        "",
        "the sender's own SYN or SYN-ACK was captured, has TCP options in Linux's order, and every hop limit of its "
        "other packets",
    ),
) + _table(
    Type.INT,
    ("opening_label", "", "the flow label of the sender's own SYN or SYN-ACK (IPv6)"),
    ("opening_window", "", "the window of the sender's own SYN or SYN-ACK"),
    ("peer_syn_tos", "", "TOS byte or traffic class of the peer's SYN"),
)

_BURST = _table(
    Type.INT,
    ("burst_size", "", "resets of this sender in one burst (each soon after the one before), copies counted once"),
    ("burst_values", "", "different hop limits among them"),
    ("burst_foreign", "", "different hop limits among them that the sender's authentic packets in the flow never show"),
    ("burst_seqs", "", "different sequence numbers among them"),
    ("burst_ahead", "", "different sequence numbers among them that lie beyond all the sender sent"),
)

_LIKENESS = _table(
    Type.BOOL,
    ("id_mirrored", "", "IP ID (not 0) equal to that of the peer's packet it answers, and not the sender's own next"),
    (
        "window_mirrored",
        "",
        "window (not 0) equal to that of the peer's packet it answers, and not one the sender last used",
    ),
    ("reserved_mirrored", "", "reserved TCP bits (not 0) equal to those of the peer's packet it answers"),
    ("ts_missing", "", "the sender's packets in this flow carry TCP timestamps, the reset carries none"),
    ("ack_unflagged", "", "no ACK flag, but an acknowledgement number, within seq_reach of what the peer sent"),
) + _table(
    Type.INT,
    ("id_step", "", "IP ID minus the sender's last IP ID in this flow, modulo 65536"),
    ("own_id_step", "", "step between the sender's own last two IP IDs before the reset, modulo 65536"),
    ("own_window", "", "window of the sender's last packet in this flow"),
    ("ts_step", "", "TCP timestamp minus the sender's last timestamp in this flow, signed; missing without timestamps"),
)

_LINK = _table(
    Type.BOOL,
    ("mac_new", "", "source MAC address that none of the sender's authentic packets has; missing where one has no MAC"),
    (
        "mac_shared",
        "",
        "the sender's authentic packets have a MAC that other addresses send from too, as behind a router",
    ),
    (
        "mac_addressed",
        "",
        "source MAC address that the peer's last packet in this flow went to; missing where that packet's is not known",
    ),
)

# The other resets of the capture, whatever sender they name. Of an address, the network is its first 16 (IPv4) or 32
# (IPv6) bits; private ones are none.
_COMPANY = _table(
    Type.INT,
    (
        "run_senders",
        "",
        "senders of the resets whose IP IDs form one run with this one's; missing where it has no IP ID",
    ),
    ("run_networks", "", "different networks among them"),
    ("place_senders", "", "senders of the resets that arrive with this one's hop limit"),
    ("place_networks", "", "different networks among them"),
    ("place_foreign", "", "senders among them whose stable baseline is 2 or more hops elsewhere"),
    ("place_baselines", "", "different distances among the baselines of those"),
    ("place_native", "", "senders among them that show this distance, or one next to it, by authentic packets"),
    ("place_rival", "", "senders of the resets with whichever other hop limit has the most senders"),
)

_ACROSS = _table(
    Type.BOOL,
    (
        "left_sender",
        "",
        "a capture taken at the claimed sender's own interface holds it, or lacks it though it holds all else; "
        "missing without one, so always in Wireshark",
    ),
)

_OF_CASE = _table(
    Type.INT,
    ("case_distance", "hops", "where most packets of the sender come from, in other captures of the case taken here"),
    ("case_packets", "packets", "of the sender in those captures; asked where this one has none, never in Wireshark"),
    ("case_share", "%", "of these packets from case_distance"),
    ("case_gap", "hops", "from the reset's distance to the nearest that they show"),
    (
        "case_run_senders",
        "",
        "senders of the resets, in the captures of the case taken here, whose IP IDs form one run with this one's; "
        "asked where this capture has no other sender in it, never in Wireshark",
    ),
    ("case_run_networks", "", "different networks among them"),
)

# Asked once all captures are judged, when of everything else only the latter is at hand.
OF_CASES = frozenset(observable.name for observable in _OF_CASE)
WITH_CASES = frozenset({"distance"})

OBSERVABLES: tuple[Observable, ...] = (
    *(*_FORM, *_BASELINE, *_TIMING, *_FLOW, *_OPENING, *_BURST, *_LIKENESS, *_LINK, *_COMPANY),
    *(*_ACROSS, *_OF_CASE),
)

# What is known only once the evidence is weighed: for causes and devices to ask for, not for rules.
JUDGED: tuple[Observable, ...] = _table(
    Type.STR,
    ("verdict", "", "'forged', 'likely forged', 'unclear', 'likely genuine' or 'genuine'"),
    ("origin", "", "'endpoint', 'front-end', 'middlebox' or 'unknown'"),
)
# Those that a capture always gives, so that a condition need not ask whether they are there. Parity tests see to it.
ALWAYS: frozenset[str] = frozenset(
    (
        "ip_version",
        "hop_limit",
        "distance",
        "window",
        "payload_len",
        "options_len",
        "reserved_bits",
        "has_ack",
        "payload_kind",
        "baseline_source",
        "flow_packets",
        "flow_values",
        "host_packets",
        "host_values",
        "rtt_source",
        "stage",
        "end_reason",
        "syn_only",
        "established",
        "seq_foreign",
        "port_accepts",
        "fin_before",
        "refuses_accepted",
        "answers_earlier",
        "spoke_after",
        "resets_before",
        "peer_resets_before",
        "own_resets",
        "ack_unflagged",
        "ts_missing",
        "opening_linux",
        "burst_size",
        "burst_values",
        "burst_foreign",
        "burst_seqs",
        "burst_ahead",
        "place_senders",
        "place_networks",
        "place_foreign",
        "place_baselines",
        "place_native",
        "place_rival",
        "verdict",
        "origin",
    )
)
BY_NAME: dict[str, Observable] = {observable.name: observable for observable in OBSERVABLES}
