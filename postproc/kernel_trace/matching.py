"""Captured resets compared with a kernel trace: which of them did the kernel of that host send or receive?"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from postproc.batch.job import CaptureResult
from postproc.kernel_trace.trace_text import End, KernelEvent, KernelTrace, Kind
from postproc.session_log.clock_offset import ClockOffset, clock_offset
from postproc.verdicts.result_row import ResetRow

KERNEL_SENT, KERNEL_NEVER_SENT = "kernel_sent", "kernel_never_sent"  # ids of rules
_PRECISION_US = 1000
_APART_US = 500_000  # between the kernel's event and the packet in a capture, which may be taken elsewhere
_SINCE_1970_US = 10**15  # a clock below it counts from the start of the machine


class Shown(StrEnum):
    """What the trace shows about a reset."""

    SENT = "sent by the kernel"
    FIREWALL = "sent by the host's own firewall"
    NEVER_SENT = "never sent by the kernel"
    RECEIVED = "received by the kernel"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Match:
    """What the trace shows about the reset `row`, by which event, and by which rule it counts (empty: by none).

    `firewall_drop_us` is how far from a never sent reset the host's own firewall dropped a packet, None where it did
    not within half a second. `received`: the kernel also received it, and took it as valid.
    """

    row: ResetRow
    shown: Shown
    event: KernelEvent | None
    rule_id: str = ""
    firewall_drop_us: int | None = None
    received: bool = False


@dataclass(frozen=True, slots=True)
class TraceMatching:
    """One entry for each reset of a capture, in order, and how far the trace's clock is ahead of the capture's."""

    matches: tuple[Match, ...]
    clock: ClockOffset | None


def match_trace(trace: KernelTrace, result: CaptureResult) -> TraceMatching:
    """Compare the resets of one capture with a trace.

    A reset in the name of the trace's host counts as never sent only while the trace was running, and where it lost
    nothing. The host's own firewall sends resets past the traced function: a trace of nf_send_reset shows those, and
    one of dropped packets that there was none. Where neither is there, "never sent" decides nothing.
    """
    rows = [reset.row for reset in result.resets]
    by_ends: defaultdict[tuple[End, End], list[KernelEvent]] = defaultdict(list)
    for each in trace.events:
        by_ends[each.src, each.dst].append(each)
    clock = _clock(trace, rows, by_ends)
    if clock is None:
        return TraceMatching(tuple(Match(row, Shown.NOTHING, None) for row in rows), None)
    unused: dict[tuple[End, End, bool], list[KernelEvent]] = {}
    for ends, events in by_ends.items():
        for event in sorted(events, key=lambda event: event.time_us):
            unused.setdefault((*ends, event.kind is Kind.RECEIVED), []).append(event)
    matches = []
    for row in rows:
        time_us = round(row.time * 1_000_000) + clock.offset_us
        ends = (row.src, row.sport), (row.dst, row.dport)
        sent = _nearest(unused.get((*ends, False), []), time_us)
        received = _nearest(unused.get((*ends, True), []), time_us)
        match = _sent(row, sent, time_us, trace)
        if received is not None:
            shown = Shown.RECEIVED if match.shown is Shown.NOTHING else match.shown
            match = replace(match, shown=shown, event=match.event or received, received=True)
        matches.append(match)
    return TraceMatching(tuple(matches), clock)


def _sent(row: ResetRow, event: KernelEvent | None, time_us: int, trace: KernelTrace) -> Match:
    """What the trace shows of the sending, `event`."""
    if event is not None:
        if event.kind is Kind.SENT:
            return Match(row, Shown.SENT, event, KERNEL_SENT)
        return Match(row, Shown.FIREWALL, event)
    running = trace.first_us is not None and trace.last_us is not None and trace.first_us <= time_us <= trace.last_us
    if row.src in trace.hosts and running and not trace.lost:
        apart = min((abs(drop_us - time_us) for drop_us in trace.firewall_drops_us), default=_APART_US + 1)
        dropped = apart if apart <= _APART_US else None
        traced = any(each.kind is Kind.FIREWALL for each in trace.events)  # and this reset is not among them
        sure = traced or (trace.has_drops and dropped is None)
        return Match(row, Shown.NEVER_SENT, None, KERNEL_NEVER_SENT if sure else "", None if traced else dropped)
    return Match(row, Shown.NOTHING, None)


def _clock(
    trace: KernelTrace, rows: Sequence[ResetRow], by_ends: dict[tuple[End, End], list[KernelEvent]]
) -> ClockOffset | None:
    """The trace's clock against the capture's, by resets with the same ends."""
    pairs = (
        (event.time_us, row.time)
        for row in rows
        for event in by_ends.get(((row.src, row.sport), (row.dst, row.dport)), ())
    )
    differences = np.array([time_us - round(time * 1_000_000) for time_us, time in pairs], dtype=np.int64)
    since_boot = trace.last_us is not None and trace.last_us < _SINCE_1970_US
    return clock_offset(differences, _PRECISION_US, enough=1 if since_boot else 3)


def _nearest(events: list[KernelEvent], time_us: int) -> KernelEvent | None:
    """The event nearest in time, which is used up; None where none is near."""
    at = bisect_left(events, time_us, key=lambda event: event.time_us)
    near = [index for index in (at - 1, at) if 0 <= index < len(events)]
    best = min(near, key=lambda index: abs(events[index].time_us - time_us), default=None)
    if best is None or abs(events[best].time_us - time_us) > _APART_US:
        return None
    return events.pop(best)
