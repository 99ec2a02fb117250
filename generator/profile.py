"""The content of the Wireshark profile "RST origin": columns, colour rules, filter buttons and macros.

profile_files.py writes it into files. The profile does not depend on a rulebook: one profile serves every plugin.
"""

from __future__ import annotations

from typing import NamedTuple

from heuristics.rulebook.scoring import Verdict
from heuristics.verdict_colours import VERDICT_COLOURS

PROFILE_NAME = "RST origin"


class PacketListColumn(NamedTuple):
    """A column of the packet list. `format` is a code of `tshark -G column-formats` or a field, `width` in pixels."""

    title: str
    format: str
    width: int


# Wireshark's own columns first, as everybody knows them; No. holds eight digits.
PACKET_LIST_COLUMNS = (
    PacketListColumn("No.", "%m", 80),
    PacketListColumn("Time", "%t", 90),
    PacketListColumn("Source", "%s", 130),
    PacketListColumn("Destination", "%d", 130),
    PacketListColumn("Protocol", "%p", 70),
    PacketListColumn("Info", "%i", 305),
    PacketListColumn("RST verdict", "rstorigin.verdict", 105),
    PacketListColumn("Sent from", "rstorigin.sent_from", 155),
    PacketListColumn("Cause", "rstorigin.cause", 230),
    PacketListColumn("Hop limit", "rstorigin.hop_limit", 68),
    PacketListColumn("Hop delta", "rstorigin.hop_delta", 72),
)


class ColourRule(NamedTuple):
    """The colours of the packets that `filter` selects, as RRGGBB. The first rule whose filter matches counts."""

    name: str
    filter: str
    background: str
    text: str


# Every rule sets both text and background, so that it looks the same in the light and dark modes of Wireshark.
_TEXT = "000000"

_ACCUSED = f'{{"{Verdict.FORGED}", "{Verdict.LIKELY_FORGED}"}}'

FORGED = f"rstorigin.verdict in {_ACCUSED}"
FORGED_FLOWS = f"rstorigin.flow_verdict in {_ACCUSED}"
RESETS = 'rstorigin.kind == "rst"'
REJECTS = 'rstorigin.kind == "icmp"'
HOP_CHANGES = "rstorigin.hop_delta != 0"

COLOUR_RULES = (
    *(
        ColourRule(f"RST origin: {verdict}", f'rstorigin.verdict == "{verdict}"', VERDICT_COLOURS[verdict].fill, _TEXT)
        for verdict in Verdict
    ),
    # Tints of the same palette, for the other packets of interest.
    ColourRule("RST origin: another hop limit", HOP_CHANGES, "DAD2F4", _TEXT),
    ColourRule("RST origin: flow with a forged reset", FORGED_FLOWS, "FDF1E8", _TEXT),
)


class Button(NamedTuple):
    """A filter button next to the display filter. `comment` is its tooltip."""

    label: str
    filter: str
    comment: str


BUTTONS = (
    Button("Forged resets", FORGED, "Resets and ICMP errors that another device (likely) sent in another's name"),
    Button("All resets", RESETS, "Every TCP reset, whatever its verdict"),
    Button("Forged flows", FORGED_FLOWS, "The whole story: every packet of a flow with a (likely) forged reset"),
    Button("ICMP rejects", REJECTS, "ICMP and ICMPv6 errors: who rejected, and where"),
    Button("Hop changes", HOP_CHANGES, "Packets whose hop limit is not the one their sender usually shows"),
)


class Graph(NamedTuple):
    """A line of Statistics > I/O Graphs: how many packets `filter` selects in each interval."""

    name: str
    filter: str
    colour: str


GRAPHS = (
    Graph("Forged resets", f"{RESETS} && {FORGED}", "#D55E00"),
    Graph("Other resets", f"{RESETS} && !({FORGED})", "#009E73"),
    Graph("ICMP rejects", REJECTS, "#0072B2"),
)


class Macro(NamedTuple):
    """A display filter macro: `${name}` or `${name:argument}`. `text` has the arguments as $1, $2 ..."""

    name: str
    text: str


MACROS = (
    Macro("rst_forged", FORGED),
    Macro("rst_story", FORGED_FLOWS),
    Macro("rst_suspicion", "rstorigin.suspicion >= $1"),  # ${rst_suspicion:50}
    Macro("rst_rule", "rstorigin.evidence.$1"),  # ${rst_rule:hop_gap}
    Macro("rst_from", f"{RESETS} && ip.src == $1"),  # ${rst_from:192.0.2.1}
    Macro("rst_from6", f"{RESETS} && ipv6.src == $1"),  # ${rst_from6:2001:db8::1}
    Macro("rst_within", "rstorigin.kind && rstorigin.distance <= $1"),  # ${rst_within:2}
)
