"""Packets as trees of named fields (tshark -T json, ek, pdml; the exports of Wireshark) -> a row for each packet.

The values are those that `tshark -T fields` prints, in the same order. A file may be of any size: it is read packet by
packet. An XML file that declares anything of its own is refused, since entities may expand without end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from xml.parsers import expat

import ijson  # type: ignore[import-untyped]

from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.text.reading import Reading, Row
from postproc.runtime.errors import CaptureError

MAKE_ANEW = "make it anew: tshark -r CAPTURE -n -T json; better still, give the capture itself"
_PIECE = 256 * 1024  # bytes of XML that are parsed at a time
_LONGEST_PACKET = 16 * 1024 * 1024  # bytes of one line of -T ek
_BOOLEANS = {"true": "1", "false": "0", "True": "1", "False": "0"}
_WANTED = frozenset(FIELDS)
# -T ek prefixes a name with that of its layer, and has no dots.
_EK_NAMES = {f"{name.partition('.')[0]}_{name.replace('.', '_')}": name for name in FIELDS}


class Stream(Protocol):
    """A source of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`."""

    def readline(self, size: int = -1, /) -> bytes:
        """The next line, at most `size` bytes of it."""


TreeRows = Callable[[Stream, str, Reading], Iterator[Row]]


def tree_form_of(head: bytes) -> TreeRows | None:
    """The reader for a file that begins with these bytes, None where they begin no tree of fields."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<") and (b"<pdml" in head or b"<packet>" in head):
        return pdml_rows
    if start.startswith(b"{") and b'"layers"' in head:
        return ek_rows
    return json_rows if start.startswith(b"[") and b'"layers"' in head else None


class _Values:
    """The values of one packet."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, name: str, value: object) -> None:
        """Add a value of a field; it may be a list of values."""
        for one in value if isinstance(value, list) else (value,):
            if one is not None and not isinstance(one, dict):
                text = str(one)
                self._found.setdefault(name, []).append(_BOOLEANS.get(text, text))

    def row(self) -> Row:
        """Several values of a field with commas between them."""
        row: Row = {name: ",".join(values) for name, values in self._found.items()}
        row["frame.time_epoch"] = _epoch(row.get("frame.time_epoch"))
        return row


def json_rows(stream: Stream, file: str, reading: Reading) -> Iterator[Row]:
    """The rows of `tshark -T json`. Raises CaptureError."""
    depth, key, values = 0, "", _Values()
    events = ijson.basic_parse(stream, use_float=True)
    try:
        for event, value in events:
            match event:
                case "map_key":
                    key = value
                case "start_map":
                    depth += 1
                case "end_map":
                    depth -= 1
                    if depth == 0:
                        yield from _taken(values, reading)
                        values = _Values()
                case "string" | "number" | "boolean" if key in _WANTED:
                    values.add(key, value)
    except ijson.IncompleteJSONError:
        _note_cut(reading)
    except ijson.JSONError as error:
        raise CaptureError(file, f"is not JSON: {_one_line(error)}", MAKE_ANEW) from None


def ek_rows(stream: Stream, file: str, reading: Reading) -> Iterator[Row]:
    """The rows of `tshark -T ek`: one JSON object a line. Raises CaptureError."""
    while line := stream.readline(_LONGEST_PACKET):
        if len(line) == _LONGEST_PACKET:
            raise CaptureError(file, f"has a line of more than {_LONGEST_PACKET:,} bytes", MAKE_ANEW)
        values = _Values()
        try:
            document = json.loads(line, object_pairs_hook=partial(_ek_object, values=values))
        except (ValueError, RecursionError):
            if line.endswith(b"\n"):
                reading.unread.add(line.decode("utf-8", "replace"))
            else:
                _note_cut(reading)
            continue
        if isinstance(document, Mapping) and "layers" in document:
            yield from _taken(values, reading)


def _ek_object(pairs: list[tuple[str, Any]], values: _Values) -> dict[str, Any]:
    """Takes the values of an object that has been read, and keeps its names only."""
    for name, value in pairs:
        if name in _EK_NAMES:
            values.add(_EK_NAMES[name], value)
    return dict.fromkeys((name for name, _ in pairs), None)


def pdml_rows(stream: Stream, file: str, reading: Reading) -> Iterator[Row]:
    """The rows of `tshark -T pdml`. Raises CaptureError."""
    parser, packets = expat.ParserCreate(), _PdmlPackets()
    parser.StartElementHandler, parser.EndElementHandler = packets.start, packets.end
    parser.StartDoctypeDeclHandler = packets.refuse
    parser.buffer_text = True
    try:
        while piece := stream.read(_PIECE):
            parser.Parse(piece, False)
            yield from packets.taken(reading)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        yield from packets.taken(reading)
        if error.code != expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS] and not packets.any:
            raise CaptureError(file, f"is not PDML: {error}", MAKE_ANEW) from None
        reading.notes.append((f"cut short or damaged ({error}); the packets before were read", MAKE_ANEW))
    except _RefusedError:
        reason = "declares a document type, which tshark never does: entities could expand without end"
        raise CaptureError(file, reason, MAKE_ANEW) from None


class _RefusedError(Exception):
    """XML with declarations."""


class _PdmlPackets:
    """Takes the packets out of the elements of PDML."""

    def __init__(self) -> None:
        self.any = False
        self._values = _Values()
        self._done: list[_Values] = []

    def start(self, element: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if element == "packet":
            self._values = _Values()
        elif element == "field" and (name := attributes.get("name")) in _WANTED and name is not None:
            self._values.add(name, attributes.get("show"))

    def end(self, element: str) -> None:
        """An element ends."""
        if element == "packet":
            self._done.append(self._values)
            self.any = True

    def refuse(self, *_: object) -> None:
        """A document type is declared."""
        raise _RefusedError

    def taken(self, reading: Reading) -> Iterator[Row]:
        """The rows of the packets that have ended since."""
        for values in self._done:
            yield from _taken(values, reading)
        self._done.clear()


def _epoch(time: str | None) -> str | None:
    """A time in seconds since the epoch; tshark 4.2 and later print some as 2026-11-30T12:00:00.000000000Z."""
    if time is None or "T" not in time:
        return time
    seconds, _, fraction = time.removesuffix("Z").partition(".")
    try:
        return f"{round(datetime.fromisoformat(seconds + '+00:00').timestamp())}.{fraction or '0'}"
    except ValueError:
        return time


def _taken(values: _Values, reading: Reading) -> Iterator[Row]:
    row = values.row()
    yield reading.exported(row)


def _note_cut(reading: Reading) -> None:
    reading.notes.append(("cut short in the middle of a packet; the packets before it were read", MAKE_ANEW))


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
