"""Who sent the resets: one entry for each presumed sender, not for each host that they name.

Suspect resets are of one sender if they were sent from one place in one form: at the same distance, where the hop limit
measures it, and as the same known device does it. Where a known form comes from many distances, its hop limits are made
up, so that they measure none. What a front-end sent is one entry for each device. All hosts that
reset in their own name are one entry, and so are all resets of which the sender could not be told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from heuristics.presumed_sender import MANY_DISTANCES, WELL_KNOWN, Who
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict
from postproc.flows.end_reason import RESET_FROM_SERVER
from postproc.report.rulebook_entries import RulebookEntries
from postproc.verdicts.result_row import JudgedReset, ResetRow

Connection = tuple[str, frozenset[tuple[str, int]]]

_DEVICE = re.compile(r"(.*) \((\d+) %\)", re.DOTALL)  # as Judgement.device is written


class SenderKey(NamedTuple):
    """What the resets of one presumed sender have in common. `place` is that of the capture."""

    who: Who
    device: str | None = None
    hops: int | None = None
    place: int | str = ""


@dataclass(frozen=True, slots=True)
class PresumedSender:
    """One presumed sender of resets.

    `hops` is the distance from the capture point, None where the hop limit measures none. `device` is the known device
    whose form the resets have, None if there is none; `confidence` (percent, least and greatest) says how sure that
    is. `names` are the hosts in whose names it spoke, `clients` those of the connections that it reset; a reset in the
    name of a client has one host in both. `ports` are the ports of the services, the most frequent first. `first` and
    `last` are capture times (seconds since 1970). `captures` are the names of those that show it.
    `example` is the reset that shows best what it did.
    """

    who: Who
    hops: int | None
    device: str | None
    confidence: tuple[int, int] | None
    resets: int
    by_verdict: Mapping[str, int]
    names: tuple[str, ...]
    clients: tuple[str, ...]
    ports: tuple[int, ...]
    first: float
    last: float
    captures: tuple[str, ...]
    example: JudgedReset

    @property
    def forged(self) -> int:
        """How many of its resets are forged."""
        return self.by_verdict.get(Verdict.FORGED, 0)

    @property
    def accused(self) -> int:
        """How many of its resets are forged or likely forged."""
        return sum(self.by_verdict.get(verdict, 0) for verdict in ACCUSED)


def presumed_senders(
    resets: Sequence[JudgedReset], entries: RulebookEntries, places: Mapping[str, int]
) -> tuple[PresumedSender, ...]:
    """The presumed senders: those in between first, by how many resets they forged; then the others.

    `places` has the place of each capture (postproc/report/capture_places.py).
    """
    groups = resets_by_sender(resets, entries, places)
    one_sided = one_sided_connections(reset.row for reset in resets)
    senders = [_sender(key, group, entries, one_sided) for key, group in groups.items()]
    order = [*Who]
    return tuple(sorted(senders, key=lambda each: (order.index(each.who), -each.forged, -each.resets, each.first)))


def device_name(device: str | None) -> tuple[str | None, int | None]:
    """The name of the device in the column of that name, and how sure that is (percent)."""
    parts = _DEVICE.fullmatch(device or "")
    return (parts[1], int(parts[2])) if parts else (device, None)


def service_of(row: ResetRow, *, one_sided: bool = False) -> tuple[str, int]:
    """The client of the connection and the port of the service.

    Where all resets of a connection name one sender (`one_sided`), its end reason says whether that is the client; but
    nobody opens connections from a port below 1024. Otherwise, most services have the lower port of the two.
    """
    names_client = row.sport > row.dport
    if row.end_reason == RESET_FROM_SERVER:
        names_client = False
    elif one_sided and row.sport > WELL_KNOWN:
        names_client = True
    return (row.src, row.dport) if names_client else (row.dst, row.sport)


def one_sided_connections(rows: Iterable[ResetRow]) -> frozenset[Connection]:
    """The connections whose resets name one sender."""
    named: defaultdict[Connection, set[tuple[str, int]]] = defaultdict(set)
    for row in rows:
        named[connection_of(row)].add((row.src, row.sport))
    return frozenset(connection for connection, names in named.items() if len(names) == 1)


def connection_of(row: ResetRow) -> Connection:
    """Capture and both ends."""
    return row.capture, frozenset(((row.src, row.sport), (row.dst, row.dport)))


def resets_by_sender(
    resets: Sequence[JudgedReset], entries: RulebookEntries, places: Mapping[str, int]
) -> dict[SenderKey, list[JudgedReset]]:
    """The resets of each presumed sender. `places` is that of `presumed_senders`."""
    groups: defaultdict[SenderKey, list[JudgedReset]] = defaultdict(list)
    for reset in resets:
        groups[_key(reset.row, entries, places)].append(reset)
    distances: defaultdict[SenderKey, list[SenderKey]] = defaultdict(list)
    for key in groups:
        if key.device is not None and key.hops is not None:
            distances[key._replace(hops=None)].append(key)
    for joined, keys in distances.items():
        if len(keys) >= MANY_DISTANCES:
            groups[joined] += [reset for key in keys for reset in groups.pop(key)]
    return groups


def _key(row: ResetRow, entries: RulebookEntries, places: Mapping[str, int]) -> SenderKey:
    if row.verdict in ACCUSED:
        hops = row.distance if entries.measures(row.where) else None
        return SenderKey(Who.BETWEEN, device_name(row.device)[0], hops, places.get(row.capture, row.capture))
    if row.origin == Origin.FRONT_END:
        return SenderKey(Who.FRONT_END, device_name(row.device)[0])
    return SenderKey(Who.UNKNOWN if row.verdict == Verdict.UNCLEAR else Who.HOST)


def _sender(
    key: SenderKey, group: Sequence[JudgedReset], entries: RulebookEntries, one_sided: Container[Connection]
) -> PresumedSender:
    rows = [reset.row for reset in group]
    example = max(group, key=lambda reset: (entries.measures(reset.row.where), reset.score))
    device = key.device
    sure = sorted({percent for row in rows if (percent := device_name(row.device)[1]) is not None}) if device else []
    services = Counter(service_of(row, one_sided=connection_of(row) in one_sided) for row in rows)
    ports: Counter[int] = Counter()
    for (_, port), count in services.items():
        ports[port] += count
    return PresumedSender(
        who=key.who,
        hops=key.hops,
        device=device,
        confidence=(sure[0], sure[-1]) if sure else None,
        resets=len(rows),
        by_verdict=dict(Counter(row.verdict for row in rows)),
        names=tuple(dict.fromkeys(row.src for row in rows)),
        clients=tuple(dict.fromkeys(client for client, _ in services)),
        ports=tuple(port for port, _ in ports.most_common()),
        first=min(row.time for row in rows),
        last=max(row.time for row in rows),
        captures=tuple(dict.fromkeys(row.capture for row in rows)),
        example=example,
    )


def of_same_sender(
    chosen: JudgedReset, resets: Sequence[JudgedReset], entries: RulebookEntries
) -> tuple[JudgedReset, ...]:
    """The resets of one capture whose presumed sender is that of `chosen`; of hosts, those that name the same one."""
    for key, group in resets_by_sender(resets, entries, {}).items():
        if any(reset.row.frame == chosen.row.frame for reset in group):
            alone = key.who in (Who.HOST, Who.UNKNOWN)
            alike = (reset for reset in group if not alone or reset.row.src == chosen.row.src)
            return tuple(sorted(alike, key=lambda reset: reset.row.frame))
    return ()
