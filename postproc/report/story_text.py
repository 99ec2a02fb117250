"""A story as text, Markdown or JSON. All text from packets, file names and rulebooks is escaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from tabulate import tabulate

from heuristics.errors import visible
from postproc.capture.tshark.fields_export import readable
from postproc.report.field_comparison import Comparison
from postproc.report.icmp_story import IcmpStory
from postproc.report.observable_lines import observables_text
from postproc.report.phases import phase
from postproc.report.story import LeftOut, Step, Story
from postproc.runtime.clock import IN_UTC, Clock
from postproc.runtime.text import escape_markdown, markdown_code, plural, shell_command
from postproc.verdicts.result_row import ResetRow

_OF_SENDER = 50  # resets of the same sender that text and Markdown list
_MICROSECONDS = 6  # decimals of the time of the reset
_ARROW = 44  # characters from end to end
_FLOW_FIELDS = {
    "ip": ("frame.number", "frame.time_relative", "ip.src", "ip.ttl", "tcp.flags.str"),
    "ipv6": ("frame.number", "frame.time_relative", "ipv6.src", "ipv6.hlim", "tcp.flags.str"),
}


class _Escaped(str):
    """Text that needs no further escaping."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class StoryOptions:
    """`capture` is the file that the commands name. `observables`: show them too."""

    capture: Path
    clock: Clock = IN_UTC
    observables: bool = False


def text(story: Story | IcmpStory, options: StoryOptions) -> str:
    """For a terminal."""
    return _written(story, options, "txt", visible, "simple")


def markdown(story: Story | IcmpStory, options: StoryOptions) -> str:
    """The same as a Markdown document, with the references of the evidence."""
    return _written(story, options, "md", escape_markdown, "pipe")


def whole_json(story: Story | IcmpStory, options: StoryOptions) -> str:
    """The story with all its fields, and the `commands` that show the packet."""
    return json.dumps(asdict(story) | {"commands": _commands(story, options.capture)}, indent=2)


def _written(
    story: Story | IcmpStory, options: StoryOptions, suffix: str, safe: Callable[[str], str], style: str
) -> str:
    """By the template of the kind of story, whose name ends in `suffix`."""
    common = {
        "story": story,
        "time": options.clock.moment(_row(story).time, _MICROSECONDS),
        "phase": phase(_row(story).stage),
        "commands": [_Escaped(command) for command in _commands(story, options.capture)],
        "observables": _Escaped(_visible_lines(observables_text(story.observables))) if options.observables else "",
    }
    if isinstance(story, IcmpStory):
        return _environment(safe).get_template(f"icmp_story.{suffix}.j2").render(common).rstrip("\n")
    of_story = {
        "ladder": _Escaped("\n".join(_ladder(story))),
        "comparison": _Escaped(_tabulated(story.comparison, safe, style)),
        "remarks": _remarks(story.comparison),
        "sum": _sum(story),
        "of_sender": _Escaped(_of_sender(story, safe, style, options.clock)) if story.of_sender else "",
    }
    return _environment(safe).get_template(f"story.{suffix}.j2").render(common | of_story).rstrip("\n")


def _row(story: Story | IcmpStory) -> ResetRow:
    return story.error if isinstance(story, IcmpStory) else story.reset


def _visible_lines(text_: str) -> str:
    """Several lines, each harmless."""
    return "\n".join(map(visible, text_.split("\n")))


@cache
def _environment(safe: Callable[[str], str]) -> Environment:
    """Templates that pass every value through `safe`, unless it is _Escaped."""
    environment = Environment(
        loader=PackageLoader("postproc.report"),
        autoescape=False,  # not HTML
        finalize=lambda value: value if isinstance(value, _Escaped) else safe(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = lambda value: _Escaped(markdown_code(value))
    return environment


def _ladder(story: Story) -> list[str]:
    """A line with an arrow for each packet."""
    lines = [f"{'frame':>7} {'time s':>13}  A{'B':>{_ARROW + 3}}  hop limit"]
    for step in story.ladder:
        if isinstance(step, LeftOut):
            lines.append(f"{'...':>7} {'':>13}  {f'{step.packets_left_out:,} more packets':^{_ARROW + 4}}".rstrip())
            continue
        note = f"  {step.note}" if step.note else ""
        time = f"{step.time_us / 1_000_000:.6f}"
        hop_limit = "" if step.hop_limit is None else step.hop_limit
        lines.append(f"{step.frame:>7} {time:>13}  | {_arrow(step)} | {hop_limit:>9}{note}")
    return lines


def _arrow(step: Step) -> str:
    size = f", {plural(step.payload_len, 'byte')}" if step.payload_len else ""
    what = f" {'+'.join(step.flags) or 'no flags'}{size} ".center(_ARROW - 1, "-")
    return f"{what}>" if step.sender == "A" else f"<{what}"


def _tabulated(comparison: Comparison, safe: Callable[[str], str], style: str) -> str:
    headers = ["field", *(f"{column.title} (frame {column.frame})" for column in comparison.columns)]
    rows = [[line.field, *(value or "none" for value in line.values), line.note] for line in comparison.lines]
    if len(comparison.columns) == 1:
        rows = [row[:-1] for row in rows]
    else:
        headers.append("")
    cells = [[safe(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=headers, tablefmt=style, disable_numparse=True)


def _remarks(comparison: Comparison) -> Sequence[str]:
    remarks = []
    if len(comparison.columns) == 1:
        remarks.append("The capture holds no other packet of its named sender to put beside it.")
    if comparison.lacking:
        remarks.append(f"Not in these packets, or not to be read: {', '.join(comparison.lacking)}.")
    return remarks


def _of_sender(story: Story, safe: Callable[[str], str], style: str, clock: Clock) -> str:
    """The resets of the same presumed sender as a table."""
    rows = [
        [str(row.frame), clock.in_table(row.time), safe(row.src), safe(row.dst), row.verdict, str(row.suspicion)]
        for row in story.of_sender[:_OF_SENDER]
    ]
    headers = ["frame", f"time ({clock.zone})", "named sender", "to", "verdict", "suspicion"]
    shown = tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)
    more = len(story.of_sender) - len(rows)
    return f"{shown}\n\n{more:,} more: --format json has all" if more > 0 else shown


def _sum(story: Story) -> str:
    weights = [evidence.weight for evidence in (*story.against, *story.in_favour)]
    terms = "".join(f" {weight:+d}" for weight in weights)
    return (
        f"Score: {story.prior}{terms} = {story.score}, a suspicion of {story.reset.suspicion} of 100. Every reset "
        f"starts at {story.prior}; +70 doubles the odds that another device sent it, -70 halves them."
    )


def _commands(story: Story | IcmpStory, capture: Path) -> list[str]:
    """Shell commands that show the reset in full, and its flow with the hop limits."""
    columns = _FLOW_FIELDS["ipv6" if ":" in _row(story).src else "ip"]
    fields = [word for field in columns for word in ("-e", field)]
    command = partial(_command, ["tshark", "-n", "-r", readable(capture), "-Y"])
    return [command([story.packet_filter, "-V"]), command([story.flow_filter, "-T", "fields", *fields])]


def _command(start: Sequence[str], end: Sequence[str]) -> str:
    return shell_command([*start, *end])
