"""The resets of each sender: of each presumed one in between, of each front-end, and of each host in its own name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heuristics.presumed_sender import Who
from postproc.report.presumed_senders import SenderKey, resets_by_sender
from postproc.report.rulebook_entries import RulebookEntries
from postproc.runtime.text import plural
from postproc.verdicts.result_row import JudgedReset, ResetRow


def rows_by_sender(
    resets: Sequence[JudgedReset], entries: RulebookEntries, places: Mapping[str, int]
) -> dict[str, list[ResetRow]]:
    """The rows by the name of the sender, as it stands in a sentence: "a device 2 hops away", "203.0.113.1"."""
    named: dict[str, list[ResetRow]] = {}
    for key, group in resets_by_sender(resets, entries, places).items():
        rows = [reset.row for reset in group]
        if key.who in (Who.HOST, Who.UNKNOWN):
            for row in rows:
                named.setdefault(row.src, []).append(row)
        else:
            name = _name(key)
            # Two devices that look alike, at two places: the capture says which.
            named[name if name not in named else f"{name}, seen in {rows[0].capture}"] = rows
    return named


def _name(key: SenderKey) -> str:
    if key.who is Who.FRONT_END:
        return f"the front-end {key.device}" if key.device else "a front-end"
    place = "at an unknown distance" if key.hops is None else f"{plural(key.hops, 'hop')} away"
    return f"a device {place} ({key.device})" if key.device else f"a device {place}"
