"""A judged reset or ICMP error: its row, and what goes with the row.

The columns of rows stand in one table, heuristics/observables/output_columns.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any, Literal

from heuristics.observables.output_columns import COLUMNS, Kind, ResetRow, observable_columns
from heuristics.observables.vocabulary import Value

__all__ = ["COLUMNS", "JudgedReset", "Rejection", "ResetRow", "result_row"]

# The arguments of result_row, in the order in which it joins them.
_ARGUMENTS = (
    *("capture", "frame", "time", "kind", "flow", "src", "sport", "dst", "dport"),
    *("verdict", "origin", "suspicion", "evidence", "reason", "cause", "device", "where"),
)


_Picker = Callable[[Any], tuple[Any, ...]]


def _pickers(sources: Mapping[str, str]) -> tuple[_Picker, _Picker]:
    """Picks the values of columns out of an observation, then puts _ARGUMENTS, None and these in the order of a row.

    `sources` has the name in the observation, by column.
    """
    names = [*_ARGUMENTS, None, *sources]
    order = itemgetter(*(names.index(name if name in names else None) for name in COLUMNS))
    return itemgetter(*sources.values()), order


_PICKERS = {
    "rst": _pickers({column.name: column.observable for column in observable_columns(Kind.RST)}),
    "icmp": _pickers({column.name: column.name for column in observable_columns(Kind.ICMP)}),
}


def result_row(
    observation: Mapping[str, Value],
    *,
    capture: str,
    frame: int,
    time: float,
    kind: Literal["rst", "icmp"],
    flow: str,
    src: str,
    sport: int,
    dst: str,
    dport: int,
    verdict: str,
    origin: str,
    suspicion: int,
    evidence: tuple[str, ...],
    reason: str,
    cause: str | None = None,
    device: str | None = None,
    where: str | None = None,
) -> ResetRow:
    """A row: `observation` is the observables of the packet, with the derived columns if it is an ICMP error.

    The other arguments are the columns that come from the packet and from the judgement.
    """
    observed, in_order = _PICKERS[kind]
    # fmt: off
    return ResetRow(*in_order((
        capture, frame, time, kind, flow, src, sport, dst, dport,
        verdict, origin, suspicion, evidence, reason, cause, device, where, None,
        *observed(observation),
    )))
    # fmt: on


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
