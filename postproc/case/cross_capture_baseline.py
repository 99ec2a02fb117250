"""Baselines joined over a case: for resets whose own capture shows nothing else of their sender.

Captures taken at one place see a host at one distance, so where a capture holds a reset and no other packet of its
sender, others taken at that place within a day tell how far away the host is. Private addresses may be another host's
in every capture: they are joined only where case.toml counts them as ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from heuristics.protocol.tshark_fields import distance
from heuristics.rulebook.model import Rulebook
from postproc.batch.job import Judged
from postproc.capture.discovery import Source
from postproc.case.capture_points import Place, known_place, one_host, one_place
from postproc.case.case_file import CaseFile
from postproc.flows.host_profile import most_frequent, nearest, share
from postproc.verdicts.rescoring import reweighed
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset

_Shown = Mapping[str, Sequence[tuple[int, int, int]]]  # by host: number of a capture, hop limit, packets with it


def joined(
    sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile, rulebook: Rulebook
) -> tuple[list[Judged], int]:
    """The results, with what other captures show of senders without a baseline weighed in.

    And for how many resets no other capture was asked, since nothing but a private address names the sender or the
    place.
    """
    orphans = [list(filter(_is_orphan, each.resets)) for each in judged]
    if not (rulebook.case_rules and any(orphans)):
        return list(judged), 0
    places = [known_place(source, each.scene, case) for source, each in zip(sources, judged, strict=True)]
    wanted = {src for resets in orphans for reset in resets if one_host(src := reset.row.src, case)}
    shown = _shown(places, wanted)
    results, not_asked = [], 0
    for here, each, resets in zip(places, judged, orphans, strict=True):
        nowhere = here.point is None and not here.local and bool(here.scene.local)
        not_asked += sum(nowhere or reset.row.src not in wanted for reset in resets)
        asked = {reset.row.src for reset in resets} & shown.keys()
        at_hand = _distances(here, places, shown, asked) if asked else {}
        results.append(_weighed(each, at_hand, rulebook))
    return results, not_asked


def _is_orphan(reset: JudgedReset) -> bool:
    """Whether its own capture has no baseline for it."""
    return reset.row.baseline_source == "none"


def _shown(places: Sequence[Place], wanted: set[str]) -> _Shown:
    """What the captures show of these hosts."""
    shown: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for number in {place: number for number, place in enumerate(places)}.values():  # a copy shows nothing more
        scene = places[number].scene
        for host, hop_limit, packets in zip(scene.hosts, scene.hop_limits, scene.packets, strict=True):
            if host in wanted:
                shown[host].append((number, hop_limit, packets))
    return shown


def _distances(here: Place, places: Sequence[Place], shown: _Shown, hosts: set[str]) -> dict[str, Counter[int]]:
    """Packets of these hosts by distance, in the captures taken at this place."""
    near = {number for number, place in enumerate(places) if one_place(here, place)}
    found = {host: Counter[int]() for host in hosts}
    for host, counts in found.items():
        for number, hop_limit, packets in shown[host]:
            if number in near:
                counts[distance(hop_limit)] += packets
    return found


def _weighed(judged: Judged, distances: Mapping[str, Counter[int]], rulebook: Rulebook) -> Judged:
    def weighed(reset: JudgedReset) -> JudgedReset:
        counts = distances.get(reset.row.src) if _is_orphan(reset) else None
        return _by_case(reset, counts, rulebook) if counts else reset

    return replace(judged, resets=tuple(map(weighed, judged.resets)))


def _by_case(reset: JudgedReset, distances: Counter[int], rulebook: Rulebook) -> JudgedReset:
    here = distance(reset.row.hop_limit)
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
    placed = replace(reset, row=replace(reset.row, sender_distance=most_frequent(distances)))
    return reweighed(placed, holding, observation, rulebook)
