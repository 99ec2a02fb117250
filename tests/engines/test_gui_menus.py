"""What the menus of Wireshark's window do: Tools > RST origin, and the menu of a packet where a version has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import handed_over
from support.gui import Window, missing, opened, with_window
from support.packet_list import PLUGIN, ROOT, comes_to_show, expected
from support.waiting import until
from support.wiresharks import Wireshark, available

from generator.profile_files import render_profile

CAPTURE = ROOT / "examples" / "first-five-minutes" / "firewall-refuses.pcap"
RESET = 24  # one of four of the same firewall, each in a flow of its own
OF_RESET = ("Copy evidence", "Explain this reset", "Filter all of this sender", "Show it with its", "Show its flow")
EXPLAIN = "Wireshark · RST origin: explain"

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(bool(missing()), reason=f"scripts/system-packages.sh gui: {missing()}"),
]


@pytest.fixture(params=[*with_window(), "handed over"], ids=str)
def window(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    """Each Wireshark where the plugin judges alone, and the system's where verdicts are handed over."""
    alone = isinstance(request.param, Wireshark)
    wireshark = request.param if alone else available()[0]
    verdicts = None if alone else handed_over(CAPTURE, tmp_path, monkeypatch)
    with opened(CAPTURE, PLUGIN, render_profile(), verdicts, wireshark) as shown:
        comes_to_show(shown, expected("frame", CAPTURE))
        yield shown


def one_field(name: str, display_filter: str) -> list[str]:
    """The values of a field in tshark."""
    options = ("-2", "-Y", display_filter, "-T", "fields", "-e", name)
    return available()[0].tshark(*options, "-r", CAPTURE, plugins=[PLUGIN]).stdout.split()


def choose(window: Window, entry: str) -> None:
    """Tools > RST origin > Selected reset > `entry`, of the reset."""
    window.filter("")
    window.select(RESET)
    window.menu("alt+t", "Up", "Right", *["Down"] * 3, "Right", *["Down"] * OF_RESET.index(entry), "Return")


def frames(numbers: list[str]) -> list[tuple[str, ...]]:
    """What the packet list shows of some frames."""
    return expected(f"frame.number in {{{', '.join(numbers)}}}", CAPTURE)


def test_the_menus_of_a_reset(window: Window) -> None:
    """One window for all: its start takes most of the time."""
    flow = one_field("tcp.stream", f"frame.number == {RESET}")[0]
    baseline = one_field("rstorigin.baseline_frame", f"frame.number == {RESET}")
    window.dialog(EXPLAIN, lambda: choose(window, "Explain this reset"))
    window.press("Escape")
    window.closed(EXPLAIN)
    comes_to_show(window, expected(f"tcp.stream == {flow}", CAPTURE), lambda: choose(window, "Show its flow"))
    comes_to_show(window, frames([str(RESET), *baseline]), lambda: choose(window, "Show it with its"))
    forged = one_field("frame.number", 'rstorigin.verdict == "forged"')
    comes_to_show(window, frames(forged), lambda: choose(window, "Filter all of this sender"))

    def copied() -> bool:
        choose(window, "Copy evidence")
        return window.clipboard().startswith(f"Frame {RESET}: forged (suspicion 100 %)")

    until(copied, "the evidence in the clipboard")
