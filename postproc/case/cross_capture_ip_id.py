"""IP ID counters followed over a case: a device that resets for several senders, each seen in a capture of its own.

Captures taken at one place, each within a day of the next, are read as one: files of a ring buffer, or captures of one
host each that ran at the same time. As in a capture (postproc/verdicts/shared_origin.py), resets
whose IP IDs count up are one device's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from heuristics.protocol.tshark_fields import distance
from heuristics.rulebook.model import Rulebook
from postproc.batch.job import Judged
from postproc.capture.discovery import Source
from postproc.case.capture_points import Place, known_place, one_host, one_place
from postproc.case.case_file import CaseFile
from postproc.verdicts.rescoring import reweighed
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset
from postproc.verdicts.shared_origin import Counted, Run, runs

_Key = tuple[int, int]  # number of the capture, number of the reset in it


def counted_together(
    sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile, rulebook: Rulebook
) -> list[Judged]:
    """The results, with the counters weighed in that only several captures together show.

    Of resets whose own capture has no other sender in the run; senders with addresses that may mean another host in
    every capture are left out.
    """
    counted = [dict(_counted(number, each.resets, case)) for number, each in enumerate(judged)]
    taken = {
        number: known_place(sources[number], judged[number].scene, case)
        for number, resets in enumerate(counted)
        if resets and rulebook.case_rules
    }
    results = list(judged)
    for captures in _one_place_each(taken):
        together = _by_time([counted[number] for number in captures], judged)
        joined = runs(together, rulebook.thresholds)
        for number in captures:
            alone = runs(_by_time([counted[number]], judged), rulebook.thresholds)
            asked = {which: joined[which] for which, run in alone.items() if len(run.senders) == 1}
            results[number] = _weighed(number, judged[number], asked, rulebook)
    return results


def _counted(number: int, resets: Iterable[JudgedReset], case: CaseFile) -> Iterator[tuple[_Key, Counted]]:
    """Without those that have no time stamp: nobody knows what came before them."""
    for index, reset in enumerate(resets):
        if reset.ip_id is not None and reset.row.time and one_host(reset.row.src, case):
            yield (number, index), Counted(reset.ip_id, reset.row.hop_limit, reset.row.src)


def _one_place_each(taken: dict[int, Place]) -> list[list[int]]:
    """The captures, by number, in groups that were taken at one place; those alone are left out."""
    groups: list[list[int]] = []
    for number, place in taken.items():
        near = [group for group in groups if any(_joined(place, taken[other]) for other in group)]
        groups = [*(group for group in groups if group not in near), [*chain.from_iterable(near), number]]
    return [group for group in groups if len(group) > 1]


def _joined(one: Place, other: Place) -> bool:
    """A place without a name joins none that have: it may be near two of different names."""
    return (one.point is None) == (other.point is None) and one_place(one, other)


def _by_time(captures: Iterable[dict[_Key, Counted]], judged: Sequence[Judged]) -> list[tuple[_Key, Counted]]:
    """All resets of these captures in the order of their times, of the same time in that of their IP IDs."""
    every = [item for capture in captures for item in capture.items()]
    return sorted(every, key=lambda item: (judged[item[0][0]].resets[item[0][1]].row.time, item[1]))


def _weighed(number: int, judged: Judged, asked: dict[_Key, Run], rulebook: Rulebook) -> Judged:
    def weighed(index: int, reset: JudgedReset) -> JudgedReset:
        run = asked.get((number, index))
        if run is None:
            return reset
        observation: Observation = {
            "distance": distance(reset.row.hop_limit),
            "case_run_senders": len(run.senders),
            "case_run_networks": run.networks,
        }
        holding = [rule for rule in rulebook.case_rules if rule.holds(observation)]
        return reweighed(reset, holding, observation, rulebook)

    return replace(judged, resets=tuple(weighed(index, reset) for index, reset in enumerate(judged.resets)))
