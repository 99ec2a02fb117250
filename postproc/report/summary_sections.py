"""A summary as sections: the answer first, then who did it, why, the most suspicious resets, hosts and captures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from heuristics.language.template import time_text
from heuristics.presumed_sender import COLUMNS, NO_DEVICE, PLACES, TITLE, VALUES_SHOWN, Who
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import Verdict, evidence_weights
from postproc.report.answer import answer, percent_text
from postproc.report.icmp_summary import IcmpErrorSource, rejection_text
from postproc.report.presumed_senders import PresumedSender
from postproc.report.sections import Cell, Code, Column, Item, Listing, Paragraph, Section, Table
from postproc.report.summary import CaptureCounts, ResetGroup, Sender, Summary
from postproc.report.tallies import Tally
from postproc.runtime.clock import IN_UTC, Clock, has_date
from postproc.runtime.text import plural, shell_command
from postproc.verdicts.result_row import JudgedReset, ResetRow

_FRAMES_SHOWN = 8  # frames of one group of resets
_EVIDENCE_SHOWN = 3  # sentences of evidence of one reset
_DISTANCE = "distance"  # what sentences name that say from how far away
_SILENT_US = 5_000_000  # silences from here on may be those of an idle timeout
_MILLISECONDS = 3  # decimals of the time of one reset


@dataclass(frozen=True, slots=True)
class Layout:
    """How a summary is laid out: at most `rows` rows of a table. `wide`: columns side by side that else share one.

    `paths` are the captures that rstorigin explain can read, by their names.
    """

    rows: int = 10
    wide: bool = False
    clock: Clock = IN_UTC
    paths: Mapping[str, str] = field(default_factory=dict)


def sections(summary: Summary, rulebook: Rulebook, layout: Layout) -> Iterator[Section]:
    """All sections that have content."""
    yield from answer_sections(summary, layout.clock)
    if summary.resets:
        several = len({reset.row.capture for reset in summary.resets}) > 1
        yield _who(summary, layout, several=several)
        if summary.causes:
            yield _tallies("Probable causes", "cause", summary.causes, layout)
        if summary.surges:
            yield _surges(summary, layout)
        if summary.suspicious:
            yield _suspicious(summary, rulebook, layout)
        yield _hosts(summary, layout)
        if summary.not_judged:
            yield _tallies("Not judged", "why not", summary.not_judged, layout)
    if summary.errors:
        yield _rejectors(summary, layout)
        errors = [_error(error, layout) for error in summary.suspicious_errors]
        if errors:
            yield Listing("Most suspicious ICMP errors", errors)
    if len(summary.captures) > 1:
        yield _captures(summary, layout)


def answer_sections(summary: Summary, clock: Clock) -> Iterator[Section]:
    """The answer alone, and what was read."""
    yield Paragraph(answer(summary, clock))
    totals = summary.totals
    unreadable = sum(not capture.readable for capture in summary.captures)
    read = [
        plural(totals.captures, "capture"),
        *([] if totals.packets is None else [plural(totals.packets, "packet")]),
        plural(totals.resets, "reset"),
        plural(totals.icmp_errors, "ICMP error"),
    ]
    more = f" {plural(unreadable, 'capture')} could not be read." if unreadable else ""
    copies = sum(bool(capture.copy_of) for capture in summary.captures)
    more += _copies(copies)
    times = [row.time for row in summary.rows]
    when = f", {clock.span(min(times), max(times))}" if times else ""
    undated = any(not has_date(time) for time in times)
    more += " The text has no dates; tcpdump -tttt prints them." if undated else ""
    yield Paragraph([f"Read: {', '.join(read)}{when}.{more}"])


def _copies(copies: int) -> str:
    if copies == 1:
        return " 1 capture is a copy of another and is not counted."
    return f" {copies:,} captures are copies of others and are not counted." if copies else ""


def _who(summary: Summary, layout: Layout, *, several: bool) -> Table:
    senders = summary.presumed_senders
    rows = [_sender_cells(sender, layout, several=several) for sender in senders[: layout.rows]]
    left_out = senders[layout.rows :]
    accused = sum(sender.accused for sender in left_out)
    below = f"{plural(len(left_out), 'more sender')} of {plural(accused, 'forged reset')}; --top N shows more"
    dated = any(has_date(sender.last) for sender in senders)
    title = f"{TITLE} ({f'times in {layout.clock.zone}' if dated else 'times of day'})"
    if layout.wide:
        place, device, resets, names, clients, ports, first, last, verdicts = COLUMNS
        columns = [
            *(Column(place, cut=17, fixed=True), Column(device), Column(resets, right=True)),
            *(Column(names, right=True), Column(clients, right=True), Column(ports)),
            *(Column(first, fixed=True), Column(last, fixed=True), Column(verdicts)),
        ]
    else:
        columns = [
            *(Column("sent from", cut=16, fixed=True), Column("device"), Column("resets", most=9)),
            *(Column("names", right=True), Column("clients", right=True), Column("ports", most=8)),
            Column("when", fixed=True),
        ]
    return Table(title, columns, rows, below if left_out else "")


def _sender_cells(sender: PresumedSender, layout: Layout, *, several: bool) -> list[Cell]:
    verdicts = tuple(f"{count:,} {verdict}" for verdict, count in _in_order(sender.by_verdict))
    first, last = layout.clock.in_table(sender.first), layout.clock.in_table(sender.last)
    start: list[Cell] = [_sent_from(sender, several=several), _device(sender)]
    middle: list[Cell] = [f"{len(sender.names):,}", f"{len(sender.clients):,}", _few(map(str, sender.ports))]
    if layout.wide:
        return [*start, f"{sender.resets:,}", *middle, first, last, ", ".join(verdicts)]
    times = (first, last) if first != last else (first,)
    return [*start, verdicts, *middle, _shared_date(times)]


def _shared_date(times: tuple[str, ...]) -> tuple[str, ...]:
    """Times one below the other, with the date once where it is the same: "2026-11-30", "13:02:01", "13:09:44"."""
    parts = [time.split(" ") for time in times]
    if all(len(part) == 2 for part in parts) and len({date for date, *_ in parts}) == 1:
        return (parts[0][0], *(part[1] for part in parts))
    return tuple(word for part in parts for word in part)


def _sent_from(sender: PresumedSender, *, several: bool) -> Cell:
    """Where it is, and in which capture that was seen."""
    place = PLACES[sender.who] if sender.hops is None else f"{plural(sender.hops, 'hop')} away"
    if not several or sender.who is not Who.BETWEEN:
        return place
    captures = sender.captures
    return (place, captures[0] if len(captures) == 1 else plural(len(captures), "capture"))


def _device(sender: PresumedSender) -> str:
    if sender.device:
        return f"{sender.device} ({percent_text(sender)})"
    return NO_DEVICE[sender.who]


def _tallies(title: str, what: str, tallies: Sequence[Tally], layout: Layout) -> Table:
    rows = [[tally.title, f"{tally.resets:,}", tally.do or "-"] for tally in tallies[: layout.rows]]
    left_out = tallies[layout.rows :]
    resets = sum(tally.resets for tally in left_out)
    below = f"{len(left_out):,} more, of {plural(resets, 'reset')}; --top N shows more" if left_out else ""
    return Table(title, [Column(what), Column("resets", right=True), Column("what you can do")], rows, below)


def _surges(summary: Summary, layout: Layout) -> Table:
    rows = [
        [
            *(layout.clock.in_table(surge.begin), surge.who, f"{surge.resets:,}"),
            *(f"{surge.peak:,} in {surge.seconds} s", f"{surge.usual:g}", surge.pattern or "not known"),
        ]
        for surge in summary.surges[: layout.rows]
    ]
    columns = [
        *(Column(f"began ({layout.clock.zone})"), Column("sender", cut=24), Column("resets", right=True)),
        *(Column("most"), Column("usual", right=True), Column("looks like")),
    ]
    left_out = len(summary.surges) - layout.rows
    return Table("Surges", columns, rows, f"{left_out:,} more; --top N shows more" if left_out > 0 else "")


def _suspicious(summary: Summary, rulebook: Rulebook, layout: Layout) -> Listing:
    items = [_reset(group, rulebook, layout) for group in summary.suspicious]
    return Listing("Most suspicious resets", items)


def _reset(group: ResetGroup, rulebook: Rulebook, layout: Layout) -> Item:
    reset, row = group.reset, group.reset.row
    lines: list[str | Code] = [
        f"named sender {row.src} port {row.sport}, to {row.dst} port {row.dport}, "
        f"{layout.clock.moment(row.time, _MILLISECONDS)}{_silence(row)}",
        *([f"not judged: {row.reason}"] if row.reason else []),
        *_strongest(reset, rulebook),
        *([f"{plural(len(group.others), 'more reset')} like it: {_frames(group.others)}"] if group.others else []),
        *([f"probable cause: {row.cause}"] if row.cause else []),
        *([f"looks like {row.device}"] if row.device else []),
        Code("Wireshark filter:", row.flow),
    ]
    if row.capture in layout.paths:
        words = ["rstorigin", "explain", layout.paths[row.capture], "--frame", str(row.frame)]
        lines.append(Code("all evidence:", shell_command(words)))
    return Item(f"Frame {row.frame} of {row.capture}: {row.verdict}, suspicion {row.suspicion} of 100", lines)


def _silence(row: ResetRow) -> str:
    """How long nothing came before, where that is long."""
    silent = row.silence_us is not None and row.silence_us >= _SILENT_US
    return f", after {time_text(row.silence_us or 0)} of silence" if silent else ""


def _strongest(reset: JudgedReset, rulebook: Rulebook) -> list[str]:
    """The heaviest evidence in words, how much more there is, and the place. Only one of them says how far away."""
    row = reset.row
    weights = evidence_weights(rulebook, row.evidence, reset.score)
    ranked = sorted(zip(weights, row.evidence, reset.words, strict=False), key=lambda each: -abs(each[0]))
    shown: list[str] = []
    distance_said = False
    for _, id_, words in ranked:
        says_distance = any(subject.name == _DISTANCE for subject in rulebook.evidence(id_).say.subjects)
        if len(shown) < _EVIDENCE_SHOWN and not (says_distance and distance_said):
            shown.append(words)
            distance_said |= says_distance
    more = len(ranked) - len(shown)
    place = [row.where] if row.where and not distance_said else []
    return [*shown, *([plural(more, "more sign")] if more else []), *place]


def _hosts(summary: Summary, layout: Layout) -> Table:
    rows = [_host_cells(sender) for sender in summary.senders[: layout.rows]]
    left_out = summary.senders[layout.rows :]
    accused = sum(1 for sender in left_out if sender.accused)
    below = f"{plural(len(left_out), 'more host')}, {accused:,} of them with forged resets; --top N shows more"
    columns = [
        *(Column("named as sender", cut=24, fixed=True), Column("resets")),
        *(Column("own hop limit"), Column("resets differ by")),
    ]
    return Table("Hosts named as sender", columns, rows, below if left_out else "")


def _host_cells(sender: Sender) -> list[Cell]:
    verdicts = tuple(f"{share.resets:,} {share.name}" for share in sender.by_verdict if share.resets)
    deltas = _few(f"{delta:+d}" if delta else "0" for delta in sender.hop_deltas)
    return [sender.address, verdicts, _few(map(str, sender.hop_baselines)) or "not known", deltas or "not known"]


def _captures(summary: Summary, layout: Layout) -> Table:
    ranked = sorted(summary.captures, key=lambda capture: (-capture.accused, -capture.resets))
    rows = [_capture_cells(capture, layout.clock) for capture in ranked[: layout.rows]]
    left_out = ranked[layout.rows :]
    accused = sum(1 for capture in left_out if capture.accused)
    below = f"{plural(len(left_out), 'more capture')}, {accused:,} of them with forged resets; --top N shows more"
    columns = [
        *(Column("capture", cut=26, fixed=True), Column("packets", right=True), Column("resets", right=True)),
        *(Column("forged", right=True), Column("not judged", right=True), Column(f"first reset ({layout.clock.zone})")),
    ]
    return Table("Captures", columns, rows, below if left_out else "")


def _capture_cells(capture: CaptureCounts, clock: Clock) -> list[Cell]:
    if not capture.readable:
        return [capture.name, "not read", "", "", "", ""]
    if capture.copy_of:
        return [(capture.name, "is a copy of", capture.copy_of), "", "", "", "", ""]
    return [
        capture.name,
        "not counted" if capture.packets is None else f"{capture.packets:,}",
        *(f"{count:,}" for count in (capture.resets, capture.accused, capture.unclear)),
        "" if capture.first is None else clock.in_table(capture.first),
    ]


def _rejectors(summary: Summary, layout: Layout) -> Table:
    sources = summary.icmp_error_sources
    columns = [
        *(Column("rejected by", cut=20, fixed=True), Column("origin"), Column("errors")),
        *(Column("hops"), Column("probe came"), Column("message")),
    ]
    left_out = len(sources) - layout.rows
    below = f"{plural(left_out, 'more address')}; --top N shows more" if left_out > 0 else ""
    return Table(
        "ICMP errors: who rejected", columns, [_rejector_cells(source) for source in sources[: layout.rows]], below
    )


def _rejector_cells(source: IcmpErrorSource) -> list[Cell]:
    return [
        source.address,
        source.origin,
        tuple(f"{count:,} {verdict}" for verdict, count in source.verdicts.items()),
        _few(map(str, source.distances)) or "not known",
        f"{_few(map(str, source.travelled))} hops" if source.travelled else "not known",
        tuple(f"{count:,} {name}" for name, count in [*source.names.items()][:VALUES_SHOWN]),
    ]


def _error(error: JudgedReset, layout: Layout) -> Item:
    row = error.row
    head = f"Frame {row.frame} of {row.capture}: {row.verdict}, suspicion {row.suspicion} of 100"
    moment = layout.clock.moment(row.time, _MILLISECONDS)
    return Item(head, [f"{rejection_text(error)}, {moment}", *error.words, Code("Wireshark filter:", row.flow)])


def _in_order(by_verdict: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((verdict.value, by_verdict[verdict]) for verdict in Verdict if by_verdict.get(verdict))


def _few(texts: Iterable[str]) -> str:
    values = [*texts]
    return ", ".join([*values[:VALUES_SHOWN], *(["..."] if len(values) > VALUES_SHOWN else [])])


def _frames(frames: Sequence[int]) -> str:
    more = ", ..." if len(frames) > _FRAMES_SHOWN else ""
    return f"frame{'' if len(frames) == 1 else 's'} {', '.join(map(str, frames[:_FRAMES_SHOWN]))}{more}"
