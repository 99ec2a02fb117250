"""A capture -> a fields export, made by the documented tshark command; and what the end of a tshark means."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import polars as pl

from heuristics.errors import Problem
from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.file_type import FileType, file_type_of, is_other_archive
from postproc.capture.tshark.expected_packets import NOT_KNOWN, ExpectedPackets, check_end
from postproc.capture.tshark.patient_pipe import PatientPipe
from postproc.capture.tshark.program import (
    PREFERENCES,
    Tshark,
    TsharkProcess,
    decode_as_options,
    preference_options,
)
from postproc.runtime.errors import CaptureError, why_not_written
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.runtime.text import shell_command

FIX_CAPTURE = "name a pcap or pcapng file, or a fields export; `rstorigin export --print-command` shows how to make one"
FIX_TEXT = (
    "name a pcap or pcapng file, a fields export, or packets as tcpdump -nnvv, tshark -V or a firewall's log prints "
    "them; a log of sessions goes to rstorigin reconcile --log"
)
_COPIED = 1 << 20  # bytes at a time


def command(capture: Path, tshark: Tshark) -> list[str]:
    """The command that exports FIELDS of `capture`: tab-separated, every occurrence, with a header line."""
    return [str(tshark.program), *arguments(capture, tshark.preferences())]


def arguments(capture: Path, preferences: Sequence[str], fields: Sequence[str] = FIELDS) -> list[str]:
    """The arguments of tshark. `-n`: no name lookups, which are slow and reveal the addresses to name servers."""
    layout = ("header=y", "separator=/t", "occurrence=a", "aggregator=,", "quote=n")
    return [
        *("-r", readable(capture), "-n", *preferences, "-T", "fields"),
        *(word for option in layout for word in ("-E", option)),
        *(word for field in fields for word in ("-e", field)),
    ]


def readable(capture: Path) -> str:
    """The name of a file as `tshark -r` takes it: `-r -` would mean stdin."""
    path = str(capture)
    return f".{os.sep}{path}" if path.startswith("-") else path


def print_command(capture: Path, decode_as: Sequence[str] = ()) -> str:
    """The command for a shell, on any machine with tshark 4.0 or newer. The export goes to stdout."""
    preferences = [*preference_options(PREFERENCES), *decode_as_options(decode_as)]
    return shell_command(["tshark", *arguments(capture, preferences)])


def write_tsv(capture: Path, tshark: Tshark, target: IO[bytes], expected: ExpectedPackets = NOT_KNOWN) -> list[Problem]:
    """Write the export of `capture` to `target`, as tshark prints it. It has to print the `expected` packets.

    Returns the problems of a capture that can be read up to some packet. Raises CaptureError when nothing can be read,
    and TsharkFailedError, a CaptureError, where tshark did not do its work.
    """
    check_capture(capture)
    with tshark.run(command(capture, tshark)[1:]) as process:
        # tshark prints the header line even for a capture that it cannot read: the next line decides.
        header = process.stdout.readline()
        first = process.stdout.readline()
        if not first and process.status != 0:
            check_end(capture, process, 0)
            raise capture_error(capture, process)
        target.write(header + first)
        packets = _copy(process.stdout, target) + bool(first)
        return problems_at_end(capture, process, packets, expected)


def write_parquet(
    capture: Path, tshark: Tshark, target: IO[bytes], expected: ExpectedPackets = NOT_KNOWN
) -> list[Problem]:
    """Write the export of `capture` to `target` as Parquet, through a temporary TSV. Otherwise as `write_tsv`."""
    with temporary_folder() as folder:
        tsv = Path(folder) / "export.tsv"
        with writing_temporary(), tsv.open("wb") as file:
            problems = write_tsv(capture, tshark, file, expected)
        schema = dict.fromkeys(FIELDS, pl.String())
        table = pl.scan_csv(tsv, separator="\t", quote_char=None, encoding="utf8-lossy", schema=schema)
        try:
            table.sink_parquet(target)
        except pl.exceptions.PolarsError as error:  # Polars raises its own error for a full disk
            raise OSError(errno.EIO, why_not_written(error)) from None
    return problems


def check_capture(capture: Path) -> None:
    """Raises CaptureError for a file that cannot be a capture. Does not run tshark."""
    match file_type_of(capture):
        case FileType.EMPTY:
            raise CaptureError(str(capture), "is empty", "capture again, or leave it out")
        case FileType.EXPORT | FileType.PARQUET:
            raise CaptureError(str(capture), "is an export, not a capture", "summarize reads it as it is")
        case FileType.PACKET_TEXT:
            raise CaptureError(str(capture), "is text of packets, not a capture", "summarize reads it as it is")


def not_a_capture(path: Path) -> CaptureError:
    """The error for a file that nothing marks as a capture."""
    if file_type_of(path) is FileType.TEXT:
        return CaptureError(str(path), "is a text file, not a capture", FIX_TEXT)
    fix = "unpack it first: tshark unpacks gz, zst and lz4 only" if is_other_archive(path) else FIX_CAPTURE
    return CaptureError(str(path), "is not a capture that tshark can read", fix)


def _copy(source: PatientPipe, target: IO[bytes]) -> int:
    """Copy everything. Returns the number of lines."""
    lines = 0
    while piece := source.read(_COPIED):
        lines += piece.count(b"\n")
        target.write(piece)
    return lines


def problems_at_end(
    capture: Path, process: TsharkProcess, packets: int | None, expected: ExpectedPackets = NOT_KNOWN
) -> list[Problem]:
    """The problems that the exit status and the last messages of a tshark mean, once it has printed something.

    `packets` is how many it printed, None where it reads more than it prints. Raises CaptureError when it is 0, and
    TsharkFailedError where tshark was killed or did not print the `expected` packets.
    """
    check_end(capture, process, packets)
    if packets is not None:
        expected.check(capture, process, packets)
    if process.status == 0:
        return []
    if packets == 0:
        raise capture_error(capture, process)
    reason = {
        "cut short": "the capture is cut short in the middle of a packet",
        "damaged": "the capture is damaged",
    }.get(_failure_of(process.messages), f"tshark gave up: {_first_line(process.messages)}")
    read = f"{reason}; packets read before that: {'not counted' if packets is None else packets}"
    return [Problem(str(capture), "", "", read, "copy it again from where it was captured, if that one is whole")]


def capture_error(capture: Path, process: TsharkProcess) -> CaptureError:
    """The error for a capture of which tshark can read nothing."""
    match _failure_of(process.messages):
        case "not a capture":
            return not_a_capture(capture)
        case "cut short":
            return CaptureError(str(capture), "is cut short before its first packet ends", "copy or capture it again")
        case "damaged":
            return CaptureError(str(capture), "is damaged before its first packet ends", "copy or capture it again")
    return CaptureError(str(capture), f"tshark cannot read it: {_first_line(process.messages)}")


# The messages of tshark 4.0, 4.4 and 4.6; their exit statuses differ (2, 3 and 14).
_MESSAGES = {
    "cut short": "appears to have been cut short",
    "damaged": "appears to be damaged or corrupt",
    "not a capture": "isn't a capture file",
}


def _failure_of(messages: str) -> str:
    return next((failure for failure, message in _MESSAGES.items() if message in messages), "")


def _first_line(messages: str) -> str:
    return messages.partition("\n")[0].removeprefix("tshark: ") or "it does not say why"
