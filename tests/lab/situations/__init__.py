"""Small captures of known situations, one situation each, and the table of verdicts to accept.

    python -m tests.lab --situations --out tests/captures/situations

`with_kernels.py` makes those in which real kernels, a real firewall or a forger of the laboratory can play their part;
the table's frames follow from the measured labels. `by_hand.py` writes the packets of devices that the laboratory does
not have (NetScaler, BIG-IP, a NAT router beside a Teredo tunnel): same program, same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TABLE = "expected.csv"
COLUMNS = ("capture", "frames", "origin", "accept", "why")
GENUINE = "genuine|likely genuine"
GENUINE_OR_UNCLEAR = f"{GENUINE}|unclear"
FORGED = "forged|likely forged"


@dataclass(frozen=True)
class Judgement:
    """The verdicts to accept for some resets of a capture, and why."""

    accept: str
    why: str


@dataclass(frozen=True)
class Row:
    """One row of the table: resets of one capture with the same origin and judgement."""

    capture: str
    frames: tuple[int, ...]
    origin: str
    judgement: Judgement


def write_table(path: Path, rows: Iterable[Row]) -> None:
    """Write the table of verdicts to accept, by capture and frame."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in sorted(rows, key=lambda row: (row.capture, row.frames)):
            frames = " ".join(map(str, row.frames))
            writer.writerow((row.capture, frames, row.origin, row.judgement.accept, row.judgement.why))
