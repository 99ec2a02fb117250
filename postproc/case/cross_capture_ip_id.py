"""IP-ID runs across captures: a device that resets for several senders, each of which is in a capture of its own.

Captures taken at one location, each within a day of the next, count as one: files of a ring buffer, or captures of one
host each that ran at the same time. As within a capture (postproc/verdicts/shared_origin.py), resets whose IP IDs form
a run come from one device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from heuristics.protocol.hop_limit import distance_if_known
from heuristics.rulebook.model import Rulebook
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.case.capture_points import CaptureLocation, is_one_host, is_same_location, unambiguous_location_of
from postproc.case.case_file import CaseFile
from postproc.verdicts.ip_id_runs import IpIdRun, IpIdSample, ip_id_runs
from postproc.verdicts.rescoring import rescore
from postproc.verdicts.result_row import JudgedReset

if TYPE_CHECKING:
    from postproc.verdicts.reset_observables import Observation  # slow to import: Polars

_Key = tuple[int, int]  # index of the capture, index of the reset in it


def rescored_by_ip_id_runs(
    sources: Sequence[Source], results: Sequence[CaptureResult], case: CaseFile, rulebook: Rulebook
) -> list[CaptureResult]:
    """The results, rescored where an IP-ID run has several senders only across captures.

    Rescores resets whose own capture has no other sender in the run. Leaves out senders whose address may be another
    host's in other captures.
    """
    with_id = [dict(_with_ip_id(index, result.resets, case)) for index, result in enumerate(results)]
    locations = {
        index: unambiguous_location_of(sources[index], results[index].capture_point, case)
        for index, resets in enumerate(with_id)
        if resets and rulebook.case_rules
    }
    rescored = list(results)
    for captures in _by_location(locations):
        together = ip_id_runs(_by_time([with_id[index] for index in captures], results), rulebook.thresholds)
        for index in captures:
            alone = ip_id_runs(_by_time([with_id[index]], results), rulebook.thresholds)
            one_sender = {key: together[key] for key, run in alone.items() if len(run.senders) == 1}
            rescored[index] = _rescored(index, results[index], one_sender, rulebook)
    return rescored


def _with_ip_id(capture: int, resets: Iterable[JudgedReset], case: CaseFile) -> Iterator[tuple[_Key, IpIdSample]]:
    """The resets with an IP ID and a time: without a time, their order is unknown."""
    for index, reset in enumerate(resets):
        row = reset.row
        if reset.ip_id is not None and row.hop_limit is not None and row.time and is_one_host(row.src, case):
            yield (capture, index), IpIdSample(reset.ip_id, row.hop_limit, row.src)


def _by_location(locations: dict[int, CaptureLocation]) -> list[list[int]]:
    """The indices of captures in groups of one location each; a capture that is alone is left out."""
    groups: list[list[int]] = []
    for index, location in locations.items():
        same = [group for group in groups if any(_is_joined(location, locations[other]) for other in group)]
        groups = [*(group for group in groups if group not in same), [*chain.from_iterable(same), index]]
    return [group for group in groups if len(group) > 1]


def _is_joined(one: CaptureLocation, other: CaptureLocation) -> bool:
    """Whether both are one location. One without a name never joins one with a name: it may match two names."""
    return (one.point is None) == (other.point is None) and is_same_location(one, other)


def _by_time(
    captures: Iterable[dict[_Key, IpIdSample]], results: Sequence[CaptureResult]
) -> list[tuple[_Key, IpIdSample]]:
    """All resets of these captures, sorted by time, then by IP ID."""
    every = [item for capture in captures for item in capture.items()]
    return sorted(every, key=lambda item: (results[item[0][0]].resets[item[0][1]].row.time, item[1]))


def _rescored(capture: int, result: CaptureResult, runs_of: dict[_Key, IpIdRun], rulebook: Rulebook) -> CaptureResult:
    def rescored(index: int, reset: JudgedReset) -> JudgedReset:
        run = runs_of.get((capture, index))
        if run is None:
            return reset
        observation: Observation = {
            "distance": distance_if_known(reset.row.hop_limit),
            "case_run_senders": len(run.senders),
            "case_run_networks": run.networks,
        }
        holding = [rule for rule in rulebook.case_rules if rule.holds(observation)]
        return rescore(reset, holding, observation, rulebook)

    return replace(result, resets=tuple(rescored(index, reset) for index, reset in enumerate(result.resets)))
