"""Cross-capture baselines: for resets whose own capture has no other packet of their sender.

Captures taken at one location see a host at one distance. So where a capture holds a reset and no other packet of its
sender, others taken at that location within a day show how far away the host is. A private address may be another
host's in every capture: it counts only where case.toml lists it among our networks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from heuristics.protocol.hop_limit import distance, distance_if_known
from heuristics.rulebook.model import Rulebook
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.case.capture_points import CaptureLocation, is_one_host, is_same_location, unambiguous_location_of
from postproc.case.case_file import CaseFile
from postproc.flows.host_profile import most_frequent, nearest, share
from postproc.verdicts.rescoring import rescore
from postproc.verdicts.result_row import JudgedReset

if TYPE_CHECKING:
    from postproc.verdicts.reset_observables import Observation  # slow to import: Polars

_HopLimits = Mapping[str, Sequence[tuple[int, int, int]]]  # by host: index of a capture, hop limit, packets with it


def rescored_by_baselines(
    sources: Sequence[Source], results: Sequence[CaptureResult], case: CaseFile, rulebook: Rulebook
) -> tuple[list[CaptureResult], int]:
    """The results, rescored where other captures give a baseline for a sender without one.

    And the number of resets without a cross-capture baseline because only a private address names the sender or the
    location.
    """
    without_baseline = [list(filter(_has_no_baseline, result.resets)) for result in results]
    if not (rulebook.case_rules and any(without_baseline)):
        return list(results), 0
    locations = [
        unambiguous_location_of(source, result.capture_point, case)
        for source, result in zip(sources, results, strict=True)
    ]
    wanted = {src for resets in without_baseline for reset in resets if is_one_host(src := reset.row.src, case)}
    hop_limits = _hop_limits(locations, wanted)
    rescored, ambiguous = [], 0
    for location, result, resets in zip(locations, results, without_baseline, strict=True):
        unknown = location.point is None and not location.local and bool(location.observed.local)
        ambiguous += sum(unknown or reset.row.src not in wanted for reset in resets)
        hosts = {reset.row.src for reset in resets} & hop_limits.keys()
        distances = _distances(location, locations, hop_limits, hosts) if hosts else {}
        rescored.append(_rescored(result, distances, rulebook))
    return rescored, ambiguous


def _has_no_baseline(reset: JudgedReset) -> bool:
    return reset.row.baseline_source == "none"


def _hop_limits(locations: Sequence[CaptureLocation], wanted: set[str]) -> _HopLimits:
    """The hop limits of these hosts in all captures."""
    found: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for index in {location: index for index, location in enumerate(locations)}.values():  # copies count once
        observed = locations[index].observed
        for host, hop_limit, packets in zip(observed.hosts, observed.hop_limits, observed.packets, strict=True):
            if host in wanted:
                found[host].append((index, hop_limit, packets))
    return found


def _distances(
    here: CaptureLocation, locations: Sequence[CaptureLocation], hop_limits: _HopLimits, hosts: set[str]
) -> dict[str, Counter[int]]:
    """Packets of these hosts by distance, in all captures taken at the location `here`."""
    same = {index for index, location in enumerate(locations) if is_same_location(here, location)}
    found = {host: Counter[int]() for host in hosts}
    for host, counts in found.items():
        for index, hop_limit, packets in hop_limits[host]:
            if index in same:
                counts[distance(hop_limit)] += packets
    return found


def _rescored(result: CaptureResult, distances: Mapping[str, Counter[int]], rulebook: Rulebook) -> CaptureResult:
    def rescored(reset: JudgedReset) -> JudgedReset:
        counts = distances.get(reset.row.src) if _has_no_baseline(reset) else None
        return _rescored_reset(reset, counts, rulebook) if counts else reset

    return replace(result, resets=tuple(map(rescored, result.resets)))


def _rescored_reset(reset: JudgedReset, distances: Counter[int], rulebook: Rulebook) -> JudgedReset:
    here = distance_if_known(reset.row.hop_limit)
    observation: Observation = {
        "distance": here,
        "case_distance": most_frequent(distances),
        "case_packets": distances.total(),
        "case_share": share(distances),
        "case_gap": nearest(here, distances),
    }
    holding = [rule for rule in rulebook.case_rules if rule.holds(observation)]
    if not holding:
        return reset
    with_distance = replace(reset, row=replace(reset.row, sender_distance=most_frequent(distances)))
    return rescore(with_distance, holding, observation, rulebook)
