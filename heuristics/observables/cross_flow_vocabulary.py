"""The observables of a reset that no single flow gives: they come from other resets and other captures."""

from __future__ import annotations

from heuristics.observables.observable import Mark, ObservableSource, Type, table

# About all resets of the capture, whichever sender they name. The network of an address is its first 16 bits (IPv4) or
# 32 bits (IPv6); private addresses belong to none.
OF_CAPTURE = table(
    Type.INT,
    (
        "run_senders",
        ObservableSource.CAPTURE,
        "",
        "senders of the resets whose IP IDs form one run with this one's; missing where it has no IP ID",
    ),
    ("run_networks", ObservableSource.CAPTURE, "", "different networks among them"),
    (
        "place_senders",
        ObservableSource.CAPTURE,
        "",
        "senders of the resets that arrive with this one's hop limit",
        Mark.GIVEN,
    ),
    ("place_networks", ObservableSource.CAPTURE, "", "different networks among them", Mark.GIVEN),
    (
        "place_foreign",
        ObservableSource.CAPTURE,
        "",
        "senders among them whose stable baseline is 2 or more hops elsewhere",
        Mark.GIVEN,
    ),
    ("place_baselines", ObservableSource.CAPTURE, "", "different distances among the baselines of those", Mark.GIVEN),
    (
        "place_native",
        ObservableSource.CAPTURE,
        "",
        "senders among them that show this distance, or one next to it, by authentic packets",
        Mark.GIVEN,
    ),
    (
        "place_rival",
        ObservableSource.CAPTURE,
        "",
        "senders of the resets with whichever other hop limit has the most senders",
        Mark.GIVEN,
    ),
)

# A counterpart of a flow is the same connection under another address: it shares one end, and both streams stand at the
# same numbers. A device translates addresses (NAT).
OF_CAPTURE += table(
    Type.BOOL,
    (
        "place_interrupts",
        ObservableSource.CAPTURE,
        "",
        "a reset with this hop limit named this sender in a flow whose other packets of the sender were all 2 or more "
        "hops off",
        Mark.GIVEN,
    ),
    (
        "sender_translated",
        ObservableSource.CAPTURE,
        "",
        "this flow has a counterpart with another address in place of the sender's",
        Mark.GIVEN,
    ),
    (
        "peer_translated",
        ObservableSource.CAPTURE,
        "",
        "this flow has a counterpart with another address in place of the peer's",
        Mark.GIVEN,
    ),
    (
        "untranslated",
        ObservableSource.CAPTURE,
        "",
        "this flow has a counterpart, and no reset of the sender is in it: the reset bears this address only",
        Mark.GIVEN,
    ),
    (
        "sender_leaked",
        ObservableSource.CAPTURE,
        "",
        "a counterpart with another address of the sender acknowledges nothing of it: packets leaked untranslated",
        Mark.GIVEN,
    ),
    (
        "host_translated",
        ObservableSource.CAPTURE,
        "",
        "some flow with a reset shows that the sender's address stands for another one, or another one for it",
        Mark.GIVEN,
    ),
)

OF_PAIR = table(
    Type.BOOL,
    (
        "left_sender",
        ObservableSource.PAIR,
        "",
        "a capture taken at the claimed sender's own interface holds it, or lacks it though it holds all else; "
        "missing without one, so always in Wireshark",
    ),
    (
        "kernel_sent",
        ObservableSource.PAIR,
        "",
        "a trace of the claimed sender's kernel has the call that sent it, or has none; missing without a trace, so "
        "always in Wireshark",
    ),
)

OF_CASE = table(
    Type.INT,
    (
        "case_distance",
        ObservableSource.CASE,
        "hops",
        "where most packets of the sender come from, in other captures of the case taken here",
    ),
    (
        "case_packets",
        ObservableSource.CASE,
        "packets",
        "of the sender in those captures; asked where this one has none, never in Wireshark",
    ),
    ("case_share", ObservableSource.CASE, "%", "of these packets from case_distance"),
    ("case_gap", ObservableSource.CASE, "hops", "from the reset's distance to the nearest that they show"),
    (
        "case_run_senders",
        ObservableSource.CASE,
        "",
        "senders of the resets, in the captures of the case taken here, whose IP IDs form one run with this one's; "
        "asked where this capture has no other sender in it, never in Wireshark",
    ),
    ("case_run_networks", ObservableSource.CASE, "", "different networks among them"),
)
