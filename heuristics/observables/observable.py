"""What an observable is: its name, type, source, unit and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

# A missing observable is None (nil in Lua): a rule that reads it does not fire.
Value = int | bool | str | None


class Type(StrEnum):
    """The type of an observable or of an expression. Integers only: both engines compute the same bits."""

    INT = "int"
    BOOL = "bool"
    STR = "str"


class ObservableSource(StrEnum):
    """Where the value of an observable comes from.

    Both engines measure what comes from the context when the reset passes, and keep it in the reset context. The fields
    of the reset context and the copying into the observation follow from these rows. Both engines compute everything
    else at judging, so that packets after the reset count too.
    """

    HEADER = "header"  # the headers of the packet itself
    CONTEXT = "context"  # the state of the flow when the packet passed
    FLOW = "flow"  # the whole flow
    HOST = "host"  # the sender's packets in the whole capture
    CAPTURE = "capture"  # all resets (or ICMP errors) of the capture
    PAIR = "pair"  # a capture of the same traffic, taken at another place
    CASE = "case"  # all captures of the case
    THRESHOLDS = "thresholds"  # `[thresholds]` of the rulebook
    JUDGED = "judged"  # the verdict


class Mark(Enum):
    """A property that a row names after its columns."""

    GIVEN = auto()  # every capture gives the value, so that a condition need not ask `known(...)`; parity tests check
    UINT16 = (
        auto()
    )  # an unsigned number of 16 bits; the plugin stores other numbers in 32 signed bits, times in 40 bits


@dataclass(frozen=True, slots=True)
class Observable:
    """One fact about a reset or an ICMP error. `unit` is empty for a plain number, a name or a flag."""

    name: str
    type: Type
    source: ObservableSource
    unit: str
    meaning: str
    always: bool = False
    uint16: bool = False


Row = tuple[str, ObservableSource, str, str, *tuple[Mark, ...]]  # name, source, unit, meaning, marks


def table(type_: Type, *rows: Row) -> tuple[Observable, ...]:
    """The observables of these rows, which are all of one type."""
    return tuple(
        Observable(name, type_, source, unit, meaning, always=Mark.GIVEN in marks, uint16=Mark.UINT16 in marks)
        for name, source, unit, meaning, *marks in rows
    )
