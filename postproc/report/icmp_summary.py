"""ICMP errors summed up by source: where each source sits, and how far the packets that it rejected had come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from heuristics.rulebook.scoring import ACCUSED, Origin
from postproc.runtime.text import plural
from postproc.verdicts.result_row import JudgedReset


@dataclass(frozen=True, slots=True)
class IcmpErrorSource:
    """The ICMP errors that name one address as their source and have one origin.

    `verdicts` and `names` (of types and codes) count errors, the most frequent first. `targets` counts the addresses
    that the rejected packets were sent to. `distances` (of the errors) and `travelled` (by the rejected packets) are
    the different values, ascending, in hops. `suspicion` is the highest.
    """

    address: str
    origin: str
    errors: int
    suspicion: int
    verdicts: dict[str, int]
    names: dict[str, int]
    targets: int
    distances: tuple[int, ...]
    travelled: tuple[int, ...]


def icmp_error_sources(errors: Iterable[JudgedReset]) -> tuple[IcmpErrorSource, ...]:
    """Every source of ICMP errors: the most suspicious first, then the one with the most errors."""
    groups: dict[tuple[str, str], list[JudgedReset]] = {}
    for error in errors:
        groups.setdefault((error.row.src, error.row.origin), []).append(error)
    sources = [_source(address, origin, group) for (address, origin), group in groups.items()]
    return tuple(sorted(sources, key=lambda source: (-source.suspicion, -source.errors, source.address)))


def _source(address: str, origin: str, errors: Sequence[JudgedReset]) -> IcmpErrorSource:
    rejections = [error.rejection for error in errors if error.rejection is not None]
    return IcmpErrorSource(
        address=address,
        origin=origin,
        errors=len(errors),
        suspicion=max(error.row.suspicion for error in errors),
        verdicts=dict(Counter(error.row.verdict for error in errors).most_common()),
        names=dict(Counter(rejection.name for rejection in rejections).most_common()),
        targets=len({rejection.target for rejection in rejections}),
        distances=tuple(sorted({error.row.distance for error in errors if error.row.distance is not None})),
        travelled=tuple(sorted({each.travelled for each in rejections if each.travelled is not None})),
    )


_WHO = {
    Origin.MIDDLEBOX: "firewalls or other devices in between",
    Origin.ROUTER: "routers",
    Origin.ENDPOINT: "the addressed hosts themselves",
    Origin.FRONT_END: "front-ends",
}


def icmp_conclusion(errors: Sequence[JudgedReset]) -> str:
    """One sentence about all ICMP errors, empty if there are none."""
    if not errors:
        return ""
    counts = Counter(error.row.origin for error in errors)
    by = [f"{counts[origin]:,} sent by {who}" for origin, who in _WHO.items() if counts[origin]]
    if counts[Origin.UNKNOWN]:
        by.append(f"who sent {counts[Origin.UNKNOWN]:,} of them is not known")
    forged = sum(error.row.verdict in ACCUSED for error in errors)
    accused = f"; {forged:,} of them in a host's name that it did not come from" if forged else ""
    return f"{plural(len(errors), 'ICMP error')}: {', '.join(by)}{accused}."


def rejection_text(error: JudgedReset) -> str:
    """Who rejected, and where: "rejected by 192.0.2.1, 1 hop away, the probe to 192.0.2.2 had travelled 1 hop"."""
    row, rejection = error.row, error.rejection
    away = "" if row.distance is None else f", {plural(row.distance, 'hop')} away"
    where = f"rejected by {row.src}{away}"
    if rejection is None or rejection.travelled is None:
        return where
    return f"{where}, the probe to {rejection.target} had travelled {plural(rejection.travelled, 'hop')}"
