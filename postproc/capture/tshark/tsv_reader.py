"""The text that `tshark -T fields` prints -> Polars frames of text columns, in pieces of bounded size.

tshark (4.0, 4.4 and 4.6) escapes tabs and line ends inside a value, whatever a hostile `tcp.reset_cause` holds. So a
tab always begins the next column, and a line end the next packet. Quotes have no meaning. Other control characters
and invalid UTF-8 in the text are kept or replaced, never interpreted.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from gzip import BadGzipFile
from typing import Protocol

import polars as pl

from heuristics.protocol.tshark_fields import FIELDS, OPTIONAL_FIELDS
from postproc.capture.tshark.values import Rejected, check_numbers, check_values
from postproc.runtime.errors import CaptureError

PIECE = 32 * 1024 * 1024  # bytes read at a time: about 200,000 packets
_LONGEST_LINE = 1024 * 1024  # bytes; a packet has some 300, and a reset's text at most 64 KiB
_BOM = b"\xef\xbb\xbf"

_SEPARATORS = {b",": "commas", b";": "semicolons", b"|": "bars", b" ": "spaces"}


class Readable(Protocol):
    """A source of bytes: a file, a pipe, a decompressor."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""


@dataclass(slots=True)
class FieldsText:
    """The output of one `tshark -T fields -E header=y` while it is read.

    Error messages call it `file` and end with `remedy`. `names` are the columns of a text without header line, whose
    values are not checked. Rows with a wrong value are left out and counted in `rejected`; where that is None, a wrong
    value is an error. `cut_short` becomes true at the end of a text whose last line has no end; that line is left out.
    """

    stream: Readable
    file: str
    remedy: str
    names: Sequence[str] = ()
    rejected: Rejected | None = None
    cut_short: bool = False

    def frames(self, fields: Sequence[str] = FIELDS) -> Iterator[pl.DataFrame]:
        """The columns `fields` as text, null where tshark printed nothing. Raises CaptureError.

        Ignores other columns. The columns may be in any order.
        """
        names, rest = (self.names, b"") if self.names else self._header(fields)
        while True:
            piece = self._read()
            lines, ended, tail = (rest + piece).rpartition(b"\n")
            if ended:
                yield self._frame(lines + ended, names, fields)
            if not piece:
                self.cut_short = bool(tail)
                return
            if len(tail) > _LONGEST_LINE:
                raise self._endless()
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

    def _endless(self) -> CaptureError:
        return CaptureError(self.file, f"has a line of more than {_LONGEST_LINE:,} bytes", self.remedy)

    def _header(self, fields: Sequence[str]) -> tuple[list[str], bytes]:
        """The names of the columns, and the bytes that were read after the header line."""
        start = piece = self._read()
        while piece and b"\n" not in start and len(start) <= _LONGEST_LINE:
            piece = self._read()
            start += piece
        header, _, rest = start.partition(b"\n")
        if len(header) > _LONGEST_LINE:
            raise self._endless()
        return self._names(header, fields), rest

    def _names(self, header: bytes, fields: Sequence[str]) -> list[str]:
        """The names of the columns, each once: where a name repeats, its position is added."""
        header = header.removeprefix(_BOM).rstrip(b"\r")
        if b"\t" not in header:
            for separator, name in _SEPARATORS.items():
                if b"frame.number" in header.split(separator):
                    reason = f"its columns are separated by {name}, which stand inside values too"
                    raise CaptureError(self.file, reason, self.remedy)
        given = header.decode("utf-8", "replace").split("\t")
        if not any(name in given for name in fields):
            reason = "is not a fields export: its first line does not name the columns"
            raise CaptureError(self.file, reason, self.remedy)
        if missing := [name for name in fields if name not in given and name not in OPTIONAL_FIELDS]:
            raise CaptureError(self.file, f"the export lacks {', '.join(missing)}", self.remedy)
        first: dict[str, int] = {}
        return [
            name if first.setdefault(name, index) == index else f"{name}\t{index}" for index, name in enumerate(given)
        ]

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
            ).select(columns(fields, names))
        except pl.exceptions.PolarsError:
            reason = f"a line has more columns than the {len(names)} that the first line names"
            raise CaptureError(self.file, reason, self.remedy) from None
        if self.rejected is not None:
            frame = self.rejected.without(frame)
            check_numbers(frame, self.file)
        elif not self.names:
            check_values(frame, self.file, self.remedy)
        return frame


def columns(fields: Sequence[str], names: Container[str]) -> list[pl.Expr]:
    """The columns `fields` of a table with the columns `names`; a missing column is null."""
    return [pl.col(name) if name in names else pl.lit(None, pl.String).alias(name) for name in fields]
