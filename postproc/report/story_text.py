"""A story as text, Markdown or JSON. All text from packets, file names and rulebooks is escaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from tabulate import tabulate

from heuristics.errors import visible
from postproc.capture.tshark.fields_export import readable
from postproc.report.field_comparison import Comparison
from postproc.report.story import LeftOut, Step, Story
from postproc.runtime.text import escape_markdown, markdown_code, plural, shell_command

_ARROW = 44  # characters from end to end
_FLOW_FIELDS = {
    "ip": ("frame.number", "frame.time_relative", "ip.src", "ip.ttl", "tcp.flags.str"),
    "ipv6": ("frame.number", "frame.time_relative", "ipv6.src", "ipv6.hlim", "tcp.flags.str"),
}


class _Escaped(str):
    """Text that needs no further escaping."""

    __slots__ = ()


def text(story: Story, capture: Path) -> str:
    """For a terminal. `capture` is the file that the commands name."""
    return _written(story, capture, "story.txt.j2", visible, "simple")


def markdown(story: Story, capture: Path) -> str:
    """The same as a Markdown document, with the references of the evidence."""
    return _written(story, capture, "story.md.j2", escape_markdown, "pipe")


def whole_json(story: Story, capture: Path) -> str:
    """The Story with all its fields, and the `commands` that show the reset."""
    return json.dumps(asdict(story) | {"commands": _commands(story, capture)}, indent=2)


def _written(story: Story, capture: Path, template: str, safe: Callable[[str], str], style: str) -> str:
    return (
        _environment(safe)
        .get_template(template)
        .render(
            story=story,
            time=_time(story.reset.time),
            ladder=_Escaped("\n".join(_ladder(story))),
            comparison=_Escaped(_tabulated(story.comparison, safe, style)),
            remarks=_remarks(story.comparison),
            sum=_sum(story),
            commands=[_Escaped(command) for command in _commands(story, capture)],
        )
        .rstrip("\n")
    )


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


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    except (OverflowError, ValueError, OSError):  # pcapng allows times after the year 9999
        return f"{seconds:.6f} seconds after 1970"


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


def _sum(story: Story) -> str:
    weights = [evidence.weight for evidence in (*story.against, *story.in_favour)]
    terms = "".join(f" {weight:+d}" for weight in weights)
    return (
        f"Score: {story.prior}{terms} = {story.score}, a suspicion of {story.reset.suspicion} of 100. Every reset "
        f"starts at {story.prior}; +70 doubles the odds that something in between sent it, -70 halves them."
    )


def _commands(story: Story, capture: Path) -> list[str]:
    """Shell commands that show the reset in full, and its flow with the hop limits."""
    columns = _FLOW_FIELDS["ipv6" if ":" in story.reset.src else "ip"]
    fields = [word for field in columns for word in ("-e", field)]
    command = partial(_command, ["tshark", "-n", "-r", readable(capture), "-Y"])
    return [command([story.packet_filter, "-V"]), command([story.flow_filter, "-T", "fields", *fields])]


def _command(start: Sequence[str], end: Sequence[str]) -> str:
    return shell_command([*start, *end])
