"""A capture -> the fields export that we read: the documented command, and what came of running it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.file_type import Kind, is_packed_otherwise, kind_of
from postproc.capture.tshark.program import PREFERENCES, Run, Tshark, options
from postproc.runtime.errors import CaptureError, why_not_written
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.runtime.text import shell_command

FIX_CAPTURE = "name a pcap or pcapng file, or a fields export; `rstorigin export --print-command` shows how to make one"
_COPIED = 1 << 20  # bytes at a time


def command(capture: Path, tshark: Tshark) -> list[str]:
    """The command that exports FIELDS of `capture`, tab-separated, every occurrence, with a header line."""
    return [str(tshark.program), *arguments(capture, tshark.preferences())]


def arguments(capture: Path, preferences: Sequence[str], fields: Sequence[str] = FIELDS) -> list[str]:
    """What follows `tshark` in the command. `-n`: no name lookups, which would be slow and would tell others."""
    form = ("header=y", "separator=/t", "occurrence=a", "aggregator=,", "quote=n")
    return [
        *("-r", readable(capture), "-n", *preferences, "-T", "fields"),
        *(word for option in form for word in ("-E", option)),
        *(word for field in fields for word in ("-e", field)),
    ]


def readable(capture: Path) -> str:
    """The name of a file as `tshark -r` takes it: `-r -` would mean stdin."""
    path = str(capture)
    return f".{os.sep}{path}" if path.startswith("-") else path


def print_command(capture: Path) -> str:
    """The command for a shell, to be run on any machine with tshark 4.0 or newer; the export goes to stdout."""
    return shell_command(["tshark", *arguments(capture, options(PREFERENCES))])


def write_tsv(capture: Path, tshark: Tshark, target: IO[bytes]) -> list[Problem]:
    """Write the export of `capture` to `target` as tshark prints it.

    Returns what is wrong with a capture that could be read up to some packet. Raises CaptureError when none could.
    """
    check_capture(capture)
    with tshark.run(command(capture, tshark)[1:]) as run:
        # The header line comes even before a capture that cannot be read at all: wait for what follows it.
        header = run.stdout.readline()
        first = run.stdout.readline()
        if not first and run.status != 0:
            raise failure(capture, run)
        target.write(header + first)
        packets = _copy(run.stdout, target) + bool(first)
        return ending(capture, run, packets)


def write_parquet(capture: Path, tshark: Tshark, target: IO[bytes]) -> list[Problem]:
    """Write the export of `capture` to `target` as Parquet, by way of a temporary TSV; else as `write_tsv`."""
    with temporary_folder() as folder:
        tsv = Path(folder) / "export.tsv"
        with writing_temporary(), tsv.open("wb") as file:
            problems = write_tsv(capture, tshark, file)
        schema = dict.fromkeys(FIELDS, pl.String())
        table = pl.scan_csv(tsv, separator="\t", quote_char=None, encoding="utf8-lossy", schema=schema)
        try:
            table.sink_parquet(target)
        except pl.exceptions.PolarsError as error:  # what Polars makes of a full disk
            raise OSError(errno.EIO, why_not_written(error)) from None
    return problems


def check_capture(capture: Path) -> None:
    """Raises CaptureError for what cannot be a capture, without asking tshark."""
    match kind_of(capture):
        case Kind.EMPTY:
            raise CaptureError(str(capture), "is empty", "capture again, or leave it out")
        case Kind.EXPORT | Kind.PARQUET | Kind.UTF16:
            raise CaptureError(str(capture), "is an export, not a capture", "summarize reads it as it is")


def not_a_capture(path: Path) -> CaptureError:
    """What is said of a file that nothing marks as a capture."""
    what = "a text file, not a capture" if kind_of(path) is Kind.TEXT else "not a capture that tshark can read"
    fix = "unpack it first: tshark unpacks gz, zst and lz4 only" if is_packed_otherwise(path) else FIX_CAPTURE
    return CaptureError(str(path), f"is {what}", fix)


def _copy(source: IO[bytes], target: IO[bytes]) -> int:
    """Copy, and count the lines."""
    lines = 0
    while piece := source.read(_COPIED):
        lines += piece.count(b"\n")
        target.write(piece)
    return lines


def ending(capture: Path, run: Run, packets: int | None) -> list[Problem]:
    """What the exit status and last words of a tshark that began to print mean.

    `packets` is how many it printed, None where that is not how many it read. Raises CaptureError when it is none.
    """
    if run.status == 0:
        return []
    if packets == 0:
        raise failure(capture, run)
    reason = {
        "cut short": "the capture is cut short in the middle of a packet",
        "damaged": "the capture is damaged",
    }.get(_sort_of(run.messages), f"tshark gave up: {_first_line(run.messages)}")
    read = f"{reason}; packets read before that: {'not counted' if packets is None else packets}"
    return [Problem(str(capture), "", "", read, "copy it again from where it was captured, if that one is whole")]


def failure(capture: Path, run: Run) -> CaptureError:
    """Why tshark could read nothing of `capture`."""
    match _sort_of(run.messages):
        case "not a capture":
            return not_a_capture(capture)
        case "cut short":
            return CaptureError(str(capture), "is cut short before its first packet ends", "copy or capture it again")
        case "damaged":
            return CaptureError(str(capture), "is damaged before its first packet ends", "copy or capture it again")
    return CaptureError(str(capture), f"tshark cannot read it: {_first_line(run.messages)}")


# How tshark 4.0, 4.4 and 4.6 say it; exit statuses differ between them (2, 3 and 14).
_SAYINGS = {
    "cut short": "appears to have been cut short",
    "damaged": "appears to be damaged or corrupt",
    "not a capture": "isn't a capture file",
}


def _sort_of(messages: str) -> str:
    return next((sort for sort, saying in _SAYINGS.items() if saying in messages), "")


def _first_line(messages: str) -> str:
    return messages.partition("\n")[0].removeprefix("tshark: ") or "it does not say why"
