"""Make the pictures of the documentation anew (make pictures): Wireshark with plugin and profile, and the report.

Look at what comes out: positions are those of Wireshark 4.0 on the screen of gui.py.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from support.browser import CHROMIUM, browser
from support.browser import opened as opened_page
from support.command_line import LAB, run
from support.gui import HEIGHT, WIDTH, Window, missing, opened

from generator.profile_files import render_profile

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "rstorigin.lua"
FORGED = ROOT / "examples" / "first-five-minutes" / "injector-answers-syn.pcap"
REJECTED = ROOT / "examples" / "first-five-minutes" / "firewall-refuses.pcap"
_FIRST_ROW, _ROW = 143, 17  # pixels: where the packet list begins, and how high a row is


def _select(window: Window, row: int) -> None:
    window.click(600, _FIRST_ROW + _ROW * (row - 1))
    time.sleep(1)


def _tools(window: Window, *keys: str) -> None:
    """Tools > RST origin, the last of the menu."""
    window.menu("alt+t", "Up", "Right", *keys)


def packet_list(folder: Path) -> None:
    """Columns, colours and filter buttons."""
    with opened(FORGED, PLUGIN, render_profile()) as window:
        _select(window, 8)
        window.picture(folder / "packet-list.png", f"{WIDTH}x342+0+0")


def details(folder: Path) -> None:
    """The tree of a forged reset, with all below it open."""
    profile = render_profile()
    profile["recent"] += "gui.byte_view_show: FALSE\n"  # all width for the tree
    with opened(FORGED, PLUGIN, profile) as window:
        _select(window, 2)
        window.press("Tab", "End", "shift+Right")
        window.picture(folder / "packet-details.png", f"1150x{HEIGHT - 560}+0+522")


def summary(folder: Path) -> None:
    """Tools > RST origin > Summary, and the menu."""
    with opened(REJECTED, PLUGIN, render_profile()) as window:
        _tools(window)
        window.picture(folder / "menu.png", "560x225+440+22")
        window.press("Escape", "Escape")

        def opens() -> None:
            _tools(window)
            window.press("Up", "Return")

        dialog = window.dialog("Wireshark · RST origin: summary", opens)
        window.resize(dialog, 1220, 460)
        left, top, width, height = window.place(dialog)
        window.picture(folder / "summary.png", f"{width}x{height + 20}+{left}+{top - 40}")


def preferences(folder: Path) -> None:
    """Edit > Preferences > Protocols > RST origin."""
    with opened(REJECTED, PLUGIN, render_profile()) as window:
        _select(window, 1)
        dialog = window.dialog("Wireshark · Preferences", lambda: window.press("ctrl+shift+p"))
        time.sleep(1)
        window.write("Prot")
        window.press("Right")
        time.sleep(1)
        window.write("RST or")
        left, top, width, height = window.place(dialog)
        window.picture(folder / "preferences.png", f"{width}x{height + 20}+{left}+{top - 40}")


def report(folder: Path) -> None:
    """The report of a capture with many resets: its beginning, its table on a dark screen, on a phone, as printed."""
    page = folder / "report.html"
    run("report", LAB.relative_to(Path.cwd()) / "07c_gfw_like_r1.client.pcap", "-o", page)  # as a user names it
    wide, narrow = {"width": 1100, "height": 1180}, {"width": 390, "height": 844}
    with browser() as chromium:
        with opened_page(chromium, page, viewport=wide) as shown:
            shown.page.screenshot(path=folder / "report.png")
        with opened_page(chromium, page, viewport=wide, color_scheme="dark") as shown:
            shown.page.locator("#body button").nth(1).click()
            shown.page.locator("#resets").screenshot(path=folder / "report-table-dark.png")
        with opened_page(chromium, page, viewport=narrow) as shown:
            shown.page.screenshot(path=folder / "report-phone.png")
    page.unlink()


def main() -> None:
    """Write every picture into the folder that the command line names."""
    if missing() or CHROMIUM is None:
        sys.exit(f"not installed: {', '.join([*missing(), 'chromium'])}; scripts/system-packages.sh gui installs them")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (packet_list, details, summary, preferences, report):
        make(folder)
        print(f"made {make.__name__}", file=sys.stderr)


if __name__ == "__main__":
    main()
