"""Where the captures of a case were taken: said by case.toml, or told by the packets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from postproc.capture.capture_point import Scene
from postproc.capture.discovery import Source
from postproc.case.case_file import CaseFile
from postproc.verdicts.shared_origin import is_private

_APART_US = 86_400_000_000  # a day: routes change


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a capture was taken: the name of its [[point]], and the addresses at whose own interface it was.

    `complete` are those of them of which the user says that the capture holds every packet.
    """

    point: str | None
    local: frozenset[str]
    complete: frozenset[str]
    scene: Scene


def place_of(source: Source, scene: Scene, case: CaseFile) -> Place:
    """What `case` says of the place, else what the scene tells."""
    point = case.point_of(source.name)
    named = frozenset(str(host) for host in point.hosts) if point else frozenset()
    complete = named if point and point.complete else frozenset()
    return Place(point.name if point else None, named or frozenset(scene.local), complete, scene)


def known_place(source: Source, scene: Scene, case: CaseFile) -> Place:
    """The place by those of its addresses that mean one host."""
    place = place_of(source, scene, case)
    return replace(place, local=frozenset(address for address in place.local if one_host(address, case)))


def one_host(address: str, case: CaseFile) -> bool:
    """Whether the address means the same host in every capture."""
    try:
        return not is_private(address) or case.is_ours(address)
    except ValueError:  # an export may say anything
        return False


def one_place(one: Place, other: Place) -> bool:
    """Whether the two are one place, within a day."""
    named = one.point is not None and other.point is not None
    here = one.point == other.point if named else not one.local.isdisjoint(other.local)
    return here and bool(one.scene.near(other.scene, _APART_US))
