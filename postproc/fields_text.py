"""The text that `tshark -T fields` prints -> polars frames of text columns, in pieces of bounded size.

tshark escapes tabs and line ends inside a value (4.0, 4.4 and 4.6 do, whatever a hostile `tcp.reset_cause` holds), so
that a tab is always the next column and a line end the next packet. Quotes mean nothing. Other control characters and
invalid UTF-8 may stand in the text and are kept or replaced, never interpreted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from gzip import BadGzipFile
from typing import Protocol

import polars as pl

from heuristics.fields import FIELDS
from postproc.errors import CaptureError

PIECE = 32 * 1024 * 1024  # bytes read at a time: about 200,000 packets
_SHOWN = 60  # characters of a wrong value that a message repeats
_FREE_TEXT = ("tcp.reset_cause",)  # what a packet says
_BOM = b"\xef\xbb\xbf"

# What the values of a column look like. Anything else means that the export was made with other options.
_EVERYWHERE = r"^[0-9A-Za-z.:,]*$"
_SHAPES = {"frame.number": r"^[0-9]+$", "frame.time_epoch": r"^-?[0-9]+(\.[0-9]+)?$"}
_SEPARATORS = {b",": "commas", b";": "semicolons", b"|": "bars", b" ": "spaces"}


class Readable(Protocol):
    """What bytes are read from: a file, a pipe, a decompressor."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


@dataclass(slots=True)
class FieldsText:
    """The output of one `tshark -T fields -E header=y`, being read.

    `file` is what messages call it, `remedy` what they tell to do. `cut_short` turns true at the end of a text whose
    last line has no end; that line is left out.
    """

    stream: Readable
    file: str
    remedy: str
    cut_short: bool = False

    def frames(self, fields: Sequence[str] = FIELDS) -> Iterator[pl.DataFrame]:
        """The columns `fields`, as text, null where tshark printed nothing. Raises CaptureError.

        Other columns are ignored, and the order does not matter.
        """
        names, rest = self._header(fields)
        while True:
            piece = self._read()
            lines, ended, tail = (rest + piece).rpartition(b"\n")
            if ended:
                yield self._frame(lines + ended, names, fields)
            if not piece:
                self.cut_short = bool(tail)
                return
            rest = tail

    def _read(self) -> bytes:
        try:
            return self.stream.read(PIECE)
        except EOFError:
            raise CaptureError(self.file, "the compressed file is cut short", self.remedy) from None
        except (BadGzipFile, zlib.error, UnicodeError) as error:
            raise CaptureError(self.file, f"cannot be decompressed or decoded: {error}", self.remedy) from None
        except OSError as error:
            raise CaptureError(self.file, f"cannot be read: {error.strerror}") from None

    def _header(self, fields: Sequence[str]) -> tuple[list[str], bytes]:
        """The columns' names, and what was read after them."""
        start = piece = self._read()
        while piece and b"\n" not in start:
            piece = self._read()
            start += piece
        header, _, rest = start.partition(b"\n")
        return self._names(header, fields), rest

    def _names(self, header: bytes, fields: Sequence[str]) -> list[str]:
        """The columns' names, each once: a second one of a name gets its position too."""
        header = header.removeprefix(_BOM).rstrip(b"\r")
        if b"\t" not in header:
            for separator, name in _SEPARATORS.items():
                if b"frame.number" in header.split(separator):
                    reason = f"its columns are separated by {name}, which stand inside values too"
                    raise CaptureError(self.file, reason, self.remedy)
        given = header.decode("utf-8", "replace").split("\t")
        missing = [name for name in fields if name not in given]
        if len(missing) == len(fields):
            reason = "is not a fields export: its first line does not name the columns"
            raise CaptureError(self.file, reason, self.remedy)
        if missing:
            raise CaptureError(self.file, f"the export lacks {', '.join(missing)}", self.remedy)
        return [name if name not in given[:index] else f"{name}\t{index}" for index, name in enumerate(given)]

    def _frame(self, lines: bytes, names: Sequence[str], fields: Sequence[str]) -> pl.DataFrame:
        try:
            frame = pl.read_csv(
                lines,
                has_header=False,
                separator="\t",
                quote_char=None,
                infer_schema=False,
                encoding="utf8-lossy",
                schema=dict.fromkeys(names, pl.String()),
            ).select(fields)
        except pl.exceptions.PolarsError:
            reason = f"a line has more columns than the {len(names)} that the first line names"
            raise CaptureError(self.file, reason, self.remedy) from None
        check_values(frame, self.file, self.remedy)
        return frame


def check_values(frame: pl.DataFrame, file: str, remedy: str) -> None:
    """Raises CaptureError, with `file` and `remedy`, where `frame` holds what the documented command does not print."""
    checked = [name for name in frame.columns if name in FIELDS and name not in _FREE_TEXT]
    fits = [pl.col(name).str.contains(_SHAPES.get(name, _EVERYWHERE)) for name in checked]
    numbered = pl.col("frame.number").is_not_null()
    wrong = frame.filter(~pl.all_horizontal(numbered, *(fit.fill_null(value=True) for fit in fits))).head(1)
    for name in checked if wrong.height else ():
        if not wrong[name].str.contains(_SHAPES.get(name, _EVERYWHERE)).fill_null(value=name != "frame.number")[0]:
            raise CaptureError(file, f"a value of {name} is {(wrong[name][0] or '')[:_SHOWN]!r}", remedy)
