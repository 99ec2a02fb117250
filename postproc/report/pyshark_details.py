"""Reads a few packets of a capture in full with pyshark, for fields that no verdict needs.

pyshark is slow, and by default it takes the event loop of the whole process, chooses a tshark of its own, and warns on
stderr when it is garbage-collected. Here it gets our tshark, and an event loop that ends with the reading.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyshark.capture.capture import StopCapture  # type: ignore[import-untyped]
from pyshark.capture.file_capture import FileCapture  # type: ignore[import-untyped]

from postproc.capture.tshark.program import Tshark
from postproc.report.field_comparison import (
    DESTINATION_MAC,
    HEADERS,
    OPTIONS,
    RELATIVE_TIME,
    SOURCE_MAC,
    TEXT,
    VLAN,
    Details,
)

_TEXT_SHOWN = 120  # characters of a payload
_OPTIONS_SHOWN = 12
_END, _NO_OPERATION = "0", "1"
# IANA "TCP Option Kind Numbers". The names that Wireshark gives them change with its version.
_OPTION_NAMES = {"2": "MSS", "3": "window scale", "4": "SACK permitted", "5": "SACK", "8": "timestamps", "30": "MPTCP"}
_NOT_HEADERS = ("fake-field-wrapper", "DATA")  # layers of pyshark that are no headers

# The value is the first of these fields that a layer has. The "any" device of Linux (sll) has no destination.
_FIELDS = {
    SOURCE_MAC: ("eth.src", "sll.src.eth", "wlan.sa"),
    DESTINATION_MAC: ("eth.dst", "wlan.da"),
    VLAN: ("vlan.id",),
    TEXT: ("tcp.reset_cause",),
}


def read_details(capture: Path, frames: Iterable[int], tshark: Tshark) -> dict[int, Details]:
    """The details of the packets with these frame numbers, as far as pyshark can read them.

    An error in pyshark costs details, but never the story: the capture was read and judged before.
    """
    found: dict[int, Details] = {}
    with _silence(), suppress(Exception):  # pyshark raises many types, from its own exceptions to UnicodeDecodeError
        asyncio.run(_read(capture, set(frames), tshark, found))
    return found


@contextmanager
def _silence() -> Iterator[None]:
    """Switch off the log of asyncio. It warns if tshark ends by itself just before pyshark ends it."""
    logger = logging.getLogger("asyncio")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


async def _read(capture: Path, frames: set[int], tshark: Tshark, found: dict[int, Details]) -> None:
    def take(packet: Any) -> None:
        found[int(packet.number)] = dict(_details(packet))
        if found.keys() >= frames:
            raise StopCapture

    wanted = " || ".join(f"frame.number == {frame}" for frame in sorted(frames))
    reader = _Reader(
        capture.absolute(),  # tshark would take a name that begins with "-" for an option
        eventloop=asyncio.get_running_loop(),
        # With display_filter=, pyshark would run tshark once more, only to check that it is newer than 2012.
        custom_parameters=["-Y", wanted, *tshark.preferences()],
    )
    reader.tshark = tshark
    await reader.packets_from_tshark(take)


class _Reader(FileCapture):  # type: ignore[misc]
    """A FileCapture that runs our tshark, whatever a `config.ini` in the current folder names."""

    tshark: Tshark

    def _get_tshark_path(self) -> str:
        return str(self.tshark.program)

    def __del__(self) -> None:
        """Do nothing. tshark has ended before, but pyshark would check again, with an event loop that is closed."""


def _details(packet: Any) -> Iterator[tuple[str, str]]:
    """Name and text of each field that the packet has. `packet.layers` are the headers, outermost first."""
    yield RELATIVE_TIME, str(packet.frame_info.time_relative)
    layers = _until_tcp(packet.layers)
    for name, fields in _FIELDS.items():
        value = next((str(value) for field in fields for layer in layers if (value := layer.get_field(field))), None)
        if value is not None:
            yield name, _short(value)
    yield HEADERS, " ".join(layer.layer_name for layer in layers if layer.layer_name not in _NOT_HEADERS)
    options = _options(layers[-1])
    if options:
        yield OPTIONS, options


def _until_tcp(layers: Sequence[Any]) -> Sequence[Any]:
    """The headers down to the first TCP header, or all headers."""
    tcp = next((index for index, layer in enumerate(layers) if layer.layer_name == "tcp"), len(layers) - 1)
    return layers[: tcp + 1]


def _options(layer: Any) -> str:
    """The names of the options of a TCP header, in order: "MSS, timestamps"."""
    kinds = layer.get_field("tcp.option_kind")
    shown = [field.show for field in kinds.all_fields] if kinds is not None else []
    named = [_OPTION_NAMES.get(kind, f"kind {kind}") for kind in shown if kind not in (_END, _NO_OPERATION)]
    return ", ".join([*named[:_OPTIONS_SHOWN], *(["..."] if len(named) > _OPTIONS_SHOWN else [])])


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}..."
