"""The charts of a report, as Vega-Lite specifications. They hold counts, never one mark for each of many packets.

A chart without data is None. Times are in UTC.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from heuristics.errors import visible
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict
from heuristics.verdict_colours import VERDICT_COLOURS
from postproc.report.tallies import Tally
from postproc.runtime.clock import has_date
from postproc.runtime.text import cut_in_the_middle, plural
from postproc.verdicts.result_row import ResetRow

Spec = dict[str, Any]

_VERDICT_FILLS = {verdict: f"#{colours.fill.lower()}" for verdict, colours in VERDICT_COLOURS.items()}
# Of the same palette (Okabe and Ito, "Color Universal Design", 2008).
_ORIGIN_COLOURS = {
    Origin.MIDDLEBOX: "#d55e00",
    Origin.ROUTER: "#e69f00",
    Origin.FRONT_END: "#56b4e9",
    Origin.ENDPOINT: "#0072b2",
    Origin.UNKNOWN: "#999999",
}
TEXT, LINES, ORDINARY, SURGE = "#1f2328", "#d8dee4", "#57606a", "#cc79a7"  # also in report.css, for dark screens
_WIDTH, _HEIGHT = 860, 190
_MOST_BINS = 100
_LONGEST_LABEL = 48  # characters
_HOSTS = 14  # in the chart of distances
_LAST_SECOND = 253_402_300_799  # of the year 9999: a later one has no place on a time axis
# Widths of bins that a reader can name, in seconds.
_WIDTHS = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)
_SHORT = 3  # seconds
# The longest span (seconds), how its times are written, and whether the title names the day.
_TIME_LABELS = (
    *((_SHORT, "%H:%M:%S.%L", True), (43_200, "%H:%M:%S", True), (864_000, "%m-%d %H:%M", False)),
    (math.inf, "%Y-%m-%d", False),
)
_SILENCES_PER_DECADE = 4  # bars of the histogram


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. `name` is a word for files and anchors, `caption` says in a sentence what it shows."""

    name: str
    title: str
    caption: str
    spec: Spec


def timeline(rows: Sequence[ResetRow], surges: Sequence[tuple[float, float]] = ()) -> Chart | None:
    """Resets over time by verdict. `surges` are begins and ends (seconds) to mark."""
    dated = _dated(rows)
    if not dated:
        return None
    width = _bin_width(dated)
    bins = Counter((row.time // width * width, row.verdict) for row in dated)
    values = _stacked(bins, [*_VERDICT_FILLS], lambda start: (start * 1000, (start + width) * 1000))
    axis = _time("from", [row.time for row in dated])
    bars = _bars(values, axis, "resets", _colours(_VERDICT_FILLS, "verdict", dated))
    marks = [{"from": begin * 1000, "to": max(end, begin + width) * 1000} for begin, end in surges]
    band = {
        "data": {"values": marks},
        "mark": {"type": "rect", "opacity": 0.35, "color": SURGE},
        "encoding": {"x": axis, "x2": {"field": "to"}},
    }
    caption = f"{plural(len(dated), 'reset')}, at most {_highest(values):,} in {_duration(width)}."
    caption += f" {plural(len(surges), 'surge')} marked." if surges else ""
    return Chart("timeline", "Resets over time", caption, _chart([*([band] if marks else []), bars]))


def icmp_timeline(rows: Sequence[ResetRow]) -> Chart | None:
    """ICMP errors over time by origin."""
    dated = _dated(rows)
    if not dated:
        return None
    width = _bin_width(dated)
    bins = Counter((row.time // width * width, row.origin) for row in dated)
    values = _stacked(bins, [*_ORIGIN_COLOURS], lambda start: (start * 1000, (start + width) * 1000))
    axis = _time("from", [row.time for row in dated])
    bars = _bars(values, axis, "ICMP errors", _colours(_ORIGIN_COLOURS, "origin", dated))
    caption = f"{plural(len(dated), 'ICMP error')} in bars of {_duration(width)}, by who sent them."
    return Chart("icmp", "ICMP errors over time", caption, _chart([bars]))


def hop_limits(host: str, rows: Sequence[ResetRow], ordinary: pl.DataFrame, number: int) -> Chart | None:
    """The hop limits of a host's ordinary packets over time, and those of the resets in its name.

    `ordinary` has rows of hop_limits.SCHEMA, `rows` are of the same captures. `number` makes the name unique.
    """
    dated = [row for row in _dated(rows) if row.hop_limit is not None]
    if not dated or ordinary.is_empty():
        return None
    times = [*(time / 1e6 for time in ordinary["time_us"].to_list()), *(row.time for row in dated)]
    first, last = min(times), max(times)
    width = max((last - first) / 240, 0.000_001)

    def place(seconds: float) -> float:
        return float(first + (seconds - first) // width * width) * 1000

    usual: Counter[tuple[float, int]] = Counter()
    for time_us, hop_limit, packets in ordinary.select("time_us", "hop_limit", "packets").iter_rows():
        usual[place(time_us / 1e6), hop_limit] += packets
    judged = Counter((place(row.time), row.hop_limit, row.verdict) for row in dated)
    values = [{"time": time, "hops": hops, "packets": count} for (time, hops), count in usual.items()]
    resets = [{"time": t, "hops": hops, "verdict": verdict, "resets": n} for (t, hops, verdict), n in judged.items()]
    every = [hops for _, hops in usual] + [row.hop_limit for row in dated if row.hop_limit is not None]
    axis = {"field": "hops", "type": "quantitative", "title": "hop limit", "axis": {"tickMinStep": 1, "format": "d"}}
    axis["scale"] = {"domain": [max(min(every) - 4, 0), min(max(every) + 4, 255)], "nice": False}
    across = _time("time", (first, last))
    layers = [
        {
            "mark": {"type": "square", "filled": True, "size": 40, "color": ORDINARY, "opacity": 0.8},
            "encoding": {"x": across, "y": axis},
        },
        {
            "data": {"values": resets},
            "mark": {
                "type": "point",
                "shape": "triangle-up",
                "filled": True,
                "size": 150,
                "stroke": TEXT,
                "opacity": 1,
            },
            "encoding": {"x": across, "y": axis, "color": _colours(_VERDICT_FILLS, "verdict", dated)},
        },
    ]
    common = Counter(hops for (_, hops), count in usual.items() for _ in range(min(count, 1000))).most_common(1)[0][0]
    odd = sorted({row.hop_limit for row in dated if row.verdict in ACCUSED and row.hop_limit is not None})
    shown = ", ".join(map(str, odd[:6])) + (" and others" if len(odd) > 6 else "")
    caption = (
        f"Squares: {plural(sum(usual.values()), 'ordinary packet')} of {host}, most with hop limit {common}. "
        f"Triangles: {plural(len(dated), 'reset')} in its name" + (f"; the suspect ones have {shown}." if odd else ".")
    )
    return Chart(f"hop-limits-{number}", f"Hop limits of {host}", caption, _chart(layers, values))


def distances(rows: Sequence[ResetRow]) -> Chart | None:
    """How far away the suspect resets were sent, and how far away the hosts are whose names they bear."""
    known = [row for row in rows if row.verdict in ACCUSED and row.sender_distance is not None]
    hosts = [host for host, _ in Counter(row.src for row in known).most_common(_HOSTS)]
    shown = [row for row in known if row.src in hosts]
    if not shown:
        return None
    places: Counter[tuple[str, int | None, str]] = Counter()
    for row in shown:
        places[_label(row.src), row.distance, "the resets in its name"] += 1
        places[_label(row.src), row.sender_distance, "the host itself"] += 1
    values = [{"host": host, "hops": hops, "what": what, "resets": n} for (host, hops, what), n in places.items()]
    spec = {
        "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
        "encoding": {
            "y": {
                "field": "host",
                "type": "nominal",
                "title": None,
                "sort": [*map(_label, hosts)],
                "axis": {"grid": True},
            },
            "x": {
                **{"field": "hops", "type": "quantitative", "title": "hops from the capture point"},
                **{"axis": {"tickMinStep": 1, "format": "d"}, "scale": {"zero": True}},
            },
            "color": _named({"the host itself": "#0072b2", "the resets in its name": "#d55e00"}, "what"),
            "shape": {
                **{"field": "what", "type": "nominal", "title": None},
                **{
                    "scale": {
                        "domain": ["the host itself", "the resets in its name"],
                        "range": ["circle", "triangle-up"],
                    }
                },
            },
        },
    }
    left_out = len({row.src for row in known}) - len(hosts)
    more = f" {plural(left_out, 'more host')} not shown." if left_out else ""
    caption = f"The {plural(len(hosts), 'host')} with the most suspect resets.{more}"
    return Chart("distances", "Where suspect resets were sent from", caption, _chart([spec], values, height=None))


def silences(rows: Sequence[ResetRow]) -> Chart | None:
    """How long connections were silent before their resets, on a logarithmic scale."""
    timed = [(row.silence_us, row.verdict) for row in rows if row.silence_us]
    if not timed:
        return None
    step = _SILENCES_PER_DECADE
    bins = Counter((math.floor(math.log10(silence) * step), verdict) for silence, verdict in timed)
    values = _stacked(
        bins, [*_VERDICT_FILLS], lambda place: (10 ** (place / step) / 1e6, 10 ** ((place + 1) / step) / 1e6)
    )
    labels = "datum.value < 0.001 ? format(datum.value * 1e6, '~f') + ' µs' : datum.value < 1 ? "
    labels += "format(datum.value * 1e3, '~f') + ' ms' : format(datum.value, '~f') + ' s'"
    axis = {
        **{"field": "from", "type": "quantitative", "scale": {"type": "log", "nice": False}},
        **{"title": "silence before the reset"},
        **{"axis": {"values": [10.0**power for power in range(-6, 7)], "labelExpr": labels}},
    }
    bars = _bars(values, axis, "resets", _colours(_VERDICT_FILLS, "verdict", rows))
    longest = max(timed)[0] / 1e6
    caption = f"How long the connection or its peer was silent before {plural(len(timed), 'reset')}: "
    caption += f"at most {_duration(longest)}. "
    caption += "Many resets after the same silence show an idle timeout."
    return Chart("silences", "Silence before resets", caption, _chart([bars]))


def causes(tallies: Sequence[Tally]) -> Chart | None:
    """The probable causes."""
    if not tallies:
        return None
    shown = tallies[:10]
    named = {"forged or likely forged": _VERDICT_FILLS[Verdict.FORGED], "other": _VERDICT_FILLS[Verdict.GENUINE]}
    values = [
        {"cause": _label(tally.title), "resets": count, "what": what}
        for tally in shown
        for count, what in zip((tally.accused, tally.resets - tally.accused), named, strict=True)
        if count
    ]
    order = [_label(tally.title) for tally in shown]
    bars = {
        "mark": {"type": "bar", "stroke": None},
        "encoding": {
            "y": {"field": "cause", "type": "nominal", "title": None, "sort": order, "axis": {"labelLimit": 320}},
            "x": {"field": "resets", "type": "quantitative", "title": "resets", "axis": {"tickMinStep": 1}},
            "color": _named(named, "what"),
        },
    }
    caption = f"The most frequent is: {shown[0].title} ({plural(shown[0].resets, 'reset')})."
    return Chart("causes", "Probable causes", caption, _chart([bars], values, height=None))


def _label(text: str) -> str:
    """A text on an axis. Whoever draws may stumble over control characters, which exports and rulebooks may hold."""
    return cut_in_the_middle(visible(text), _LONGEST_LABEL)


def _dated(rows: Iterable[ResetRow]) -> list[ResetRow]:
    """The rows whose times have a place on an axis; pcapng allows others."""
    return [row for row in rows if 0 <= row.time <= _LAST_SECOND]


def _stacked(
    bins: Counter[tuple[Any, str]], names: Sequence[str], edges: Callable[[Any], tuple[float, float]]
) -> list[dict[str, Any]]:
    """A value for each bar: its edges, and from where to where it reaches on the others of its bin."""
    values = []
    for place in sorted({place for place, _ in bins}):
        begin, end = edges(place)
        low = 0
        for name in names:
            if count := bins[place, name]:
                values.append(
                    {"from": begin, "to": end, "low": low, "high": low + count, "name": str(name), "count": count}
                )
                low += count
    return values


def _bars(values: Sequence[Mapping[str, Any]], axis: Spec, counted: str, colours: Spec) -> Spec:
    """Stacked bars between two edges, of values made by `_stacked`."""
    return {
        "data": {"values": list(values)},
        "mark": {"type": "rect", "stroke": ORDINARY, "strokeWidth": 0.5},  # light fills need an edge
        "encoding": {
            "x": axis,
            "x2": {"field": "to"},
            "y": {"field": "low", "type": "quantitative", "title": counted, "axis": {"tickMinStep": 1}},
            "y2": {"field": "high"},
            "color": colours | {"field": "name"},
            "description": {"field": "text", "type": "nominal"},
        },
        "transform": [{"calculate": "datum.count + ' ' + datum.name", "as": "text"}],
    }


def _highest(values: Iterable[Mapping[str, Any]]) -> int:
    return max(int(value["high"]) for value in values)


def _chart(layers: Sequence[Spec], values: Sequence[Mapping[str, Any]] = (), height: int | None = _HEIGHT) -> Spec:
    """The specification of a whole chart; without `height`, each row of a nominal axis takes some."""
    font = {"labelColor": TEXT, "titleColor": TEXT, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "height": height or {"step": 26},
        "padding": {"left": 5 if height else 60, "right": 30, "top": 5, "bottom": 5},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": list(values)},
        "layer": list(layers),
        "config": {
            "background": None,
            "font": "Arial, Helvetica, sans-serif",
            "view": {"stroke": None},
            "axis": font | {"gridColor": LINES, "domainColor": LINES, "tickColor": LINES, "titleFontWeight": "normal"},
            "legend": font | {"orient": "top", "title": None, "symbolStrokeWidth": 0, "columnPadding": 28},
        },
    }


def _time(field: str, seconds: Iterable[float]) -> Spec:
    """A time axis for these times: its labels name what differs between them."""
    first, last = min(times := [*seconds]), max(times)
    form, day = next((form, day) for longest, form, day in _TIME_LABELS if last - first <= longest)
    title = f"time (UTC), {datetime.fromtimestamp(first, UTC):%Y-%m-%d}" if day else "time (UTC)"
    title = title if has_date(first) else "time of day (no date)"
    axis: Spec = {"tickCount": 6, "labelOverlap": "greedy"}
    if last - first <= _SHORT:  # Vega finds no ticks for parts of a second, but for numbers it does
        axis["labelExpr"] = f"utcFormat(datum.value, '{form}')"
        scale = {"zero": False, "nice": False, "padding": 10}
        return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}
    axis["format"] = form
    return {"field": field, "type": "temporal", "title": title, "scale": {"type": "utc", "padding": 10}, "axis": axis}


def _named(colours: Mapping[str, str], field: str) -> Spec:
    scale = {"domain": [str(name) for name in colours], "range": [*colours.values()]}
    return {"field": field, "type": "nominal", "title": None, "scale": scale}


def _colours(colours: Mapping[Any, str], field: str, rows: Iterable[ResetRow]) -> Spec:
    """The colours of what is there, so that the legend names nothing else."""
    there = {getattr(row, field) for row in rows}
    return _named({str(name): colour for name, colour in colours.items() if name in there}, field)


def _bin_width(rows: Sequence[ResetRow]) -> float:
    times = [row.time for row in rows]
    span = max(times) - min(times)
    return next((width for width in _WIDTHS if span / width <= _MOST_BINS), span / _MOST_BINS)


def _duration(seconds: float) -> str:
    """A duration in words: "5 minutes"."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds * 1000:.3g} ms"
