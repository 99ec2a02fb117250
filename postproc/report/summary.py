"""All judged resets -> what a reader needs: totals, who sent them, causes, the most suspicious, hosts, captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from heuristics.errors import Problem
from heuristics.presumed_sender import Who
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict
from postproc.batch.job import CaptureResult
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.report.capture_places import capture_places
from postproc.report.icmp_summary import IcmpErrorSource, icmp_error_sources
from postproc.report.presumed_senders import PresumedSender, presumed_senders
from postproc.report.rulebook_entries import RulebookEntries
from postproc.report.selection import Selected
from postproc.report.sender_rows import rows_by_sender
from postproc.report.surges import IdleTimeout, Surge, find_surges, idle_timeouts
from postproc.report.tallies import Tally, causes, reasons
from postproc.verdicts.result_row import JudgedReset, ResetRow

_RESET_ORIGINS = tuple(origin for origin in Origin if origin is not Origin.ROUTER)
SUSPICIOUS = (*ACCUSED, Verdict.UNCLEAR)


@dataclass(frozen=True, slots=True)
class Share:
    """How many resets (or ICMP errors) have a verdict or an origin; `percent` of all, with one decimal."""

    name: str
    resets: int
    percent: float


@dataclass(frozen=True, slots=True)
class Totals:
    """`captures` that could be read, `packets` in them (None: not counted), `flows` that hold a reset.

    `ended` resets ended an open connection, `late` ones came after its end or did not end it; of the others the
    captures do not show which.
    """

    captures: int
    packets: int | None
    flows: int
    resets: int
    by_verdict: tuple[Share, ...]
    by_origin: tuple[Share, ...]
    icmp_errors: int = 0
    icmp_by_verdict: tuple[Share, ...] = ()
    icmp_by_origin: tuple[Share, ...] = ()
    ended: int = 0
    late: int = 0

    def count(self, verdict: Verdict) -> int:
        """How many resets have this verdict."""
        return next(share.resets for share in self.by_verdict if share.name == verdict)


@dataclass(frozen=True, slots=True)
class Sender:
    """The resets that name one address as their sender.

    The lists of hop values hold the different values, ascending: baselines and deltas are hop limits; `distances` of
    the resets and `sender_distances` of the address itself are hops. `suspicion` is the highest.
    """

    address: str
    resets: int
    by_verdict: tuple[Share, ...]
    suspicion: int
    hop_baselines: tuple[int, ...]
    hop_deltas: tuple[int, ...]
    distances: tuple[int, ...]
    sender_distances: tuple[int, ...]

    @property
    def accused(self) -> int:
        """How many of its resets are forged or likely forged."""
        return sum(share.resets for share in self.by_verdict if share.name in ACCUSED)


@dataclass(frozen=True, slots=True)
class ResetGroup:
    """Resets of one capture with the same named sender, verdict and evidence.

    `reset` is the most suspicious of them, `others` are the frames of the others.
    """

    reset: JudgedReset
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CaptureCounts:
    """One input. `packets` is None where they were not counted; `first` and `last` are the times of its resets.

    `copy_of` names an earlier input with the same packets: everything else counts them there.
    """

    name: str
    readable: bool
    packets: int | None
    resets: int
    accused: int
    unclear: int
    first: float | None
    last: float | None
    copy_of: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """`senders` (hosts) and `suspicious` begin with the most suspicious; `resets` are all, by input and frame.

    `presumed_senders` say who sent the resets, `causes` why, `not_judged` why verdicts are unclear. `surges` are times
    of many more resets than usual, `idle_timeouts` what the silences before resets show. `suspicious` leaves out
    genuine and likely genuine resets, and groups resets that are alike. `errors` are the ICMP errors,
    `suspicious_errors` the most suspicious of them, `icmp_error_sources` their sources.
    """

    totals: Totals
    senders: tuple[Sender, ...]
    suspicious: tuple[ResetGroup, ...]
    resets: tuple[JudgedReset, ...]
    problems: tuple[Problem, ...]
    presumed_senders: tuple[PresumedSender, ...] = ()
    causes: tuple[Tally, ...] = ()
    not_judged: tuple[Tally, ...] = ()
    captures: tuple[CaptureCounts, ...] = ()
    errors: tuple[JudgedReset, ...] = ()
    suspicious_errors: tuple[JudgedReset, ...] = ()
    icmp_error_sources: tuple[IcmpErrorSource, ...] = ()
    surges: tuple[Surge, ...] = ()
    idle_timeouts: tuple[IdleTimeout, ...] = ()
    all_resets: tuple[JudgedReset, ...] = ()  # also those of copies
    all_errors: tuple[JudgedReset, ...] = ()  # also those of copies
    rows: tuple[ResetRow, ...] = ()  # of all resets and ICMP errors together
    selected: Selected | None = None  # where it is about a selection; the answer begins with it
    unopened: bool = False  # whether packets of an overlay were not opened, so that resets in it were not seen


def summarise(
    judged: Sequence[CaptureResult],
    rulebook: Rulebook,
    top: int,
    problems: Sequence[Problem] = (),
    selected: Selected | None = None,
) -> Summary:
    """Sum up the results of all inputs, with at most `top` suspicious ones. `problems` come before theirs.

    `selected` says which resets and ICMP errors the results have, if not all.
    """
    counted = [each for each in judged if not each.copy_of]
    resets = tuple(reset for each in counted for reset in each.resets)
    errors = tuple(error for each in counted for error in each.errors)
    entries = RulebookEntries(rulebook)
    places = capture_places(counted)
    presumed = presumed_senders(resets, entries, places)
    by_sender = rows_by_sender(resets, entries, places)
    rows = [reset.row for reset in resets]
    return Summary(
        totals=_totals([each for each in counted if each.readable], rows, errors),
        senders=_senders(rows),
        suspicious=tuple(_from_different_senders(_grouped(_most_suspicious(resets)), presumed)[:top]),
        resets=resets,
        problems=(*problems, *(problem for each in judged for problem in each.problems)),
        presumed_senders=presumed,
        causes=causes(rows, entries),
        not_judged=reasons(rows, entries),
        captures=tuple(map(_capture_counts, judged)),
        errors=errors,
        suspicious_errors=tuple(_most_suspicious(errors)[:top]),
        icmp_error_sources=icmp_error_sources(errors),
        surges=find_surges(by_sender, _covered(counted)),
        idle_timeouts=idle_timeouts(by_sender),
        all_resets=tuple(reset for each in judged for reset in each.resets),
        all_errors=tuple(error for each in judged for error in each.errors),
        rows=tuple(row for each in judged for row in _in_order((*each.resets, *each.errors))),
        selected=selected,
        unopened=any(is_unopened_overlay(problem) for each in judged for problem in each.problems),
    )


def _covered(judged: Sequence[CaptureResult]) -> list[tuple[float, float]]:
    """The spans (seconds) that the captures cover, as far as that is known."""
    points = [each.capture_point for each in judged]
    return [(p.first_us / 1e6, p.last_us / 1e6) for p in points if p.first_us is not None and p.last_us is not None]


def _most_suspicious(judged: Sequence[JudgedReset]) -> list[JudgedReset]:
    ranked = sorted(judged, key=lambda each: -each.score)
    return [each for each in ranked if each.row.verdict in SUSPICIOUS]


def _in_order(judged: Sequence[JudgedReset]) -> list[ResetRow]:
    return sorted((each.row for each in judged), key=lambda row: row.frame)


def _grouped(ranked: Sequence[JudgedReset]) -> list[ResetGroup]:
    """`ranked` in groups, in the order of the first reset of each."""
    groups: dict[tuple[object, ...], list[JudgedReset]] = {}
    for reset in ranked:
        row = reset.row
        groups.setdefault((row.capture, row.src, row.verdict, row.evidence, row.reason), []).append(reset)
    return [ResetGroup(first, tuple(sorted(other.row.frame for other in rest))) for first, *rest in groups.values()]


def _from_different_senders(groups: Sequence[ResetGroup], senders: Sequence[PresumedSender]) -> list[ResetGroup]:
    """`groups`, first those with the example of a sender in between: so the first ones show different senders."""
    between = [sender for sender in senders if sender.who is Who.BETWEEN]
    ranks = {_place(sender.example.row): rank for rank, sender in enumerate(between)}

    def rank(group: ResetGroup) -> int:
        capture = group.reset.row.capture
        return min(ranks.get((capture, frame), len(ranks)) for frame in (group.reset.row.frame, *group.others))

    return sorted(groups, key=rank)


def _place(row: ResetRow) -> tuple[str, int]:
    return row.capture, row.frame


def _capture_counts(result: CaptureResult) -> CaptureCounts:
    rows = [reset.row for reset in result.resets]
    return CaptureCounts(
        name=result.name,
        readable=result.readable,
        packets=result.packets,
        resets=len(rows),
        accused=sum(row.verdict in ACCUSED for row in rows),
        unclear=sum(row.verdict == Verdict.UNCLEAR for row in rows),
        first=min((row.time for row in rows), default=None),
        last=max((row.time for row in rows), default=None),
        copy_of=result.copy_of,
    )


def _totals(judged: Sequence[CaptureResult], rows: Sequence[ResetRow], errors: Sequence[JudgedReset]) -> Totals:
    packets = [each.packets for each in judged]
    return Totals(
        captures=len(judged),
        packets=None if None in packets else sum(count for count in packets if count is not None),
        flows=len({(row.capture, row.flow) for row in rows}),
        resets=len(rows),
        by_verdict=_shares(Verdict, (row.verdict for row in rows)),
        by_origin=_shares(_RESET_ORIGINS, (row.origin for row in rows)),
        icmp_errors=len(errors),
        icmp_by_verdict=_shares(Verdict, (error.row.verdict for error in errors)),
        icmp_by_origin=_shares(Origin, (error.row.origin for error in errors)),
        ended=sum(row.ended_connection is True for row in rows),
        late=sum(row.ended_connection is False for row in rows),
    )


def _shares(names: Iterable[str], values: Iterable[str]) -> tuple[Share, ...]:
    counts = Counter(values)
    total = counts.total() or 1
    return tuple(Share(str(name), counts[name], round(100 * counts[name] / total, 1)) for name in names)


def _senders(rows: Sequence[ResetRow]) -> tuple[Sender, ...]:
    by_address: dict[str, list[ResetRow]] = {}
    for row in rows:
        by_address.setdefault(row.src, []).append(row)
    senders = [_sender(address, sent) for address, sent in by_address.items()]
    return tuple(sorted(senders, key=lambda sender: (-sender.suspicion, -sender.resets, sender.address)))


def _sender(address: str, rows: Sequence[ResetRow]) -> Sender:
    def values(value_of: Callable[[ResetRow], int | None]) -> tuple[int, ...]:
        return tuple(sorted({value for value in map(value_of, rows) if value is not None}))

    return Sender(
        address=address,
        resets=len(rows),
        by_verdict=_shares(Verdict, (row.verdict for row in rows)),
        suspicion=max(row.suspicion for row in rows),
        hop_baselines=values(lambda row: row.hop_baseline),
        hop_deltas=values(lambda row: row.hop_delta),
        distances=values(lambda row: row.distance),
        sender_distances=values(lambda row: row.sender_distance),
    )
