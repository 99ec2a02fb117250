"""All judged resets -> what a reader needs first: totals, senders, the most suspicious resets, one plain sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from heuristics.errors import Problem
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict, evidence_weights
from postproc.batch.job import CaptureResult
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.report.icmp_summary import IcmpErrorSource, icmp_conclusion, icmp_error_sources
from postproc.report.selection import Selected
from postproc.runtime.text import plural
from postproc.verdicts.result_row import JudgedReset, ResetRow

_RESET_ORIGINS = tuple(origin for origin in Origin if origin is not Origin.ROUTER)
SUSPICIOUS = (*ACCUSED, Verdict.UNCLEAR)
_SIGNIFICANT_HOPS = 2  # a smaller difference of distances may be a change of route


@dataclass(frozen=True, slots=True)
class Share:
    """How many resets (or ICMP errors) have a verdict or an origin; `percent` of all, with one decimal."""

    name: str
    resets: int
    percent: float


@dataclass(frozen=True, slots=True)
class Totals:
    """`captures` that could be read, `packets` in them (None: not counted), `flows` that hold a reset."""

    captures: int
    packets: int | None
    flows: int
    resets: int
    by_verdict: tuple[Share, ...]
    by_origin: tuple[Share, ...]
    icmp_errors: int = 0
    icmp_by_verdict: tuple[Share, ...] = ()
    icmp_by_origin: tuple[Share, ...] = ()


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


@dataclass(frozen=True, slots=True)
class ResetGroup:
    """Resets of one capture with the same named sender, verdict and evidence.

    `reset` is the most suspicious of them, `others` are the frames of the others.
    """

    reset: JudgedReset
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """`senders` and `suspicious` begin with the most suspicious; `resets` are all, in order of input and frame.

    `suspicious` leaves out genuine and likely genuine resets, and groups resets that are alike. `errors` are the ICMP
    errors, `suspicious_errors` the most suspicious of them, `icmp_error_sources` their sources.
    """

    totals: Totals
    senders: tuple[Sender, ...]
    suspicious: tuple[ResetGroup, ...]
    resets: tuple[JudgedReset, ...]
    problems: tuple[Problem, ...]
    conclusion: str
    errors: tuple[JudgedReset, ...] = ()
    suspicious_errors: tuple[JudgedReset, ...] = ()
    icmp_error_sources: tuple[IcmpErrorSource, ...] = ()
    rows: tuple[ResetRow, ...] = ()  # of resets and ICMP errors together
    selected: Selected | None = None  # where it is about a selection; the conclusion begins with it


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
    resets = tuple(reset for each in judged for reset in each.resets)
    errors = tuple(error for each in judged for error in each.errors)
    totals = _totals([each for each in judged if each.readable], [reset.row for reset in resets], errors)
    suspicious = _most_suspicious(resets)
    accused = [reset for reset in suspicious if reset.row.verdict in ACCUSED]
    sentences = [str(selected or "")]
    if resets or not selected:  # of resets that are left out, nothing can be said
        unopened = any(is_unopened_overlay(problem) for each in judged for problem in each.problems)
        sentences.append(_conclusion(totals, accused, rulebook, unopened=unopened))
    sentences.append(icmp_conclusion(errors))
    return Summary(
        totals=totals,
        senders=_senders([reset.row for reset in resets]),
        suspicious=tuple(_grouped(suspicious)[:top]),
        resets=resets,
        problems=(*problems, *(problem for each in judged for problem in each.problems)),
        conclusion=" ".join(filter(None, sentences)),
        errors=errors,
        suspicious_errors=tuple(_most_suspicious(errors)[:top]),
        icmp_error_sources=icmp_error_sources(errors),
        rows=tuple(row for each in judged for row in _in_order((*each.resets, *each.errors))),
        selected=selected,
    )


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


def _conclusion(totals: Totals, accused: Sequence[JudgedReset], rulebook: Rulebook, *, unopened: bool) -> str:
    """One sentence about all resets that a newcomer understands. `unopened`: an overlay was not opened."""
    if totals.captures == 0:
        return "Nothing could be read, so nothing can be said."
    if totals.resets == 0:
        packets = "" if totals.packets is None else f" ({plural(totals.packets, 'packet')})"
        found = "No TCP reset was seen" if unopened else "There is no TCP reset"
        return f"{found} in {plural(totals.captures, 'capture')}{packets}."
    unclear = next(share.resets for share in totals.by_verdict if share.name == Verdict.UNCLEAR)
    undecided = f"; {unclear:,} could not be decided" if unclear else ""
    of_all = f"of {plural(totals.resets, 'reset')}"
    if not accused:
        if unclear == totals.resets:
            return f"For none {of_all} the capture shows enough to say who sent it."
        return f"None {of_all} looks forged: {totals.resets - unclear} fit the host they name{undecided}."
    forged = sum(reset.row.verdict == Verdict.FORGED for reset in accused)
    likely = len(accused) - forged
    if forged:
        more = f" ({likely:,} more probably did not)" if likely else ""
        claim = f"{forged:,} {of_all} did not come from the host named as sender{more}"
    else:
        claim = f"{likely:,} {of_all} probably did not come from the host named as sender"
    return f"{claim}: {_example(accused, rulebook)}{undecided}."


def _example(accused: Sequence[JudgedReset], rulebook: Rulebook) -> str:
    """One of the resets with the surest verdict, if possible one whose distances explain the verdict."""
    surest = [reset for reset in accused if reset.row.verdict == accused[0].row.verdict]
    reset = max(surest, key=lambda reset: _hop_difference(reset.row))
    row = reset.row
    where = f"frame {row.frame} of {row.capture}"
    if row.distance is not None and row.sender_distance is not None and _hop_difference(row) >= _SIGNIFICANT_HOPS:
        there = plural(row.sender_distance, "hop")
        return f"{where} was sent from {plural(row.distance, 'hop')} away while {row.src} is {there} away"
    weights = evidence_weights(rulebook, row.evidence, reset.score)
    strongest = max(zip(weights, reset.words, strict=True), default=(0, "its evidence adds up"))[1]
    return f"{where} ({strongest})"


def _hop_difference(row: ResetRow) -> int:
    return 0 if row.distance is None or row.sender_distance is None else abs(row.distance - row.sender_distance)
