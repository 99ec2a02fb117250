"""Where the captures of a case were taken: from case.toml, or else from their packets."""

from __future__ import annotations

from dataclasses import dataclass, replace

from postproc.capture.capture_point import CapturePoint
from postproc.capture.discovery import Source
from postproc.case.case_file import CaseFile
from postproc.flows.addresses import is_private

_MAX_GAP_US = 86_400_000_000  # a day: after that, routes may have changed


@dataclass(frozen=True, slots=True)
class CaptureLocation:
    """Where a capture was taken: the name of its [[point]], and the addresses at whose own interface it was taken.

    `named` are those of them that the user names, and `complete` those of which the capture holds every packet, as the
    user says. `observed` is what the packets show.
    """

    point: str | None
    local: frozenset[str]
    complete: frozenset[str]
    observed: CapturePoint
    named: frozenset[str] = frozenset()


def location_of(source: Source, observed: CapturePoint, case: CaseFile) -> CaptureLocation:
    """The location from `case`, or else from the packets."""
    point = case.point_of(source.name)
    named = frozenset(str(host) for host in point.hosts) if point else frozenset()
    complete = named if point and point.complete else frozenset()
    return CaptureLocation(point.name if point else None, named or frozenset(observed.local), complete, observed, named)


def unambiguous_location_of(source: Source, observed: CapturePoint, case: CaseFile) -> CaptureLocation:
    """The location, without local addresses that may be another host's in other captures."""
    location = location_of(source, observed, case)
    return replace(location, local=frozenset(address for address in location.local if is_one_host(address, case)))


def is_one_host(address: str, case: CaseFile) -> bool:
    """Whether the address is the same host's in every capture."""
    try:
        return not is_private(address) or case.is_ours(address)
    except ValueError:  # an export may hold any text
        return False


def is_same_location(one: CaptureLocation, other: CaptureLocation) -> bool:
    """Whether two captures were taken at the same location, within a day."""
    named = one.point is not None and other.point is not None
    same = one.point == other.point if named else not one.local.isdisjoint(other.local)
    return same and bool(one.observed.near_in_time(other.observed, _MAX_GAP_US))
