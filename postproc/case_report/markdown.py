"""The report as Markdown, for a ticket, with its charts as SVG files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from postproc.case_report.charts import Chart
from postproc.case_report.content import Content, SenderSection
from postproc.case_report.drawing import as_file, draw
from postproc.case_report.html import Origin
from postproc.report.icmp_summary import rejection_text
from postproc.runtime.atomic_file import whole_file
from postproc.runtime.clock import IN_UTC
from postproc.runtime.text import cut_in_the_middle, escape_markdown, markdown_code, plural
from postproc.verdicts.result_row import JudgedReset

_LONGEST = 300  # characters of one text


def write_markdown(content: Content, origin: Origin, target: Path, inputs: Sequence[Path]) -> None:
    """Write the pictures first, as `NAME-CHART.svg` beside `target` (`NAME.md`), then the text that shows them."""
    for chart in content.every_chart:
        with whole_file(picture_of(target, chart), inputs) as file:
            file.write(as_file(draw(chart)))
    with whole_file(target, inputs) as file:
        file.write(("\n\n".join(_parts(content, origin, target)) + "\n").encode())


def picture_of(target: Path, chart: Chart) -> Path:
    """The file of a chart."""
    return target.with_name(f"{target.stem}-{chart.name}.svg")


def _parts(content: Content, origin: Origin, target: Path) -> Iterator[str]:
    def picture(chart: Chart | None) -> Iterator[str]:
        if chart is not None:
            # Angle brackets: the name of the file may hold spaces.
            name = picture_of(target, chart).name.replace("<", "%3C").replace(">", "%3E")
            yield f"![{_safe(chart.title)}](<{name}>)"
            yield _safe(chart.caption)

    yield f"# {_safe(content.title)}"
    yield from filter(None, [_safe(content.notes)])
    yield "\n".join(f"- {_safe(sentence)}" for sentence in content.answer)
    if content.to_do:
        yield "## What you can do"
        yield "\n".join(f"- {_safe(sentence)}" for sentence in content.to_do)
    yield _safe(content.read)
    yield from picture(content.timeline)
    for sender in content.senders:
        yield from _sender(sender)
        for chart in sender.charts:
            yield from picture(chart)
    for chart in content.charts:
        yield from picture(chart)
    for pair in content.two_ended:
        left = f"{plural(pair.never_left, 'reset')} never left the named sender, {pair.left:,} did"
        yield f"{_safe(pair.capture)} against {_safe(pair.peer)}: {left}."
    if content.log is not None:
        yield "## The log compared with the packets"
        yield _safe(content.log.answer)
        yield " ".join(map(_safe, [content.log.log, *content.log.clocks]))
        lines = [f"- Line {each.line}, {_safe(each.ends)}: {_safe(each.says)}" for each in content.log.contradicted]
        yield from filter(None, ["\n".join(lines)])
        if content.log.left_out:
            yield f"{content.log.left_out:,} more: rstorigin reconcile --log FILE --top N shows them."
    if content.summary.errors:
        yield "## ICMP errors"
        yield from picture(content.icmp_chart)
        errors = content.summary.suspicious_errors
        yield from filter(None, ["\n".join(f"- {_safe(rejection_text(error))}" for error in errors)])
    yield "## How it was made"
    yield "\n".join(
        [
            *(f"- {_safe(label)}: {_safe(text)}" for label, text in origin.versions),
            *(f"- {_safe(label)}: {markdown_code(command)}" for label, command in origin.commands),
        ]
    )


def _sender(sender: SenderSection) -> Iterator[str]:
    yield f"## {_safe(sender.title)}"
    yield "\n".join(f"- {_safe(label)}: {_safe(text)}" for label, text in sender.facts)
    yield "\n".join(
        [f"{_safe(_example(sender.example))}", "", *(f"- {_safe(words)}" for words in sender.example.words)]
    )
    yield f"Display filter: {markdown_code(sender.filter)}"


def _example(reset: JudgedReset) -> str:
    row = reset.row
    return (
        f"Example: frame {row.frame} of {row.capture}, {IN_UTC.moment(row.time)}, {row.verdict}, "
        f"suspicion {row.suspicion} of 100, {row.src} port {row.sport} to {row.dst} port {row.dport}"
    )


def _safe(text: str) -> str:
    return escape_markdown(cut_in_the_middle(text, _LONGEST))
