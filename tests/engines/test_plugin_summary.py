"""The summary of the plugin alone names the same presumed senders as that of the batch engine, in the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.command_line import CAPTURES, LAB, SITUATIONS
from support.wiresharks import Wireshark, available

from heuristics.presumed_sender import COLUMNS, TITLE
from heuristics.rulebook.model import load
from postproc.batch.job import judge_source
from postproc.capture.discovery import find_sources
from postproc.capture.tshark.program import find_tshark
from postproc.report.sections import Table
from postproc.report.summary import summarise
from postproc.report.summary_sections import Layout, sections

PLUGIN = Path(__file__).parents[2] / "plugins" / "rstorigin.lua"
MOST_LISTED = 20  # in the plugin's tables
WIRESHARKS = [
    pytest.param(wireshark, marks=[pytest.mark.versions] if number else [], id=str(wireshark))
    for number, wireshark in enumerate(available())
]


def by_plugin(capture: Path, wireshark: Wireshark) -> list[list[str]]:
    """The cells of the table of senders."""
    text = wireshark.tshark("-q", "-r", capture, "-X", "lua_script1:summary", scripts=[PLUGIN]).stdout
    _, found, after = text.partition(f"\n{TITLE} (times in UTC)\n")
    lines = after.partition("\n\n")[0].splitlines() if found else []
    return [re.split(" {2,}", line.strip()) for line in lines]


def by_batch(capture: Path) -> list[list[str]]:
    """The same of rstorigin summarize."""
    (source,) = find_sources([capture]).files
    rules = load()
    result = judge_source(source, rules, find_tshark())
    for section in sections(summarise([result], rules, 0, []), rules, Layout(rows=MOST_LISTED, wide=True)):
        if isinstance(section, Table) and section.title.startswith(TITLE):
            return [[*COLUMNS], *[[str(cell) for cell in row] for row in section.rows]]
    return []


CASES = sorted([*SITUATIONS.glob("*.*cap*"), *LAB.glob("*.client.pcap"), *CAPTURES.glob("lab-seeds/seed-40/*.gz")])


@pytest.mark.parametrize("wireshark", WIRESHARKS)
@pytest.mark.parametrize("capture", CASES[::2], ids=lambda capture: capture.name)
def test_both_engines_name_the_same_senders(capture: Path, wireshark: Wireshark) -> None:
    assert by_plugin(capture, wireshark) == by_batch(capture)


def test_among_them_are_all_kinds_of_senders() -> None:
    """So that the comparison cannot pass for lack of senders."""
    cells = [row for capture in CASES[::2] for row in by_batch(capture)[1:]]
    places = {row[0] for row in cells}
    assert {"at an unknown distance", "a front-end", "not known", "the named hosts"} < places
    assert any("away" in place for place in places)
