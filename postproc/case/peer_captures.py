"""Captures of a run that are witnesses for one another: found, compared, and what comes of it for the verdicts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from heuristics.rulebook.model import Rulebook
from postproc.batch.job import Judged
from postproc.batch.result_store import Archive, Report
from postproc.capture.discovery import Source
from postproc.capture.tshark.program import Tshark
from postproc.case.capture_points import place_of
from postproc.case.case_file import CaseFile
from postproc.verdicts.reconcile_result import Pair, Reconciled
from postproc.verdicts.rescoring import reweighed
from postproc.verdicts.result_row import JudgedReset

_CLOCKS_US = 600_000_000  # clocks that differ by more than ten minutes are not looked at


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one witness said about one capture, both by index."""

    capture: int
    witness: int
    said: Reconciled


def testimonies(
    sources: Sequence[Source],
    judged: Sequence[Judged],
    case: CaseFile,
    archive: Archive,
    program: Tshark | None,
    processes: int,
    report: Callable[[int], Report],
) -> tuple[list[Testimony], int]:
    """Compare every capture with resets with those that were taken where its resets claim to come from.

    And how many pairs could not be compared.
    """
    pairs = list(_pairs(sources, judged, case))
    keys = {pair: _key(judged[pair.capture], judged[pair.witness], pair) for pair in pairs}
    known = {pair: said for pair in pairs if (said := archive.find_pair(sources[pair.capture], keys[pair]))}
    if left := [pair for pair in pairs if pair not in known]:
        from postproc.case.pair_runner import compared  # slow to import

        for pair, said in compared(left, sources, program, processes, report):
            archive.store_pair(sources[pair.capture], keys[pair], said)
            known[pair] = said
    heard = [Testimony(pair.capture, pair.witness, known[pair]) for pair in pairs if pair in known]
    return heard, len(pairs) - len(heard)


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
    return reweighed(reset, [rule for rule in map(rulebook.rule, evidence) if rule.enabled], {}, rulebook)


def _pairs(sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile) -> Iterator[Pair]:
    """Each capture whose resets claim to come from elsewhere, with each that was taken there at that time."""
    places = [place_of(source, each.scene, case) for source, each in zip(sources, judged, strict=True)]
    for i, (here, each) in enumerate(zip(places, judged, strict=True)):
        claimed = {reset.row.src for reset in each.resets} - here.local
        for j, there in enumerate(places):
            asked = claimed & there.local
            if i != j and asked and judged[j].readable and here.scene.near(there.scene, _CLOCKS_US) is not False:
                yield Pair(i, j, tuple(sorted(asked & there.complete)))


def _key(capture: Judged, witness: Judged, pair: Pair) -> str:
    """Names what a comparison depends on; empty where a content is not known."""
    if not (capture.content and witness.content):
        return ""
    return hashlib.sha256("\0".join((capture.content, witness.content, *pair.complete)).encode()).hexdigest()[:32]
