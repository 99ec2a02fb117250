"""Surges: when many more resets came than usual, who sent them, and what such a surge looks like.

The resets of each sender are counted per minute (in short captures per ten seconds or per second). What is usual is the
median of all such counts; how much they vary is the median absolute deviation, which one surge does not change (Hampel,
"The Influence Curve and Its Role in Robust Estimation", 1974).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from heuristics.rulebook.scoring import ACCUSED
from postproc.runtime.text import plural
from postproc.verdicts.result_row import ResetRow

Span = tuple[float, float]  # from, to; seconds since 1970

_WIDTHS = (60, 10, 1)  # seconds in which resets are counted
_LEAST_BINS = 12  # counts that are enough to say what is usual
_MOST_BINS = 200_000
_DEVIATIONS = 6  # how many standard deviations a count must be above the usual one
_NORMAL = 1.4826  # the standard deviation of normal numbers is this many median absolute deviations
_LEAST_RESETS = 10  # in one bin
_MOST_OF_IT = 0.8  # the share of resets that has to fit a pattern
_HOSTS_OF_FAILOVER, _FLOWS_OF_FAILOVER = 3, 5
_OPEN = ("post-ack", "post-psh", "later")  # stages of an open connection
_PORTS_OF_SCAN = 10
_REFUSED, _FIRST_DATA = "post-syn", "post-psh"
_MOST_AT_FIRST_DATA = 0.5  # the share of resets after the first data beyond which content is what a device looks at

_LEAST_SILENCE_US = 5_000_000  # shorter silences are those of people and programs
_LEAST_ALIKE, _SHARE_ALIKE = 5, 0.6  # resets after one silence: how many, and of all after long silences
_SPREAD, _SPREAD_US = 0.1, 2_000_000  # timers look at connections now and then: how much later they may end one


@dataclass(frozen=True, slots=True)
class Surge:
    """Many more resets of one sender than usual. `begin` and `end` are its first and last reset (seconds since 1970).

    `peak` and `usual` (the median) are resets in `seconds`. `pattern` says in words what it looks like; empty where
    nothing is known.
    """

    who: str
    begin: float
    end: float
    resets: int
    peak: int
    usual: float
    seconds: int
    hosts: int
    clients: int
    pattern: str


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Resets of one sender after silences that share a floor: a timer ends idle connections.

    `shortest_us` and `longest_us` are the silences before these `resets`.
    """

    who: str
    resets: int
    shortest_us: int
    longest_us: int

    @property
    def sentence(self) -> str:
        """What it means."""
        floor = round(self.shortest_us / 1e6)
        resets = f"{plural(self.resets, 'reset')} of {self.who}"
        return f"{resets} came after {floor:,} s of silence or a little more: an idle timeout."


def find_surges(by_sender: Mapping[str, Sequence[ResetRow]], covered: Iterable[Span]) -> tuple[Surge, ...]:
    """The surges of each sender, by time. `covered` are the spans that the captures cover."""
    times = [row.time for rows in by_sender.values() for row in rows]
    spans = joined_spans(covered) or ([(min(times), max(times))] if times else [])
    length = sum(last - first for first, last in spans)
    width = next((width for width in _WIDTHS if length / width >= _LEAST_BINS), None)
    if width is None or length / width > _MOST_BINS:
        return ()
    bins = math.ceil(length / width)
    surges = [
        surge
        for who, rows in by_sender.items()
        if len(rows) >= _LEAST_RESETS
        for surge in _of_sender(who, rows, spans, width, bins)
    ]
    return tuple(sorted(surges, key=lambda surge: (surge.begin, surge.who)))


def idle_timeouts(by_sender: Mapping[str, Sequence[ResetRow]]) -> tuple[IdleTimeout, ...]:
    """The idle timeouts that the silences before resets show, those of the most resets first."""
    found = [timeout for who, rows in by_sender.items() if (timeout := _idle_timeout(who, rows))]
    return tuple(sorted(found, key=lambda timeout: -timeout.resets))


def joined_spans(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap, in order."""
    joined: list[Span] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _of_sender(who: str, rows: Sequence[ResetRow], spans: Sequence[Span], width: int, count: int) -> Iterator[Surge]:
    bins: defaultdict[int, list[ResetRow]] = defaultdict(list)
    for row in rows:
        bins[math.floor(row.time / width)].append(row)
    usual, limit = _limits([len(each) for each in bins.values()], count)
    high = sorted(number for number, each in bins.items() if len(each) > limit)
    for run in _runs(high):
        inside = sorted(
            (row for number in range(run[0], run[-1] + 1) for row in bins[number]), key=lambda row: row.time
        )
        yield Surge(
            who=who,
            begin=inside[0].time,
            end=inside[-1].time,
            resets=len(inside),
            peak=max(len(bins[number]) for number in run),
            usual=usual,
            seconds=width,
            hosts=len({row.src for row in inside}),
            clients=len({row.dst for row in inside}),
            pattern=_pattern(inside, rows, spans, width),
        )


def _limits(counts: Sequence[int], bins: int) -> tuple[float, float]:
    """The usual count of a bin, and the highest that is no surge. `counts` leaves out bins without a reset."""
    empty = max(bins - len(counts), 0)
    usual = _median({0: empty}, counts)
    # Rare events vary by the root of their number (Poisson), also where most of the counts are the same.
    spread = _median({usual: empty}, [abs(count - usual) for count in counts])
    deviation = max(_NORMAL * spread, math.sqrt(usual))
    return usual, max(usual + _DEVIATIONS * deviation, _LEAST_RESETS - 1)


def _median(repeated: Mapping[float, int], values: Sequence[float]) -> float:
    """The median of `values` and of repeated ones, which are too many to be listed."""
    counts = Counter(values)
    counts.update(repeated)
    total, seen = sum(counts.values()), 0
    middle: list[float] = []
    for value in sorted(counts):
        seen += counts[value]
        while len(middle) < 2 and seen > (total - 1 + len(middle)) // 2:
            middle.append(value)
    return sum(middle) / 2


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Neighbouring numbers together; a gap of one stays inside."""
    run: list[int] = []
    for number in numbers:
        if run and number - run[-1] > 2:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _pattern(inside: Sequence[ResetRow], every: Sequence[ResetRow], spans: Sequence[Span], width: int) -> str:
    accused = sum(row.verdict in ACCUSED for row in inside)
    if accused >= _MOST_OF_IT * len(inside):
        still_open = sum(row.stage in _OPEN for row in inside)
        hosts, flows = len({row.src for row in inside}), len({row.flow for row in inside})
        # After the first data, a device has seen what a rule forbids; a lost state is lost for every connection.
        at_first_data = sum(row.stage == _FIRST_DATA for row in inside)
        if at_first_data > _MOST_AT_FIRST_DATA * len(inside):
            return ""
        if still_open >= _MOST_OF_IT * len(inside) and hosts >= _HOSTS_OF_FAILOVER and flows >= _FLOWS_OF_FAILOVER:
            return "a firewall that lost its connections: a failover or a restart"
        return ""
    return "" if accused else _restart(inside, every, spans, width)


def _restart(inside: Sequence[ResetRow], every: Sequence[ResetRow], spans: Sequence[Span], width: int) -> str:
    """A service that refuses for a while, and neither before nor after: it was not there. Many refuse a scan."""
    refused = [row for row in inside if row.stage == _REFUSED]
    if len(refused) < _MOST_OF_IT * len(inside):
        return ""
    services = Counter((row.src, row.sport) for row in refused)
    (service, count), *_ = services.most_common(1)
    if len(services) >= _PORTS_OF_SCAN and count * 2 < len(refused):
        return f"a port scan: {len(services):,} ports refused connections"
    if count < _MOST_OF_IT * len(refused):
        return ""
    times = [row.time for row in every if row.stage == _REFUSED and (row.src, row.sport) == service]
    begin, end = inside[0].time - width, inside[-1].time + width
    seen_around = spans[0][0] < begin and end < spans[-1][1]
    if seen_around and begin <= min(times) and max(times) <= end:
        return f"a restart: port {service[1]} refused connections only then"
    return ""


def _idle_timeout(who: str, rows: Sequence[ResetRow]) -> IdleTimeout | None:
    """The densest group of silences of about the same length, if most long silences are in it."""
    silences = sorted(row.silence_us for row in rows if row.silence_us and row.silence_us >= _LEAST_SILENCE_US)
    best = range(0)
    for begin, shortest in enumerate(silences):
        end = bisect_right(silences, shortest * (1 + _SPREAD) + _SPREAD_US)
        if end - begin > len(best):
            best = range(begin, end)
    if len(best) < max(_LEAST_ALIKE, _SHARE_ALIKE * len(silences)):
        return None
    return IdleTimeout(who, len(best), silences[best[0]], silences[best[-1]])
