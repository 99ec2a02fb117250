"""Compares the reset, field by field, with a packet that its named sender certainly sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from heuristics.language.template import value_text
from heuristics.protocol.tshark_fields import reserved_bits
from postproc.capture.packet_table import TCP, Packet

# What pyshark reads of a packet (postproc/report/pyshark_details.py), by the field names below.
Details = Mapping[str, str]

SOURCE_MAC, DESTINATION_MAC, VLAN = "source MAC", "destination MAC", "VLAN"
RELATIVE_TIME = "seconds since the first frame"  # is not compared
HEADERS, OPTIONS, TEXT = "headers", "TCP options", "payload as text"


@dataclass(frozen=True, slots=True)
class ComparedPacket:
    """One of the compared packets: what it is, and its frame number."""

    title: str
    frame: int


@dataclass(frozen=True, slots=True)
class Line:
    """One field. `values` has a text for each packet, None if the packet has no such field.

    `differs` says whether reset and baseline packet differ, `note` how much that means.
    """

    field: str
    values: tuple[str | None, ...]
    differs: bool
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The packets side by side; the reset is the first column. `lacking` are the fields that no packet shows."""

    columns: tuple[ComparedPacket, ...]
    lines: tuple[Line, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    """A compared field. `text_of` gives its value as text.

    `significant`: honest resets seldom differ from other packets of their sender here. Another field is significant
    if the evidence reads one of its `observables`.
    """

    name: str
    significant: bool
    text_of: Callable[[Packet], str | None]
    observables: Set[str] = frozenset()


def _number(value_of: Callable[[Packet], int | None], form: str = "d") -> Callable[[Packet], str | None]:
    def text_of(packet: Packet) -> str | None:
        value = value_of(packet)
        return None if value is None else f"{value:{form}}"

    return text_of


def _of_tcp(value_of: Callable[[Packet], int]) -> Callable[[Packet], str | None]:
    return _number(lambda packet: value_of(packet) if packet.kind == TCP else None)


def _only_in_details(_: Packet) -> None:
    return None


# The values behind the verdict come from the packets table, not from a second reading. So they agree with the verdict,
# also in tunnels.
_FIELDS = (
    _Field(SOURCE_MAC, True, _only_in_details),
    _Field(DESTINATION_MAC, False, _only_in_details),
    _Field(VLAN, True, _only_in_details),
    _Field(HEADERS, False, _only_in_details),
    _Field("hop limit", True, _number(lambda packet: packet.hop_limit)),
    _Field("IP ID", False, _number(lambda packet: packet.ip_id), {"ip_id", "id_step", "id_mirrored", "run_senders"}),
    _Field("don't fragment", True, lambda packet: None if packet.df is None else value_text(packet.df)),
    _Field("type of service", True, _number(lambda packet: packet.tos, "#04x")),
    _Field("flow label", True, _number(lambda packet: packet.flow_label, "#07x")),
    _Field("reserved TCP bits", True, _number(lambda packet: reserved_bits(packet.flags) or None)),
    _Field("window", False, _of_tcp(lambda packet: packet.window), {"window", "window_mirrored"}),
    _Field(OPTIONS, False, _only_in_details, {"options_len", "ts_missing"}),
    _Field("payload bytes", False, _of_tcp(lambda packet: packet.payload_len)),
    _Field(TEXT, False, _only_in_details),
)
_IN_DETAILS = tuple(field.name for field in _FIELDS if field.text_of is _only_in_details)
_EXPECTED = (SOURCE_MAC, DESTINATION_MAC, HEADERS)  # many packets have no VLAN tag, options or payload
_NOT_READ = "not read"


def compare(packets: Sequence[tuple[str, Packet]], details: Mapping[int, Details], observables: Set[str]) -> Comparison:
    """Compare `packets`, each with its title: the reset, the baseline packet if there is one, and others.

    `details` has the details by frame number. The evidence against the named sender reads `observables`.
    """
    columns = tuple(ComparedPacket(title, packet.frame) for title, packet in packets)
    lines = []
    for field in _FIELDS:
        values = tuple(_value(field, packet, details) for _, packet in packets)
        if any(value not in (None, _NOT_READ) for value in values):
            significant = field.significant or not observables.isdisjoint(field.observables)
            lines.append(_line(field.name, values, columns, significant=significant))
    shown = {line.field for line in lines}
    expected = _EXPECTED if details else _IN_DETAILS
    return Comparison(columns, tuple(lines), tuple(name for name in expected if name not in shown))


def _value(field: _Field, packet: Packet, details: Mapping[int, Details]) -> str | None:
    if field.name not in _IN_DETAILS:
        return field.text_of(packet)
    return details[packet.frame].get(field.name) if packet.frame in details else _NOT_READ


def _line(name: str, values: tuple[str | None, ...], columns: Sequence[ComparedPacket], *, significant: bool) -> Line:
    reset, *others = values
    differs = len(others) > 0 and others[0] != reset and _NOT_READ not in (reset, others[0])
    note = ""
    if differs:
        note = "differs" if significant else "differs, as in many honest resets"
        same = [column.frame for column, other in zip(columns[2:], others[1:], strict=True) if other == reset]
        note += "".join(f"; as in frame {frame}" for frame in same)
    return Line(name, values, differs, note)
