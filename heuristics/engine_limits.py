"""How much both engines remember of what passed, and how far what they remember speaks: the same numbers in both."""

from __future__ import annotations

# Unacknowledged segments of a sender, for round trips.
REMEMBERED_SEGMENTS = 8

# Resets of a sender, for finding copies.
REMEMBERED_RESETS = 16

# Runs of IP IDs; each is one more that a random IP ID may fall into.
REMEMBERED_RUNS = 16

# An IP ID that is the sender's own next, or so close after it, may equal the peer's, or a stranger's, by chance.
OWN_RUN = 16

# What has been under way for less than this share of a round trip, in percent, and for so much less than all of it, has
# not arrived: round trips vary, and so do the clocks of capture points.
ON_ITS_WAY_SHARE, ON_ITS_WAY_US = 80, 1000

# A baseline speaks for the place of its host from this share of the packets on, in percent. Few packets do, since many
# hosts are asked.
STABLE_SHARE = 90
