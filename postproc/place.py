"""Where the captures of a case were taken: said by case.toml, or told by the packets."""

from __future__ import annotations

from dataclasses import dataclass

from postproc.case_file import CaseFile
from postproc.scene import Scene
from postproc.sources import Source


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
