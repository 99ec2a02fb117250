"""The colours of verdicts, in Wireshark, on a terminal, in reports and their charts: one table.

After the palette of Okabe and Ito, whose colours colour-blind readers can distinguish (https://jfly.uni-koeln.de/color/):
vermilion and bluish green unchanged, orange, yellow and green lighter. None is blue, since most desktops mark the
selected row with it. No colour is the only sign: the verdict is always there in words.
"""

from __future__ import annotations

from typing import NamedTuple

from heuristics.rulebook.scoring import Verdict


class VerdictColours(NamedTuple):
    """Colours as RRGGBB: to fill an area, below black text too; of text on a light page; of text on a dark one.

    `terminal` is the style of text on a terminal, whose colours the user chooses.
    """

    fill: str
    on_light: str
    on_dark: str
    terminal: str


VERDICT_COLOURS = {
    Verdict.FORGED: VerdictColours("D55E00", "A63D00", "FF9A5C", "bold red"),
    Verdict.LIKELY_FORGED: VerdictColours("EFA020", "8A5A00", "F0B73F", "yellow"),
    Verdict.UNCLEAR: VerdictColours("F4E87A", "6B6000", "F4E87A", "bold"),
    Verdict.LIKELY_GENUINE: VerdictColours("A5DCC8", "2B7A5F", "A5DCC8", "green"),
    Verdict.GENUINE: VerdictColours("3DA380", "1E7457", "5CC7A2", "green"),
}
