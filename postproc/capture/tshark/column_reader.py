"""Reads the fields of a capture from tshark's packet list: custom columns take half the time of `-T fields`.

`-T fields` builds the whole tree of every packet; a column asks for one field. A column cannot show two things: text
that a packet carries (4.4 prints its tabs and line ends as they are), and values longer than a column (2047 bytes).
Packets with either are read once more, with `-T fields`, and come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS, PAYLOAD_BYTES, RST
from postproc.capture.tshark.expected_packets import NOT_KNOWN, ExpectedPackets, check_end, garbage
from postproc.capture.tshark.fields_export import FIX_CAPTURE, check_capture, command, problems_at_end, readable
from postproc.capture.tshark.payload_bytes import diagnostic_frames, payload_bytes, with_payloads
from postproc.capture.tshark.program import Tshark, preference_options, time_to_read
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.capture.tshark.values import check_values
from postproc.runtime.errors import CaptureError, NoRoomError, TsharkFailedError

TEXT_FIELDS = ("tcp.reset_cause", "f5ethtrailer.rstcausetxt")  # text from the packet itself; few packets have it
F5_LENGTH = "f5ethtrailer.rstcauselen"  # a number that stands where the second one does
_COLUMNS = (*(name for name in FIELDS if name not in TEXT_FIELDS), F5_LENGTH)
_LONGEST = 2000  # bytes of a cell; Wireshark cuts it at COL_MAX_LEN, 2048

# Analyses that fill none of our fields; tests show it on every capture and Wireshark that we have.
_PREFERENCES = ("tcp.analyze_sequence_numbers:FALSE", "tcp.calculate_timestamps:FALSE")


def read_capture(
    capture: Path, tshark: Tshark, problems: list[Problem], expected: ExpectedPackets = NOT_KNOWN
) -> Iterator[pl.DataFrame]:
    """The columns FIELDS and PAYLOAD_BYTES of `capture` as text, in frames of bounded size, while tshark runs.

    Rows come in file order, except those that are read once more. Problems of a capture that can be read up to some
    packet are added to `problems` at the end. Raises CaptureError when nothing can be read, and TsharkFailedError, a
    CaptureError, where tshark was killed or did not print the `expected` packets.
    """
    check_capture(capture)
    reread = _Reread(capture, tshark)
    packets = 0
    with tshark.run(arguments(capture, tshark)) as process:
        text = FieldsText(process.stdout, str(capture), "", names=_COLUMNS)
        try:
            for frame in text.frames(_COLUMNS):
                table = reread.without(frame)
                check_values(table, str(capture), "")
                _check_order(frame, packets)
                packets += frame.height
                yield table
        except NoRoomError:
            raise
        except CaptureError as error:
            raise garbage(capture, tshark, error) from None
        found = problems_at_end(capture, process, packets, expected)
        if text.cut_short and not found:
            raise TsharkFailedError(str(capture), f"tshark ended in the middle of a line, after {packets:,} packets")
    yield from reread.frames()
    problems += found


def _check_order(frame: pl.DataFrame, before: int) -> None:
    """Raises CaptureError where the packets of `frame` are not those after the first `before`."""
    numbers = frame["frame.number"].cast(pl.Int64, strict=False)
    if not (numbers == pl.int_range(before + 1, before + 1 + frame.height, eager=True)).all():
        raise CaptureError("", f"frame numbers that are not those of the packets, after frame {before}")


def arguments(capture: Path, tshark: Tshark) -> list[str]:
    """The arguments of tshark. In a column, U prints numbers rather than names, and 0 every occurrence, with commas."""
    layout = ",".join(f'"{name}","%Cus:{name}:0:U"' for name in _COLUMNS)
    return [
        *("-r", readable(capture), "-n", *tshark.preferences(), *preference_options(_PREFERENCES)),
        *("-o", f"gui.column.format:{layout}", "-T", "tabs"),
    ]


@dataclass(slots=True)
class _Reread:
    """The packets that columns cannot show."""

    capture: Path
    tshark: Tshark
    numbers: list[pl.Series] = field(default_factory=list)
    only_resets: bool = True

    def without(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with the columns FIELDS and PAYLOAD_BYTES, without the packets that are read once more."""
        long = pl.any_horizontal(pl.all().str.len_bytes() >= _LONGEST).fill_null(value=False)
        of_f5 = pl.col(F5_LENGTH).is_not_null()
        wanted, cut = frame.select(
            wanted=_may_have_text() | of_f5 | long, cut=long | (of_f5 & ~_may_have_text())
        ).get_columns()
        if wanted.any():
            self.numbers.append(frame["frame.number"].filter(wanted))
            self.only_resets = self.only_resets and not cut.any()
            frame = frame.filter(~wanted)
        nothing = (pl.lit(None, pl.String).alias(name) for name in (*TEXT_FIELDS, PAYLOAD_BYTES))
        return frame.with_columns(nothing).select(*FIELDS, PAYLOAD_BYTES)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Those packets, with the same columns."""
        if not self.numbers:
            return
        numbers = pl.concat(self.numbers)
        chosen = ("-Y", "tcp.flags.reset == 1") if self.only_resets else ()
        read, silent_s = 0, time_to_read(self.capture)
        with self.tshark.run([*command(self.capture, self.tshark)[1:], *chosen], silent_s=silent_s) as process:
            for frame in FieldsText(process.stdout, str(self.capture), FIX_CAPTURE).frames():
                wanted = frame.filter(pl.col("frame.number").is_in(numbers.implode()))
                read += wanted.height
                yield with_payloads(wanted, payload_bytes(self.capture, self.tshark, diagnostic_frames(wanted)))
            check_end(self.capture, process, None)
            ExpectedPackets(len(numbers)).check(self.capture, process, read)


def _may_have_text() -> pl.Expr:
    """Whether a packet is a reset with a payload. Of several TCP headers in one packet, any may be one."""
    flags = pl.col("tcp.flags").str.strip_prefix("0x").str.to_integer(base=16, strict=False)
    several = pl.col("tcp.flags").str.contains(",", literal=True)
    return (several | ((flags & RST != 0) & (pl.col("tcp.len") != "0"))).fill_null(value=False)
