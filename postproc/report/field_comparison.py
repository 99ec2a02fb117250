"""The reset beside a packet that its named sender certainly sent, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from heuristics.language.template import value_text
from heuristics.protocol.tshark_fields import reserved_bits
from postproc.capture.packet_table import TCP, Packet

# What a look at the whole packet adds (postproc.packet_details), by the names below.
Details = Mapping[str, str]

SOURCE_MAC, DESTINATION_MAC, VLAN = "source MAC", "destination MAC", "VLAN"
HEADERS, OPTIONS, TEXT = "headers", "TCP options", "payload as text"


@dataclass(frozen=True, slots=True)
class Column:
    """One of the packets compared: what it is, and its frame number."""

    title: str
    frame: int


@dataclass(frozen=True, slots=True)
class Line:
    """One field. `values` has one text for each column, None where that packet has no such field.

    `differs` says that reset and baseline differ, `note` what that is worth.
    """

    field: str
    values: tuple[str | None, ...]
    differs: bool
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The packets side by side; the reset is the first column. `lacking` are fields that no packet could tell."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    """`telling`: honest resets seldom differ from their sender's other packets here. `reads`: its value as text.

    `asked` are the observables by which a rule of the evidence makes it telling all the same.
    """

    name: str
    telling: bool
    reads: Callable[[Packet], str | None]
    asked: Set[str] = frozenset()


def _number(read: Callable[[Packet], int | None], form: str = "d") -> Callable[[Packet], str | None]:
    def reads(packet: Packet) -> str | None:
        value = read(packet)
        return None if value is None else f"{value:{form}}"

    return reads


def _of_tcp(read: Callable[[Packet], int]) -> Callable[[Packet], str | None]:
    return _number(lambda packet: read(packet) if packet.kind == TCP else None)


def _only_detailed(_: Packet) -> None:
    return None


# The values that the verdict was reached by come from the packets table, not from a second reading: they cannot
# disagree with it, in tunnels either.
_FIELDS = (
    _Field(SOURCE_MAC, True, _only_detailed),
    _Field(DESTINATION_MAC, False, _only_detailed),
    _Field(VLAN, True, _only_detailed),
    _Field(HEADERS, False, _only_detailed),
    _Field("hop limit", True, _number(lambda packet: packet.hop_limit)),
    _Field("IP ID", False, _number(lambda packet: packet.ip_id), {"ip_id", "id_step", "id_mirrored", "run_senders"}),
    _Field("don't fragment", True, lambda packet: None if packet.df is None else value_text(packet.df)),
    _Field("type of service", True, _number(lambda packet: packet.tos, "#04x")),
    _Field("flow label", True, _number(lambda packet: packet.flow_label, "#07x")),
    _Field("reserved TCP bits", True, _number(lambda packet: reserved_bits(packet.flags) or None)),
    _Field("window", False, _of_tcp(lambda packet: packet.window), {"window", "window_mirrored"}),
    _Field(OPTIONS, False, _only_detailed, {"options_len", "ts_missing"}),
    _Field("payload bytes", False, _of_tcp(lambda packet: packet.payload_len)),
    _Field(TEXT, False, _only_detailed),
)
_DETAILED = tuple(field.name for field in _FIELDS if field.reads is _only_detailed)
_ALWAYS_THERE = (SOURCE_MAC, DESTINATION_MAC, HEADERS)  # of other fields, none is an answer
_NOT_READ = "not read"


def compare(packets: Sequence[tuple[str, Packet]], details: Mapping[int, Details], asked: Set[str]) -> Comparison:
    """`packets` by title: the reset, the baseline packet where there is one, and others. `details` by frame number.

    `asked` are the observables that the evidence against the named sender rests on.
    """
    columns = tuple(Column(title, packet.frame) for title, packet in packets)
    lines = []
    for field in _FIELDS:
        values = tuple(_value(field, packet, details) for _, packet in packets)
        if any(value not in (None, _NOT_READ) for value in values):
            lines.append(_line(field.name, values, columns, telling=field.telling or not asked.isdisjoint(field.asked)))
    shown = {line.field for line in lines}
    wanted = _ALWAYS_THERE if details else _DETAILED
    return Comparison(columns, tuple(lines), tuple(name for name in wanted if name not in shown))


def _value(field: _Field, packet: Packet, details: Mapping[int, Details]) -> str | None:
    if field.name not in _DETAILED:
        return field.reads(packet)
    return details[packet.frame].get(field.name) if packet.frame in details else _NOT_READ


def _line(name: str, values: tuple[str | None, ...], columns: Sequence[Column], *, telling: bool) -> Line:
    reset, *others = values
    differs = len(others) > 0 and others[0] != reset and _NOT_READ not in (reset, others[0])
    note = ""
    if differs:
        note = "differs" if telling else "differs, as in many honest resets"
        same = [column.frame for column, other in zip(columns[2:], others[1:], strict=True) if other == reset]
        note += "".join(f"; as in frame {frame}" for frame in same)
    return Line(name, values, differs, note)
