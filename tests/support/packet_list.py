"""The packet list of Wireshark's window in tests, and what tshark says of the same packets."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from support.gui import Window
from support.waiting import PATIENCE_S, until
from support.wiresharks import available

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "rstorigin.lua"
CAPTURE = ROOT / "examples" / "first-five-minutes" / "injector-answers-syn.pcap"
FIELDS = (
    *("frame.number", "_ws.col.Source", "_ws.col.Destination"),
    *(f"rstorigin.{name}" for name in ("hop_limit", "hop_delta", "verdict")),
)
COLUMNS = ("No.", "Source", "Destination", "Hop limit", "Hop delta", "RST verdict")


_numbers = count()


def exported(window: Window) -> list[dict[str, str]]:
    """The packet list, by File > Export Packet Dissections > As CSV."""
    dialog = "Wireshark · Export Packet Dissections"
    target = Path()

    def opens() -> None:
        window.press(*["Escape"] * 3)  # menus and dialogs that an earlier try left open
        window.menu("alt+f", *["Up"] * 7, "Right", "Down", "Return")

    def names_file() -> None:
        nonlocal target
        target = window.home / f"{next(_numbers)}.csv"  # a new one: Wireshark asks before it replaces a file
        window.write(str(window.inside / target.name))

    window.dialog(dialog, opens)
    window.answer(dialog, names_file)
    until(lambda: target.is_file() and target.read_bytes().endswith(b"\n"), str(target))
    with target.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected(display_filter: str, capture: Path = CAPTURE) -> list[tuple[str, ...]]:
    """The same by tshark."""
    fields = [word for field in FIELDS for word in ("-e", field)]
    run = available()[0].tshark("-2", "-Y", display_filter, "-r", capture, "-T", "fields", *fields, plugins=[PLUGIN])
    assert run.stderr == ""
    return [tuple(line.split("\t")) for line in run.stdout.splitlines()]


def shown(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """The columns that tshark can print as fields."""
    return [tuple(row[column] for column in COLUMNS) for row in rows]


def comes_to_show(
    window: Window, wanted: list[tuple[str, ...]], before: Callable[[], object] = lambda: None
) -> list[dict[str, str]]:
    """The rows of the packet list, as soon as they are `wanted`. `before` is done again until then."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        before()
        rows = exported(window)
        if all("RST verdict" in row for row in rows) and shown(rows) == wanted:
            return rows
        assert time.monotonic() < ends, f"the packet list shows {rows}, not {wanted}"
