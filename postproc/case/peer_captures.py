"""Peer captures: finds captures of the same traffic taken at a claimed sender, compares them, and rescores resets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from heuristics.rulebook.model import Rulebook
from postproc.batch.cache import pair_key
from postproc.batch.job import CaptureResult
from postproc.batch.result_store import ReportProgress, ResultStore
from postproc.capture.discovery import Source
from postproc.capture.tshark.program import Tshark
from postproc.case.capture_points import CaptureLocation, location_of
from postproc.case.case_file import CaseFile
from postproc.runtime.errors import CaptureError
from postproc.runtime.text import plural
from postproc.verdicts.reconcile_result import CapturePair, ReconcileResult
from postproc.verdicts.rescoring import rescore
from postproc.verdicts.result_row import JudgedReset

_MAX_GAP_US = 600_000_000  # ten minutes: captures whose times differ by more are not compared


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing a capture with a peer capture, both by index."""

    capture: int
    peer: int
    result: ReconcileResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOptions:
    """How pairs are compared: with which tshark, in how many processes. `start_progress` gets the number of steps.

    `complete`: every capture holds all packets of the hosts where it was taken. `thorough`: also pairs that no address
    connects, as a NAT may translate both ends.
    """

    tshark: Tshark | None
    processes: int
    start_progress: Callable[[int], ReportProgress]
    complete: bool = False
    thorough: bool = False


def compare_peers(
    sources: Sequence[Source],
    results: Sequence[CaptureResult],
    case: CaseFile,
    store: ResultStore,
    options: ComparisonOptions,
) -> tuple[list[Comparison], dict[CapturePair, CaptureError]]:
    """Compare every capture with resets with the captures taken at the claimed senders of these resets.

    Also returns why pairs could not be compared, where that is so.
    """
    pairs = list(_pairs(sources, results, case, complete=options.complete, thorough=options.thorough))
    keys = {pair: _key(results[pair.capture], results[pair.peer], pair) for pair in pairs}
    compared = {pair: found for pair in pairs if (found := store.find_pair(sources[pair.capture], keys[pair]))}
    failed: dict[CapturePair, CaptureError] = {}
    try:
        if left := [pair for pair in pairs if pair not in compared]:
            from postproc.case.pair_runner import compare_pairs  # slow to import

            for pair, found_or_error in compare_pairs(
                left,
                sources,
                {index for index, result in enumerate(results) if result.is_partial},
                tshark=options.tshark,
                processes=options.processes,
                start_progress=options.start_progress,
            ):
                if isinstance(found_or_error, CaptureError):
                    failed[pair] = found_or_error
                    continue
                store.store_pair(sources[pair.capture], keys[pair], found_or_error)
                compared[pair] = found_or_error
    finally:  # also when a person interrupts it
        store.write_pairs({result.content for result in results})
    comparisons = [Comparison(pair.capture, pair.peer, compared[pair]) for pair in pairs if pair in compared]
    return comparisons, failed


def with_failures(
    sources: Sequence[Source], results: Sequence[CaptureResult], failed: Mapping[CapturePair, CaptureError]
) -> list[CaptureResult]:
    """The results with a problem for each reason why pairs could not be compared, at the first such capture."""
    counts = Counter(error.problem for error in failed.values())
    first = {error.problem: pair.capture for pair, error in reversed([*failed.items()])}
    with_problems = list(results)
    for problem, count in counts.items():
        index = first[problem]
        reason = f"{plural(count, 'pair')} of captures could not be compared: {problem.reason}"
        more = replace(problem, file=problem.file or sources[index].label, reason=reason)
        with_problems[index] = replace(with_problems[index], problems=(*with_problems[index].problems, more))
    return with_problems


def rescored_by_peers(
    results: Sequence[CaptureResult], comparisons: Sequence[Comparison], rulebook: Rulebook
) -> list[CaptureResult]:
    """The results, rescored with the evidence of peer captures. Contradicting evidence about a reset does not count."""
    rule_ids: defaultdict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for comparison in comparisons:
        for each in comparison.result.evidence:
            rule_ids[comparison.capture][each.frame].add(each.rule_id)
    rescored = list(results)
    for index, by_frame in rule_ids.items():
        resets = (_rescored(reset, by_frame.get(reset.row.frame, set()), rulebook) for reset in results[index].resets)
        rescored[index] = replace(results[index], resets=tuple(resets))
    return rescored


def _rescored(reset: JudgedReset, rule_ids: set[str], rulebook: Rulebook) -> JudgedReset:
    if len(rule_ids) != 1:
        return reset
    return rescore(reset, [rule for rule in map(rulebook.rule, rule_ids) if rule.enabled], {}, rulebook)


def not_compared(
    sources: Sequence[Source], results: Sequence[CaptureResult], case: CaseFile, comparisons: Sequence[Comparison]
) -> dict[str, int]:
    """Why pairs of captures, in either order, were not compared, and how many for each reason."""
    compared = {(each.capture, each.peer) for each in comparisons}
    locations = _locations(sources, results, case)
    reasons: Counter[str] = Counter()
    for i, j in permutations(range(len(sources)), 2):
        if (i, j) not in compared:
            reasons[_why_not(results[i], results[j], locations[i], locations[j])] += 1
    return dict(reasons.most_common())


def _why_not(capture: CaptureResult, peer: CaptureResult, here: CaptureLocation, there: CaptureLocation) -> str:
    if not (capture.readable and peer.readable):
        return "one of them could not be read"
    if not capture.resets:
        return "the one has no reset for the other to show the sender of"
    if not there.local:
        return "the other was not taken at the interface of a host (its packets have come over routers); --host says so"
    if here.observed.near_in_time(there.observed, _MAX_GAP_US) is False:
        return "they were taken more than ten minutes apart"
    if not {reset.row.src for reset in capture.resets} - here.local:
        return "the one was itself taken at the sender of its resets"
    return "the other was not taken at a host that a reset of the one names; --host says where it was taken"


def _pairs(
    sources: Sequence[Source], results: Sequence[CaptureResult], case: CaseFile, *, complete: bool, thorough: bool
) -> Iterator[CapturePair]:
    """Each capture with resets, paired with each capture taken at a claimed sender at that time.

    Also with those taken at a host that may be a claimed sender under another address: it sees packets of the reset's
    target, and none of the claimed sender.
    """
    locations = _locations(sources, results, case)
    seen = [frozenset(location.observed.hosts) for location in locations]
    taken_at, seen_in = _by_address(location.local for location in locations), _by_address(seen)
    usable = [j for j, there in enumerate(locations) if there.local and results[j].readable]
    for i, (here, result) in enumerate(zip(locations, results, strict=True)):
        ends = {(reset.row.src, reset.row.dst) for reset in result.resets if reset.row.src not in here.local}
        if not ends:
            continue
        peers = {j for src in {src for src, _ in ends} for j in taken_at[src]}
        for src, dst in ends:
            peers.update(j for j in seen_in[dst] if src not in seen[j])
        for j in usable if thorough else sorted(peers):
            there = locations[j]
            if i == j or not there.local or not results[j].readable:
                continue
            if here.observed.near_in_time(there.observed, _MAX_GAP_US) is not False:
                whole = there.local if complete else there.complete
                yield CapturePair(i, j, tuple(sorted(whole)), tuple(sorted(there.named)))


def _by_address(addresses: Iterable[Iterable[str]]) -> defaultdict[str, list[int]]:
    """The indices of the captures that have an address, by address."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for index, of_capture in enumerate(addresses):
        for address in of_capture:
            found[address].append(index)
    return found


def _locations(sources: Sequence[Source], results: Sequence[CaptureResult], case: CaseFile) -> list[CaptureLocation]:
    return [location_of(source, result.capture_point, case) for source, result in zip(sources, results, strict=True)]


def _key(capture: CaptureResult, peer: CaptureResult, pair: CapturePair) -> str:
    """A name for everything that a comparison depends on; empty where a content is unknown, or was read in part."""
    if not (capture.content and peer.content) or capture.is_partial or peer.is_partial:
        return ""
    return pair_key(capture.content, peer.content, (*pair.complete, "", *pair.hosts))
