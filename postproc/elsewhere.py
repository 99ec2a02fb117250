"""Baselines joined over a case: for resets whose own capture shows nothing else of their sender.

Captures taken at one place see a host at one distance, so where a capture holds a reset and no other packet of its
sender, others taken at that place within a day tell how far away the host is. Private addresses may be another host's
in every capture: they are joined only where case.toml counts them as ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from heuristics.expressions import to_python, walk
from heuristics.expressions.to_python import Test
from heuristics.expressions.tree import Known, Name
from heuristics.fields import distance
from heuristics.rulebook import Rule, Rulebook
from heuristics.verdict import where
from postproc.case_file import CaseFile
from postproc.company import is_private
from postproc.hosts import most_frequent, nearest, share
from postproc.observe import Observation
from postproc.resets import JudgedReset
from postproc.reweigh import reweighed
from postproc.scene import Scene
from postproc.sources import Source
from postproc.task import Judged

_APART_US = 86_400_000_000  # a day: routes change
_TOLD = {"distance", "case_distance", "case_packets", "case_share", "case_gap"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a capture was taken: its [[point]] in case.toml, or addresses at whose own interface it was; and when."""

    point: str | None
    local: frozenset[str]
    scene: Scene

    def same(self, other: _Place) -> bool:
        """Whether the other was taken at the same place within a day."""
        if self.point is None or other.point is None:
            here = bool(self.local & other.local)
        else:
            here = self.point == other.point
        a, b = self.scene, other.scene
        if not here or a.first_us is None or a.last_us is None or b.first_us is None or b.last_us is None:
            return False
        return a.first_us - _APART_US <= b.last_us and b.first_us - _APART_US <= a.last_us


@dataclass(slots=True)
class _Shown:
    """What the captures of a case show of each host: the number of the capture, a hop limit, packets with it."""

    of_host: defaultdict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, number: int, scene: Scene, wanted: set[str]) -> None:
        """Take in one capture."""
        for host, hop_limit, packets in zip(scene.hosts, scene.hop_limits, scene.packets, strict=True):
            if host in wanted:
                self.of_host[host].append((number, hop_limit, packets))

    def distances(self, host: str, at: Callable[[int], bool]) -> Counter[int]:
        """Packets by distance, of those captures that `at` says yes to."""
        counts: Counter[int] = Counter()
        for number, hop_limit, packets in self.of_host.get(host, ()):
            if at(number):
                counts[distance(hop_limit)] += packets
        return counts


def joined(sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile, rulebook: Rulebook) -> list[Judged]:
    """The results, with what other captures show of senders without a baseline weighed in."""
    rules = [(rule, to_python(rule.condition)) for rule in rulebook.rules if _of_cases(rule)]
    wanted = {reset.row.src for each in judged for reset in _orphans(each) if _one_host(reset.row.src, case)}
    if not (rules and wanted):
        return list(judged)
    places = [_place(source, each, case) for source, each in zip(sources, judged, strict=True)]
    shown = _Shown()
    for number, each in enumerate(judged):
        shown.note(number, each.scene, wanted)
    results = []
    for here, each in zip(places, judged, strict=True):
        weighed = {
            reset.row.frame: _weighed(reset, shown.distances(reset.row.src, _at(here, places)), rules, rulebook)
            for reset in _orphans(each)
            if reset.row.src in shown.of_host
        }
        resets = tuple(weighed.get(reset.row.frame, reset) for reset in each.resets)
        results.append(replace(each, resets=resets))
    return results


def left_alone(sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile) -> int:
    """Resets without a baseline of which no other capture was asked: private addresses name the sender or the place."""
    return sum(
        _nowhere(_place(source, each, case)) or not _one_host(reset.row.src, case)
        for source, each in zip(sources, judged, strict=True)
        for reset in _orphans(each)
    )


def _nowhere(place: _Place) -> bool:
    """Whether nothing but private addresses says where it is."""
    return place.point is None and not place.local and bool(place.scene.local)


def _of_cases(rule: Rule) -> bool:
    """Whether it asks for what other captures show, and for nothing that is no longer at hand."""
    names = {part.name for part in walk(rule.condition) if isinstance(part, (Name, Known))}
    return "case_gap" in names and names <= _TOLD


def _orphans(judged: Judged) -> Iterator[JudgedReset]:
    return (reset for reset in judged.resets if reset.row.baseline_source == "none")


def _one_host(address: str, case: CaseFile) -> bool:
    """Whether the address means the same host in every capture."""
    try:
        return not is_private(address) or case.is_ours(address)
    except ValueError:  # an export may say anything
        return False


def _place(source: Source, judged: Judged, case: CaseFile) -> _Place:
    point = case.point_of(source.name)
    local = frozenset(address for address in judged.scene.local if _one_host(address, case))
    return _Place(point.name if point else None, local, judged.scene)


def _at(here: _Place, places: Sequence[_Place]) -> Callable[[int], bool]:
    return lambda number: here.same(places[number])


def _weighed(
    reset: JudgedReset, distances: Counter[int], rules: Sequence[tuple[Rule, Test]], rulebook: Rulebook
) -> JudgedReset:
    here = distance(reset.row.hop_limit)
    observation: Observation = {
        "distance": here,
        "case_distance": most_frequent(distances),
        "case_packets": distances.total(),
        "case_share": share(distances),
        "case_gap": nearest(here, distances),
    }
    holding = [rule for rule, holds in rules if holds(observation)]
    if not holding:
        return reset
    weighed = reweighed(reset, holding, observation, rulebook)
    concluded = {"distance": here, "baseline_distance": observation["case_distance"], "origin": weighed.row.origin}
    row = replace(
        weighed.row, sender_distance=most_frequent(distances), where=where(rulebook, concluded) or weighed.row.where
    )
    return replace(weighed, row=row)
