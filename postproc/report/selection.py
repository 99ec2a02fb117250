"""Which resets and ICMP errors a report is about: by verdict, address, flow, port, time and kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar

from heuristics.errors import nearest, visible
from heuristics.rulebook.scoring import Verdict
from postproc.batch.job import CaptureResult
from postproc.flows.display_filter import ends_filter
from postproc.runtime.errors import UsageError
from postproc.runtime.text import plural
from postproc.verdicts.result_row import JudgedReset, ResetRow

_Network = IPv4Network | IPv6Network
_Value = TypeVar("_Value")
_VERDICTS = {verdict.replace(" ", "-"): verdict.value for verdict in Verdict}
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_MOST_PORT = 65535
_ENDS = re.compile(r"\[?([\w.:]+?)\]?:(\d{1,5}) ?- ?\[?([\w.:]+?)\]?:(\d{1,5})")
_PROTOCOLS = ("tcp", "udp")
_FRAMES = " && frame.number >= "  # in the filter of a flow whose ports served several connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The conditions, as the user wrote them. All of those that are given must hold; of one, any of its values.

    `flow` has display filters as in the column `flow`, or `ADDRESS:PORT-ADDRESS:PORT`. Times are as in ISO 8601 (UTC
    where they have no zone), or seconds since 1970: from `since` on, and before `until`.
    """

    only: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    flow: tuple[str, ...] = ()
    port: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    kind: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is selected."""
        return self == Selection()

    def __str__(self) -> str:
        """The options that make this selection."""
        return " ".join(
            f"--{name} {each}"
            for name, value in asdict(self).items()
            for each in ([",".join(value)] if name in ("only", "port") and value else _several(value))
        )


@dataclass(frozen=True, slots=True)
class Selected:
    """A selection, and how many resets and ICMP errors it took of how many."""

    selection: Selection
    resets: int
    of_resets: int
    errors: int
    of_errors: int

    def __str__(self) -> str:
        """For a person: what is reported, and how much is left out."""
        left_out = self.of_resets - self.resets + self.of_errors - self.errors
        return visible(
            f"Selected by {self.selection}: {self.resets:,} of {plural(self.of_resets, 'reset')}, "
            f"{self.errors:,} of {plural(self.of_errors, 'ICMP error')}; {left_out:,} left out."
        )

    def to_plain(self) -> dict[str, Any]:
        """For programs: the conditions that are given, and the counts."""
        conditions = {name: value for name, value in asdict(self.selection).items() if value}
        counts = {"resets": self.resets, "of_resets": self.of_resets}
        return {"conditions": conditions, **counts, "icmp_errors": self.errors, "of_icmp_errors": self.of_errors}


def select(results: Sequence[CaptureResult], selection: Selection) -> tuple[list[CaptureResult], Selected]:
    """The results with the selected resets and ICMP errors alone. Raises UsageError for a condition that is wrong."""
    takes = condition(selection)

    def taken(judged: Iterable[JudgedReset]) -> tuple[JudgedReset, ...]:
        return tuple(each for each in judged if takes(each))

    chosen = [replace(each, resets=taken(each.resets), errors=taken(each.errors)) for each in results]
    counts = [sum(len(each.resets) for each in of) for of in (chosen, results)]
    errors = [sum(len(each.errors) for each in of) for of in (chosen, results)]
    return chosen, Selected(selection, *counts, *errors)


def verdicts_named(names: Sequence[str], option: str) -> frozenset[str]:
    """The verdicts of these names (`likely-forged`, or as in the column), which commas may join. Raises UsageError."""
    found = set()
    for name in _parts(names):
        key = name.lower().replace(" ", "-")
        if key not in _VERDICTS:
            hint = nearest(key, _VERDICTS) or f"verdicts: {', '.join(_VERDICTS)}"
            raise UsageError(visible(f"{option}: there is no verdict '{name}' ({hint})"))
        found.add(_VERDICTS[key])
    return frozenset(found)


def condition(selection: Selection) -> Callable[[JudgedReset], bool]:
    """Whether a reset or ICMP error is selected. Raises UsageError."""
    tests = list(_tests(selection))
    if selection.host:
        inside = _in_networks([_network(each) for each in _parts(selection.host)])
        return lambda judged: all(test(judged.row) for test in tests) and any(map(inside, _addresses(judged)))
    return lambda judged: all(test(judged.row) for test in tests)


def _addresses(judged: JudgedReset) -> Iterator[str]:
    """Source and destination, and that of the packet that an ICMP error rejects."""
    yield from (judged.row.src, judged.row.dst)
    if judged.rejection:
        yield judged.rejection.target


def _tests(selection: Selection) -> Iterator[Callable[[ResetRow], bool]]:
    """A test for each condition on a row that is given, the cheap ones first."""
    if selection.kind:
        yield lambda row: row.kind == selection.kind
    if selection.only:
        verdicts = verdicts_named(selection.only, "--only")
        yield lambda row: row.verdict in verdicts
    since = _seconds(selection.since, "--since")
    until = _seconds(selection.until, "--until")
    if since is not None and until is not None and since >= until:
        raise UsageError(visible(f"--since {selection.since} is not before --until {selection.until}"))
    if since is not None:
        yield lambda row: row.time >= since
    if until is not None:
        yield lambda row: row.time < until
    if selection.port:
        ports = [_ports(each) for each in _parts(selection.port)]
        yield lambda row: any(row.sport in each or row.dport in each for each in ports)
    if selection.flow:
        filters = frozenset(each for text in selection.flow for each in _filters(text))
        yield lambda row: row.flow in filters or row.flow.partition(_FRAMES)[0] in filters


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value


def _parts(values: Sequence[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _seconds(text: str | None, option: str) -> float | None:
    """Seconds since 1970."""
    if text is None:
        return None
    try:
        if re.fullmatch(r"\d{1,12}(\.\d+)?", text):
            return float(text)
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        hint = "2026-11-30, 2026-11-30T20:50:00Z, or seconds since 1970; UTC without a zone"
        raise UsageError(visible(f"{option}: '{text}' is no time (write {hint})")) from None


def _ports(text: str) -> range:
    if found := _PORTS.fullmatch(text):
        first, last = int(found[1]), int(found[2] or found[1])
        if first <= last <= _MOST_PORT:
            return range(first, last + 1)
    raise UsageError(visible(f"--port: '{text}' is no port (write 443, or 8000-8099)"))


def _network(text: str) -> _Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise UsageError(visible(f"--host: '{text}' is no address (write 192.0.2.1, or 2001:db8::/32)")) from None


def _in_networks(networks: Sequence[_Network]) -> Callable[[str], bool]:
    """Whether an address is in one of the networks. Rows repeat few addresses."""

    @cache
    def inside(address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:  # empty: the packet has no such address
            return False
        return any(parsed in network for network in networks)

    return inside


def _filters(text: str) -> Iterator[str]:
    """The values of the column `flow` that are meant."""
    if "==" in text:
        yield text
        return
    found = _ENDS.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        ends = [(str(ip_address(found[at])), int(found[at + 1])) for at in (1, 3)]
    except ValueError:
        hint = "192.0.2.1:40000-203.0.113.2:443, [2001:db8::1]:40000-[2001:db8::2]:443, or a value of the column flow"
        raise UsageError(visible(f"--flow: '{text}' is no flow (write {hint})")) from None
    for one, other in (ends, ends[::-1]):
        for protocol in _PROTOCOLS:
            yield ends_filter(*one, *other, protocol)
