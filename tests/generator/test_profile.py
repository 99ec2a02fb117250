"""The profile "RST origin" in Wireshark: every column, colour rule, filter button and macro does what it says."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scapy.utils import PcapReader, wrpcap
from support.colours import SIGHT, contrast, difference
from support.wiresharks import Wireshark, available

from generator.profile import BUTTONS, COLOUR_RULES, MACROS, PACKET_LIST_COLUMNS, PROFILE_NAME, Button, Macro
from generator.profile_files import render_profile, zip_profile
from heuristics.rulebook.scoring import Verdict

PLUGINS = Path(__file__).parents[2] / "plugins"
PLUGIN = PLUGINS / "rstorigin.lua"
CAPTURES = Path(__file__).parents[1] / "captures"
# Together they hold every verdict, ICMP errors, IPv6, other hop limits and flows without any reset.
STORIES = (
    CAPTURES / "lab" / "08_far_firewall.client.pcap",
    CAPTURES / "lab" / "04_icmp.client.pcap",
    CAPTURES / "situations" / "injector-answers-syn.pcap",
    CAPTURES / "situations" / "ordinary-teardown.pcap",
    CAPTURES / "situations" / "netscaler-idle-timeout.pcap",
)
WIRESHARKS = [
    pytest.param(wireshark, marks=[pytest.mark.versions] if number else [], id=str(wireshark))
    for number, wireshark in enumerate(available())
]
FIELDS = (
    *("frame.number", "frame.coloring_rule.name", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst"),
    *("rstorigin.kind", "rstorigin.verdict", "rstorigin.flow_verdict", "rstorigin.hop_limit", "rstorigin.hop_delta"),
    *("rstorigin.suspicion", "rstorigin.distance", "rstorigin.evidence", "rstorigin.sent_from", "rstorigin.cause"),
)
Row = Mapping[str, str]
ACCUSED = ("forged", "likely forged")


class Stage:
    """The stories in one capture, as a Wireshark with plugin and profile shows them."""

    def __init__(self, wireshark: Wireshark, folder: Path) -> None:
        self._wireshark = wireshark
        self._configuration = folder / "wireshark"
        profile = self._configuration / "profiles" / PROFILE_NAME
        profile.mkdir(parents=True)
        for name, text in render_profile().items():
            (profile / name).write_text(text, encoding="utf-8")
        self._capture = folder / "stories.pcap"
        wrpcap(str(self._capture), [packet for story in STORIES for packet in PcapReader(str(story))])
        separated = ("-T", "fields", "-E", "separator=/t", "-E", "occurrence=f", "-E", "header=y")
        text = self.tshark("--color", *separated, *(word for field in FIELDS for word in ("-e", field)))
        self.rows: list[Row] = list(csv.DictReader(io.StringIO(text), delimiter="\t"))

    def tshark(self, *arguments: str, display_filter: str = "frame") -> str:
        """What tshark prints, having read the file twice; it must not complain of anything."""
        run = self._wireshark.tshark(
            *("-C", PROFILE_NAME, "-2", "-n", "-Y", display_filter, *arguments, "-r", self._capture),
            plugins=[PLUGIN],
            configuration=self._configuration,
        )
        assert (run.returncode, run.stderr) == (0, ""), arguments
        return run.stdout

    def selected(self, display_filter: str) -> list[str]:
        """The frames that a display filter selects."""
        return self.tshark("-T", "fields", "-e", "frame.number", display_filter=display_filter).split()

    def check(self, display_filter: str, says: Callable[[Row], bool]) -> None:
        """The filter selects what `says` says, which is something and not everything."""
        expected = [row["frame.number"] for row in self.rows if says(row)]
        assert 0 < len(expected) < len(self.rows), "the stories do not try this"
        assert self.selected(display_filter) == expected


@pytest.fixture(scope="module", params=WIRESHARKS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The stories in each Wireshark there is."""
    return Stage(request.param, tmp_path_factory.mktemp("stage"))


BUTTON_SAYS: dict[str, Callable[[Row], bool]] = {
    "Forged resets": lambda row: row["rstorigin.verdict"] in ACCUSED,
    "All resets": lambda row: row["rstorigin.kind"] == "rst",
    "Forged flows": lambda row: row["rstorigin.flow_verdict"] in ACCUSED,
    "ICMP rejects": lambda row: row["rstorigin.kind"] == "icmp",
    "Hop changes": lambda row: row["rstorigin.hop_delta"] not in ("", "0"),
}


@pytest.mark.parametrize("button", BUTTONS, ids=lambda button: button.label)
def test_filter_button(stage: Stage, button: Button) -> None:
    stage.check(button.filter, BUTTON_SAYS[button.label])


MACRO_SAYS: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "rst_forged": ("${rst_forged}", BUTTON_SAYS["Forged resets"]),
    "rst_story": ("${rst_story}", BUTTON_SAYS["Forged flows"]),
    "rst_suspicion": ("${rst_suspicion:50}", lambda row: int(row["rstorigin.suspicion"] or 0) >= 50),
    "rst_rule": ("${rst_rule:hop_match}", lambda row: "hop_match" in row["rstorigin.evidence"].split(",")),
    "rst_from": (
        "${rst_from:203.0.113.21}",
        lambda row: row["rstorigin.kind"] == "rst" and row["ip.src"] == "203.0.113.21",
    ),
    "rst_from6": (
        "${rst_from6:2001:db8:5::2}",
        lambda row: row["rstorigin.kind"] == "rst" and row["ipv6.src"] == "2001:db8:5::2",
    ),
    "rst_within": ("${rst_within:1}", lambda row: row["rstorigin.kind"] != "" and int(row["rstorigin.distance"]) <= 1),
}


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_macro(stage: Stage, macro: Macro) -> None:
    display_filter, says = MACRO_SAYS[macro.name]
    stage.check(display_filter, says)


def test_colour_rules(stage: Stage) -> None:
    """Each rule colours some packet of the stories, and the verdict comes before all else."""
    expected = {rule.name: 0 for rule in COLOUR_RULES}
    for row in stage.rows:
        name = ""
        if row["rstorigin.verdict"]:
            name = f"RST origin: {row['rstorigin.verdict']}"
        elif BUTTON_SAYS["Hop changes"](row):
            name = "RST origin: another hop limit"
        elif BUTTON_SAYS["Forged flows"](row):
            name = "RST origin: flow with a forged reset"
        assert row["frame.coloring_rule.name"] == name, row
        if name:
            expected[name] += 1
    assert all(expected.values()), expected


def test_columns(stage: Stage) -> None:
    table = ElementTree.fromstring(stage.tshark("-T", "psml"))
    structure = table.find("structure")
    assert structure is not None
    assert [section.text for section in structure] == [
        *("No.", "Time", "Source", "Destination", "Protocol", "Info"),
        *("RST verdict", "Sent from", "Cause", "Hop limit", "Hop delta"),
    ]
    shown = [[section.text or "" for section in packet] for packet in table.findall("packet")]
    for cells, row in zip(shown, stage.rows, strict=True):
        if row["ip.src"] or row["ipv6.src"]:
            assert cells[2:4] == [row["ip.src"] or row["ipv6.src"], row["ip.dst"] or row["ipv6.dst"]]
        names = ("verdict", "sent_from", "cause", "hop_limit", "hop_delta")
        assert [cells[0], *cells[6:]] == [row["frame.number"], *(row[f"rstorigin.{name}"] for name in names)]
    for column in range(len(PACKET_LIST_COLUMNS)):
        assert any(cells[column] for cells in shown), PACKET_LIST_COLUMNS[column].title


def test_texts_can_be_read() -> None:
    for rule in COLOUR_RULES:
        assert contrast(rule.text, rule.background) >= 4.5, rule.name


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_can_be_told_apart(sight: str) -> None:
    """The verdicts by far, and every other pair too: 2.3 is just noticeable."""
    for one, other in combinations(COLOUR_RULES, 2):
        verdicts = one.filter.startswith("rstorigin.verdict") and other.filter.startswith("rstorigin.verdict")
        least = 18 if verdicts else 10
        assert difference(one.background, other.background, sight) >= least, (one.name, other.name)


def test_every_verdict_has_its_colour() -> None:
    assert [rule.filter for rule in COLOUR_RULES[: len(Verdict)]] == [
        f'rstorigin.verdict == "{verdict}"' for verdict in Verdict
    ]


def test_the_zip_holds_the_folder() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_profile())) as archive:
        assert archive.testzip() is None
        held = {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}
    assert held == {f"{PROFILE_NAME}/{name}": text for name, text in render_profile().items()}
