"""What a report says: the results of a case, put into the order in which a reader asks. How it looks is elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from heuristics.presumed_sender import Who
from heuristics.rulebook.model import Rulebook
from postproc.batch.job import CaptureResult
from postproc.case.case_file import CaseFile
from postproc.case.peer_captures import Comparison
from postproc.case_report import charts
from postproc.case_report.charts import Chart
from postproc.case_report.log_findings import LogFindings, log_findings
from postproc.report.answer import percent_text, place_of, surge_text
from postproc.report.capture_places import capture_places
from postproc.report.presumed_senders import PresumedSender, resets_by_sender
from postproc.report.rulebook_entries import RulebookEntries
from postproc.report.sections import Paragraph
from postproc.report.summary import Summary
from postproc.report.summary_sections import answer_sections
from postproc.runtime.clock import IN_UTC
from postproc.runtime.text import plural
from postproc.session_log.comparison import LogComparison
from postproc.verdicts.reconcile_result import LEFT_SENDER, NEVER_LEFT
from postproc.verdicts.result_row import JudgedReset, ResetRow

_TITLE = "TCP resets: who sent them"
_TO_DO = 5  # things to do that the first screen names
_SURGES = 20  # that have a sentence
_SENDERS = 20  # presumed senders with a section of their own
_HOSTS_OF_SENDER, _HOSTS = 2, 8  # whose hop limits are drawn: of one sender, of all
_VALUES = 12  # names, ports or hop limits in one line

ReadHopLimits = Callable[[Sequence[str], Sequence[str]], tuple[pl.DataFrame, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class SenderSection:
    """One presumed sender: facts as labels and texts, charts, and the reset that shows best what it did."""

    title: str
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    example: JudgedReset
    filter: str


@dataclass(frozen=True, slots=True)
class TwoEnded:
    """What a capture taken at a sender shows of the resets of another capture."""

    capture: str
    peer: str
    never_left: int
    left: int
    offset: str


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a report shows. `answer`, `to_do` and `surges` are sentences, `read` says what was read.

    `senders` have sections; `others` counts those that have none. `unread` are captures whose ordinary packets are
    missing in the charts of hop limits.
    """

    title: str
    notes: str
    answer: tuple[str, ...]
    read: str
    to_do: tuple[str, ...]
    timeline: Chart | None
    surges: tuple[str, ...]
    senders: tuple[SenderSection, ...]
    others: int
    charts: tuple[Chart, ...]
    icmp_chart: Chart | None
    two_ended: tuple[TwoEnded, ...]
    log: LogFindings | None
    summary: Summary
    unread: tuple[str, ...]

    @property
    def every_chart(self) -> tuple[Chart, ...]:
        """All charts, in the order of the report."""
        first, last = (tuple(filter(None, [each])) for each in (self.timeline, self.icmp_chart))
        return (*first, *(chart for sender in self.senders for chart in sender.charts), *self.charts, *last)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a run, with the names of its inputs, and the session log compared with them, if there is one."""

    summary: Summary
    judged: Sequence[CaptureResult]
    comparisons: Sequence[Comparison]
    names: Sequence[str]
    case: CaseFile
    rulebook: Rulebook
    logged: LogComparison | None = None


def content(results: Results, read_hop_limits: ReadHopLimits) -> Content:
    """The content of the report. `read_hop_limits` gets captures and hosts, and gives what hop_limits.py reads."""
    summary = results.summary
    answer, read = [section.sentences for section in answer_sections(summary, IN_UTC) if isinstance(section, Paragraph)]
    rows = [reset.row for reset in summary.resets]
    senders, unread = _sender_sections(results, read_hop_limits)
    entries = RulebookEntries(results.rulebook)
    measured = [row for row in rows if entries.measures(row.where)]  # where the hop limit is a measure of distance
    whole = (charts.distances(measured), charts.silences(rows), charts.causes(summary.causes))
    return Content(
        title=results.case.name or _TITLE,
        notes=results.case.notes or "",
        answer=tuple(answer),
        read=" ".join(read),
        to_do=tuple(_to_do(summary)),
        timeline=charts.timeline(rows, [(surge.begin, surge.end) for surge in summary.surges]),
        surges=tuple(f"Surge {surge_text(surge, IN_UTC)}" for surge in summary.surges[:_SURGES]),
        senders=senders,
        others=max(len([each for each in summary.presumed_senders if _has_section(each)]) - _SENDERS, 0),
        charts=tuple(filter(None, whole)),
        icmp_chart=charts.icmp_timeline([error.row for error in summary.errors]),
        two_ended=tuple(_two_ended(results)),
        log=None if results.logged is None else log_findings(results.logged),
        summary=summary,
        unread=unread,
    )


def _to_do(summary: Summary) -> list[str]:
    """What a reader can do, first about what is suspect, then about the rest, then to be surer."""
    suspect = [tally for tally in summary.causes if tally.accused]
    tallies = [*suspect, *summary.not_judged, *(tally for tally in summary.causes if not tally.accused)]
    actions: dict[str, list[str]] = {}
    for tally in tallies:
        if tally.do:
            actions.setdefault(tally.do, []).append(f"{tally.title} ({tally.resets:,})")
    return [f"{', '.join(causes)}: {do}" for do, causes in actions.items()][:_TO_DO]


def _has_section(sender: PresumedSender) -> bool:
    return sender.who in (Who.BETWEEN, Who.FRONT_END)


def _sender_sections(
    results: Results, read_hop_limits: ReadHopLimits
) -> tuple[tuple[SenderSection, ...], tuple[str, ...]]:
    senders = [sender for sender in results.summary.presumed_senders if _has_section(sender)][:_SENDERS]
    entries, places = RulebookEntries(results.rulebook), capture_places(results.judged)
    groups = resets_by_sender(results.summary.resets, entries, places).values()
    of_example = {id(reset): [each.row for each in group] for group in groups for reset in group}
    of_sender = [of_example[id(sender.example)] for sender in senders]
    drawn = {
        index: _most_accused(of_sender[index]) for index in range(len(senders)) if senders[index].who is Who.BETWEEN
    }
    hosts = list(dict.fromkeys(host for each in drawn.values() for host in each))[:_HOSTS]
    captures = list(dict.fromkeys(name for index in drawn for name in senders[index].captures))
    ordinary, unread = read_hop_limits(captures, hosts) if hosts else (pl.DataFrame(), ())
    numbers = iter(range(1, 1 + _HOSTS * len(senders)))
    sections = []
    for index, sender in enumerate(senders):
        of_hosts = [host for host in drawn.get(index, []) if host in hosts]
        found = (_hop_chart(host, sender, results.summary, ordinary, next(numbers)) for host in of_hosts)
        sections.append(_section(sender, of_sender[index], tuple(filter(None, found))))
    return tuple(sections), unread


def _most_accused(rows: Sequence[ResetRow]) -> list[str]:
    """The hosts in whose names most of the resets are."""
    return [host for host, _ in Counter(row.src for row in rows).most_common(_HOSTS_OF_SENDER)]


def _hop_chart(
    host: str, sender: PresumedSender, summary: Summary, ordinary: pl.DataFrame, number: int
) -> Chart | None:
    """All resets in the name of a host stand against its ordinary packets, where this sender was seen."""
    rows = [reset.row for reset in summary.resets if reset.row.src == host and reset.row.capture in sender.captures]
    usual = ordinary.filter(pl.col("src") == host, pl.col("capture").is_in(sender.captures))
    return charts.hop_limits(host, rows, usual, number)


def _section(sender: PresumedSender, rows: Sequence[ResetRow], drawn: tuple[Chart, ...]) -> SenderSection:
    hop_limits = sorted({row.hop_limit for row in rows if row.hop_limit is not None})
    device = f"{sender.device} ({percent_text(sender)} sure)" if sender.device else "not recognised"
    cause = Counter(row.cause for row in rows if row.cause).most_common(1)
    facts = (
        ("Resets", ", ".join(f"{count:,} {verdict}" for verdict, count in sender.by_verdict.items())),
        ("When", IN_UTC.span(sender.first, sender.last)),
        ("Device", device),
        ("Hop limits", _few(hop_limits)),
        ("In the name of", _few(sender.names)),
        ("Clients of these connections", _few(sender.clients)),
        ("Ports of the services", _few(sender.ports)),
        ("Seen in", _few(sender.captures)),
        *([("Probable cause", cause[0][0])] if cause else []),
    )
    title = "A front-end" if sender.who is Who.FRONT_END else place_of(sender)
    return SenderSection(
        title=f"{title}: {plural(sender.resets, 'reset')}",
        facts=facts,
        charts=drawn,
        example=sender.example,
        filter=_filter(hop_limits, {":" in row.src for row in rows}),
    )


def _filter(hop_limits: Sequence[int], six: set[bool]) -> str:
    """A display filter for resets with these hop limits."""
    values = ", ".join(map(str, hop_limits))
    fields = [name for name, wanted in (("ip.ttl", False), ("ipv6.hlim", True)) if wanted in six]
    either = " || ".join(f"{name} in {{{values}}}" for name in fields)
    return f"tcp.flags.reset == 1 && ({either})"


def _few(values: Sequence[object]) -> str:
    more = len(values) - _VALUES
    return ", ".join(map(str, values[:_VALUES])) + (f" and {more:,} more" if more > 0 else "")


def _two_ended(results: Results) -> Iterator[TwoEnded]:
    for comparison in results.comparisons:
        rules = Counter(each.rule_id for each in comparison.result.evidence)
        if not rules:
            continue
        offset = comparison.result.offset_us
        yield TwoEnded(
            capture=results.names[comparison.capture],
            peer=results.names[comparison.peer],
            never_left=rules[NEVER_LEFT],
            left=rules[LEFT_SENDER],
            offset="unknown" if offset is None else f"{offset / 1000:+,.1f} ms",
        )
