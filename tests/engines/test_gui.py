"""Wireshark's window with plugin and profile shows the same values as tshark."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.command_line import handed_over
from support.gui import Window, missing, opened, with_window
from support.packet_list import CAPTURE, PLUGIN, comes_to_show, expected, exported
from support.waiting import until
from support.wiresharks import PERSONAL_CONFIGURATION, Wireshark, available

from generator.profile import PACKET_LIST_COLUMNS, PROFILE_NAME
from generator.profile_files import render_profile

ROOT = Path(__file__).parents[2]
OTHER = ROOT / "examples" / "first-five-minutes" / "nat-forgets-connections.pcap"

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(bool(missing()), reason=f"scripts/system-packages.sh gui: {missing()}"),
]


def choose_profile(window: Window, row: int) -> None:
    """Edit > Configuration Profiles: the profile in this row."""
    title = "Wireshark · Configuration Profiles"
    window.dialog(title, lambda: window.press("ctrl+shift+a"))
    window.answer(title, lambda: window.press("Home", *["Down"] * row), select_all=False)


def test_packet_list() -> None:
    """Columns and values of the window equal tshark's. A macro selects the same packets as a display filter in both."""
    with opened(CAPTURE, PLUGIN, render_profile()) as window:
        assert window.title() == CAPTURE.name
        rows = comes_to_show(window, expected("frame"))
        assert [*rows[0]] == [column.title for column in PACKET_LIST_COLUMNS]
        wanted = expected('rstorigin.verdict in {"forged", "likely forged"}')
        forged = comes_to_show(window, wanted, lambda: window.filter("${rst_forged}"))
        assert [row["No."] for row in forged] == ["2"]


def test_verdicts_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window shows them; where another file is opened in it, the plugin is loaded again and judges by itself."""
    with opened(CAPTURE, PLUGIN, render_profile(), handed_over(CAPTURE, tmp_path, monkeypatch)) as window:
        comes_to_show(window, expected("frame"))
        another = window.home / OTHER.name
        another.write_bytes(OTHER.read_bytes())
        another.chmod(0o644)
        dialog = "Wireshark · Open Capture File"
        window.dialog(dialog, lambda: window.press("ctrl+o"))
        window.answer(dialog, lambda: window.write(str(another)))
        until(lambda: window.title() == OTHER.name, f"the title {OTHER.name}")
        until(lambda: "the plugin now judges by itself" in (window.home / "wireshark.log").read_text(), "the message")
        comes_to_show(window, expected("frame", OTHER))  # the plugin is loaded again, and the file read again


@pytest.mark.parametrize("wireshark", with_window(), ids=str)
def test_another_profile_switches_the_plugin(wireshark: Wireshark) -> None:
    """On with the profile, off with the default one, without a restart."""
    with opened(CAPTURE, PLUGIN, render_profile(), wireshark=wireshark, choose=False) as window:
        assert "RST verdict" not in exported(window)[0]
        choose_profile(window, 1)
        comes_to_show(window, expected("frame"))
        choose_profile(window, 0)

        def only_the_first() -> bool:
            """Of a list without rows, Wireshark exports all packets."""
            window.filter("frame.number == 1 || rstorigin")
            return [row["No."] for row in exported(window)] == ["1"]

        until(only_the_first, "a packet list without our tree")


def test_import_of_the_profile() -> None:
    """Edit > Configuration Profiles > Import > From Zip File takes the zip as it is."""
    with opened(CAPTURE, PLUGIN, None) as window:
        archive = window.home / "rst-origin.zip"
        archive.write_bytes((ROOT / "plugins" / "profile" / "rst-origin.zip").read_bytes())
        archive.chmod(0o644)
        profiles = window.dialog("Wireshark · Configuration Profiles", lambda: window.press("ctrl+shift+a"))
        left, top, width, height = window.place(profiles)

        def asks_for_file() -> None:
            window.click(left + width // 2 - 35, top + height - 44)  # Import, the second of five buttons
            time.sleep(1)
            window.press("Down", "Return")

        window.dialog("Select zip file for import", asks_for_file)

        def names_file() -> None:
            window.press("ctrl+a")
            window.write(str(archive))
            window.press("Return")

        window.dialog("Importing profiles", names_file)
        profile = window.home / PERSONAL_CONFIGURATION / "profiles" / PROFILE_NAME
        held = {path.name: path.read_text(encoding="utf-8") for path in profile.iterdir()}
        # A version takes over the files that it knows: macros of its own format, and perhaps those of an older one.
        ours, others = ("dfilter_macros", "dmacros")[:: 1 if available()[0].version < (4, 4) else -1]
        wanted = render_profile()
        assert held.pop(others, wanted[others]) == wanted.pop(others)
        assert held == wanted
        assert ours in held
