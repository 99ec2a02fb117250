"""The bytes of the payloads of some resets, which tshark shows in its raw JSON only.

No field has them: `tcp.payload` is missing in resets, and `tcp.reset_cause` is a text that ends at the first NUL.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import ijson  # type: ignore[import-untyped]
import polars as pl

from heuristics.protocol.reset_payload import PayloadKind, payload_kind
from heuristics.protocol.tshark_fields import PAYLOAD_BYTES
from postproc.capture.tshark.expected_packets import ExpectedPackets, check_end, garbage
from postproc.capture.tshark.fields_export import readable
from postproc.capture.tshark.program import Tshark, time_to_read
from postproc.capture.tshark.tsv_reader import Readable
from postproc.runtime.errors import CaptureError

_NUMBER, _BYTES = "frame.number", "tcp.reset_cause_raw"


def diagnostic_frames(table: pl.DataFrame) -> set[int]:
    """The frame numbers of the packets with the columns FIELDS that may have a diagnostic payload."""
    causes = table.select("frame.number", "tcp.reset_cause", "tcp.len").drop_nulls()
    return {
        int(number)
        for number, cause, length in causes.iter_rows()
        if payload_kind(cause, int(length.partition(",")[0])) is PayloadKind.DIAGNOSTIC
    }


def with_payloads(table: pl.DataFrame, payloads: Mapping[int, str]) -> pl.DataFrame:
    """`table` with the column PAYLOAD_BYTES; `payloads` are by frame number."""
    values = [payloads.get(int(number)) for number in table["frame.number"]]
    return table.with_columns(pl.Series(PAYLOAD_BYTES, values, pl.String))


def payload_bytes(capture: Path, tshark: Tshark, frames: Collection[int]) -> dict[int, str]:
    """The payloads of the resets with these frame numbers, in hexadecimal. Raises CaptureError."""
    if not frames:
        return {}
    with tshark.run(arguments(capture, tshark.preferences()), silent_s=time_to_read(capture)) as process:
        try:
            found = payloads_in(process.stdout, frames)
        except (ijson.JSONError, ValueError) as error:
            check_end(capture, process, None)
            raise garbage(capture, tshark, CaptureError("", f"JSON that cannot be read: {error}")) from None
        check_end(capture, process, None)
        ExpectedPackets(len(frames)).check(capture, process, len(found))
    return found


def arguments(capture: Path, preferences: Sequence[str]) -> list[str]:
    """The arguments of tshark that print every payload of a reset."""
    chosen = ("-Y", "tcp.reset_cause", "-T", "json", "-x", "-j", "frame tcp")
    return ["-r", readable(capture), "-n", *preferences, *chosen]


def payloads_in(printed: Readable, frames: Collection[int]) -> dict[int, str]:
    """The payloads of the resets with these frame numbers. Raises ijson.JSONError or ValueError."""
    key, number = "", 0
    found: dict[int, str] = {}
    for event, value in ijson.basic_parse(printed, use_float=True):
        if event == "map_key":
            key = value
        elif event == "string" and key == _NUMBER:
            number = int(value)
        elif event == "string" and key == _BYTES and number in frames:
            bytes.fromhex(value)
            found[number] = value
    return found
