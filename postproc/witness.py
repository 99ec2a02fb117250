"""Captures of a run that are witnesses for one another: found, compared, and what comes of it for the verdicts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from heuristics.rulebook import Rulebook
from heuristics.verdict import Origin, Verdict, suspicion, suspicion_limits, verdict_at
from postproc.archive import Archive, Report
from postproc.case_file import CaseFile
from postproc.errors import CaptureError, TsharkError
from postproc.parallel import WorkerDiedError
from postproc.reconcile import Reconciled, reconcile
from postproc.remote import fetched
from postproc.resets import JudgedReset
from postproc.sources import Source
from postproc.task import Judged, needs_tshark
from postproc.tshark import find

_CLOCKS_US = 600_000_000  # clocks that differ by more than ten minutes are not looked at
_NOTHING = Reconciled((), None)


@dataclass(frozen=True, slots=True)
class Pair:
    """A capture with resets, and one that may tell who sent them. `complete` as in postproc.reconcile."""

    capture: Source
    witness: Source
    complete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """The task of comparing one pair, on this machine; what cannot be read twice says nothing."""

    def __call__(self, pair: Pair) -> Reconciled:
        """Read both whole, and reconcile them."""
        try:
            return reconcile(_whole(pair.capture), _whole(pair.witness), pair.complete)
        except (CaptureError, TsharkError):
            return _NOTHING


def _whole(source: Source) -> pl.DataFrame:
    from postproc.reading import read_packets  # slow to import

    with fetched(source) as copy:
        return read_packets(copy, find() if needs_tshark(copy) else None, whole=True).table


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one witness said about one capture, both by index."""

    capture: int
    witness: int
    said: Reconciled


Runner = Callable[[Compare, Sequence[Pair]], Iterator[tuple[int, Reconciled | WorkerDiedError]]]


def testimonies(
    sources: Sequence[Source],
    judged: Sequence[Judged],
    case: CaseFile,
    archive: Archive,
    compare: Compare,
    runner: Runner,
    report: Callable[[int], Report],
) -> list[Testimony]:
    """Compare every capture with resets with those that were taken where its resets claim to come from."""
    wanted = list(_pairs(sources, judged, case))
    keys = [_key(judged[i], judged[j], pair) for i, j, pair in wanted]
    known = {n: said for n, (i, _, _) in enumerate(wanted) if (said := archive.find_pair(sources[i], keys[n]))}
    left = [n for n in range(len(wanted)) if n not in known]
    tell = report(len(left))
    for place, result in runner(compare, [wanted[n][2] for n in left]):
        n = left[place]
        known[n] = _NOTHING if isinstance(result, WorkerDiedError) else result
        archive.store_pair(sources[wanted[n][0]], keys[n], known[n])
        tell(place + 1)
    return [Testimony(i, j, known[n]) for n, (i, j, _) in enumerate(wanted)]


def rejudged(judged: Sequence[Judged], heard: Sequence[Testimony], rulebook: Rulebook) -> list[Judged]:
    """The results with what witnesses said weighed in. Where two contradict each other, neither is believed."""
    said: defaultdict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for testimony in heard:
        for finding in testimony.said.findings:
            said[testimony.capture][finding.frame].add(finding.evidence)
    results = list(judged)
    for index, by_frame in said.items():
        before = judged[index].resets
        resets = tuple(_weighed(reset, by_frame.get(reset.row.frame, set()), rulebook) for reset in before)
        results[index] = replace(judged[index], resets=resets)
    return results


def _weighed(reset: JudgedReset, evidence: set[str], rulebook: Rulebook) -> JudgedReset:
    if len(evidence) != 1:
        return reset
    rule = rulebook.rule(next(iter(evidence)))
    if not rule.enabled:
        return reset
    score = reset.score + rule.weight
    verdict = verdict_at(score, rulebook.verdict)
    row = replace(
        reset.row,
        verdict=verdict.value,
        origin=_origin(verdict, reset.row.origin),
        suspicion=suspicion(score, suspicion_limits()),
        evidence=(*reset.row.evidence, rule.id),
        reason=reset.row.reason if verdict is Verdict.UNCLEAR else "",
    )
    if verdict.value != reset.row.verdict:  # what was concluded from the other verdict
        row = replace(row, cause=None, device=None)
    return replace(reset, row=row, score=score, words=(*reset.words, rule.say.render({})))


def _origin(verdict: Verdict, before: str) -> str:
    if verdict in (Verdict.FORGED, Verdict.LIKELY_FORGED):
        return Origin.MIDDLEBOX.value
    if before == Origin.FRONT_END:
        return before
    return Origin.UNKNOWN.value if verdict is Verdict.UNCLEAR else Origin.ENDPOINT.value


def _pairs(sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile) -> Iterator[tuple[int, int, Pair]]:
    """Each capture whose resets claim to come from elsewhere, with each that was taken there at that time."""
    places = [_place(source, each, case) for source, each in zip(sources, judged, strict=True)]
    for i, each in enumerate(judged):
        claimed = {reset.row.src for reset in each.resets} - places[i][0]
        for j, (local, complete) in enumerate(places):
            asked = claimed & local
            if i != j and asked and judged[j].readable and _at_once(each, judged[j]):
                yield i, j, Pair(sources[i], sources[j], tuple(sorted(asked & complete)))


def _place(source: Source, judged: Judged, case: CaseFile) -> tuple[set[str], set[str]]:
    """The addresses at whose interface a capture was taken, and those of which it is known to be complete."""
    point = case.point_of(source.name)
    named = {str(host) for host in point.hosts} if point else set()
    return named or set(judged.scene.local), named if point and point.complete else set()


def _at_once(one: Judged, other: Judged) -> bool:
    a, b = one.scene, other.scene
    if a.first_us is None or a.last_us is None or b.first_us is None or b.last_us is None:
        return True  # not known: to be found out
    return a.first_us - _CLOCKS_US <= b.last_us and b.first_us - _CLOCKS_US <= a.last_us


def _key(capture: Judged, witness: Judged, pair: Pair) -> str:
    """Names what a comparison depends on; empty where a content is not known."""
    if not (capture.content and witness.content):
        return ""
    return hashlib.sha256("\0".join((capture.content, witness.content, *pair.complete)).encode()).hexdigest()[:32]
