"""A capture -> the fields that we read, by way of tshark's packet list: custom columns cost half of `-T fields`.

`-T fields` builds the whole tree of every packet; a column asks for one field. Two things a column cannot show: text
that a packet carries (4.4 prints its tabs and line ends as they are) and values longer than a column (2047 bytes). The
packets with such are read once more, with `-T fields`, and come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS, RST
from postproc.capture.tshark.fields_export import FIX_CAPTURE, check_capture, command, ending, readable
from postproc.capture.tshark.program import Tshark, options
from postproc.capture.tshark.tsv_reader import FieldsText, check_values

TEXT_FIELDS = ("tcp.reset_cause",)  # what the packet itself says; only resets with a payload have it
_COLUMNS = tuple(name for name in FIELDS if name not in TEXT_FIELDS)
_LONGEST = 2000  # bytes; Wireshark cuts a cell at COL_MAX_LEN, 2048

# Work that fills none of our fields: shown by test on every capture and Wireshark there is.
_PREFERENCES = ("tcp.analyze_sequence_numbers:FALSE", "tcp.calculate_timestamps:FALSE")


def read_capture(capture: Path, tshark: Tshark, problems: list[Problem]) -> Iterator[pl.DataFrame]:
    """The columns FIELDS of `capture` in frames of text, bounded in size, while tshark is at work.

    Rows come in file order, but for those that had to be read again. What is wrong with a capture that could still be
    read up to some packet goes to `problems` at the end. Raises CaptureError when nothing could be read.
    """
    check_capture(capture)
    again = _Again(capture, tshark)
    packets = 0
    with tshark.run(arguments(capture, tshark)) as run:
        for frame in FieldsText(run.stdout, str(capture), FIX_CAPTURE, names=_COLUMNS).frames(_COLUMNS):
            packets += frame.height
            shown = again.without(frame)
            check_values(shown, str(capture), FIX_CAPTURE)
            yield shown
        found = ending(capture, run, packets)
    yield from again.frames()
    problems += found


def arguments(capture: Path, tshark: Tshark) -> list[str]:
    """What follows `tshark` in the command. U: numbers as they are, not in words; 0: every occurrence, with commas."""
    layout = ",".join(f'"{name}","%Cus:{name}:0:U"' for name in _COLUMNS)
    return [
        *("-r", readable(capture), "-n", *tshark.preferences(), *options(_PREFERENCES)),
        *("-o", f"gui.column.format:{layout}", "-T", "tabs"),
    ]


@dataclass(slots=True)
class _Again:
    """The packets that columns cannot show."""

    capture: Path
    tshark: Tshark
    numbers: list[pl.Series] = field(default_factory=list)
    only_resets: bool = True

    def without(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` as FIELDS, without the packets that have to be read again."""
        long = pl.any_horizontal(pl.all().str.len_bytes() >= _LONGEST).fill_null(value=False)
        wanted, cut = frame.select(wanted=_may_say_something() | long, cut=long).get_columns()
        if wanted.any():
            self.numbers.append(frame["frame.number"].filter(wanted))
            self.only_resets = self.only_resets and not cut.any()
            frame = frame.filter(~wanted)
        return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in TEXT_FIELDS).select(FIELDS)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Those packets, as FIELDS."""
        if not self.numbers:
            return
        numbers = pl.concat(self.numbers).implode()
        chosen = ("-Y", "tcp.flags.reset == 1") if self.only_resets else ()
        with self.tshark.run([*command(self.capture, self.tshark)[1:], *chosen]) as run:
            for frame in FieldsText(run.stdout, str(self.capture), FIX_CAPTURE).frames():
                yield frame.filter(pl.col("frame.number").is_in(numbers))


def _may_say_something() -> pl.Expr:
    """A reset with a payload. Of several TCP headers in one packet any may be one."""
    flags = pl.col("tcp.flags").str.strip_prefix("0x").str.to_integer(base=16, strict=False)
    several = pl.col("tcp.flags").str.contains(",", literal=True)
    return (several | ((flags & RST != 0) & (pl.col("tcp.len") != "0"))).fill_null(value=False)
