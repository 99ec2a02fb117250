"""A judged reset or ICMP error: its row, and what goes with the row.

The columns of rows stand in one table, heuristics/observables/output_columns.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple

from heuristics.observables.output_columns import COLUMNS, Kind, ResetRow, observable_columns
from heuristics.observables.vocabulary import Value

__all__ = [
    "COLUMNS",
    "JudgedReset",
    "JudgementColumns",
    "PacketColumns",
    "Rejection",
    "ResetRow",
    "error_row",
    "reset_row",
]


class PacketColumns(NamedTuple):
    """The columns that come from the packet."""

    capture: str
    frame: int
    time: float
    kind: Literal["rst", "icmp"]
    flow: str
    src: str
    sport: int
    dst: str
    dport: int


class JudgementColumns(NamedTuple):
    """The columns that come from the judgement."""

    verdict: str
    origin: str
    suspicion: int
    evidence: tuple[str, ...]
    reason: str
    cause: str | None = None
    device: str | None = None
    where: str | None = None


def _order(observables: tuple[str, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Puts the values of PacketColumns, of these columns and of JudgementColumns, then None, in the order of a row."""
    names = [*PacketColumns._fields, *observables, *JudgementColumns._fields]
    return itemgetter(*(names.index(name) if name in names else len(names) for name in COLUMNS))


_OF_RESETS, _OF_ERRORS = observable_columns(Kind.RST), observable_columns(Kind.ICMP)
_reset_values = itemgetter(*(column.observable for column in _OF_RESETS))
_error_values = itemgetter(*(column.name for column in _OF_ERRORS))
_reset_order = _order(tuple(column.name for column in _OF_RESETS))
_error_order = _order(tuple(column.name for column in _OF_ERRORS))


def reset_row(packet: PacketColumns, observation: Mapping[str, Value], judgement: JudgementColumns) -> ResetRow:
    """The row of a reset; `observation` is its observables."""
    return ResetRow(*_reset_order((*packet, *_reset_values(observation), *judgement, None)))


def error_row(packet: PacketColumns, observation: Mapping[str, Value], judgement: JudgementColumns) -> ResetRow:
    """The row of an ICMP error; `observation` is its observables and derived columns."""
    return ResetRow(*_error_order((*packet, *_error_values(observation), *judgement, None)))


@dataclass(frozen=True, slots=True)
class Rejection:
    """What an ICMP error says: type and code in words, the rejected packet's target, and the hops it had travelled."""

    name: str
    target: str
    travelled: int | None


@dataclass(slots=True)
class JudgedReset:
    """A row with what its columns leave out: the score (centi-nats), and the evidence in words.

    ICMP errors have a `rejection`. Resets may have a `signature` (postproc/verdicts/tampering_signature.py), and an
    `ip_id` if it may come from a counter that serves several senders (postproc/verdicts/shared_origin.py).
    """

    row: ResetRow
    score: int
    words: tuple[str, ...]
    rejection: Rejection | None = None
    signature: str | None = None
    ip_id: int | None = None

    def __reduce__(self) -> tuple[type[JudgedReset], tuple[Any, ...]]:
        """As that of a row."""
        return JudgedReset, _judged_values(self)


_judged_values = attrgetter(*(field.name for field in fields(JudgedReset)))
