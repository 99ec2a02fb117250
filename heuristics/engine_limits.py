"""Limits of both engines: how many packets they remember, and what measurements are close enough to count."""

from __future__ import annotations

# Unacknowledged segments of a sender, for round trips.
REMEMBERED_SEGMENTS = 8

# Resets of a sender, for finding copies.
REMEMBERED_RESETS = 16

# Runs of IP IDs. A random IP ID falls into one by chance, and more often the more there are.
REMEMBERED_RUNS = 16

# IP IDs. One that follows the sender's last within this many may equal that of another host by chance.
OWN_RUN = 16

# A packet has not arrived yet after less than this share of a round trip (percent), if this many microseconds are left:
# round trips vary, and so do the clocks of capture points.
ON_ITS_WAY_SHARE, ON_ITS_WAY_US = 80, 1000

# The baseline of a host is stable where this share of its packets (percent) shows one distance. A few packets are
# enough where many hosts are compared.
STABLE_SHARE = 90

# A few packets of a flow with a hop limit of their own, among many others, may be another device's: at most so many,
# and at most this share of the sender's packets (percent). One hop is a change of route. So many such packets may
# stand in other flows of the host.
MAX_STRAY_PACKETS, MAX_STRAY_SHARE, MIN_STRAY_GAP, STRAY_ELSEWHERE = 8, 25, 2, 3

# So many resets of a burst count up if their windows do.
MIN_COUNTING = 3

# A silence of at least this long is one after which devices may have dropped the state of a connection (microseconds).
LONG_SILENCE_US = 60_000_000

# Other protocols than TCP with a lower hop limit than this do not tell where a host sits: services for the own link
# send with it on purpose (SSDP 1 to 4). No kernel starts from 32 and is more than a dozen hops away.
MIN_OTHER_HOP_LIMIT = 20

# Two flows that share an end are one connection, translated, if their streams stand no further apart than this (bytes).
# Where more flows than this share one end, as in a port scan, none are compared.
SAME_STREAM_REACH, MAX_SHARED_END = 65_536, 32

# Flows in the plugin, before it drops old ones without a reset. A preference changes it.
FLOWS_KEPT = 1_000_000
