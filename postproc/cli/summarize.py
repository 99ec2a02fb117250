"""`rstorigin summarize`: judge every reset of captures and exports, and sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from heuristics.rulebook import Rulebook
from postproc import outputs, tshark
from postproc.atomic import spare
from postproc.cli.messages import SOME_FAILED, WRONG_USAGE, messages, tell_problems, write_result
from postproc.cli.options import Format, RulebookOption, load_rules
from postproc.from_plugin import installed_plugin
from postproc.sources import Source, find_sources
from postproc.summary import Summary, summarise
from postproc.task import Judged, judge_source, needs_tshark


def summarize(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Captures, exports, and folders that hold some at any depth."),
    ],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="table, markdown: the summary; csv, jsonl: a row per reset or ICMP error; json: everything.",
        ),
    ] = Format.TABLE,
    rulebook: RulebookOption = None,
    top: Annotated[
        int,
        typer.Option("--top", min=0, metavar="N", help="How many of the most suspicious resets and senders to show."),
    ] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write, instead of stdout.")
    ] = None,
    from_plugin: Annotated[
        bool, typer.Option("--from-plugin", help="Let the Wireshark plugin judge, inside tshark. Captures only.")
    ] = False,
) -> None:
    """Judge every TCP reset and ICMP error: did the host send it that it names, or something in between?"""
    rules = load_rules(rulebook)
    found = find_sources(paths)
    if not found.files:
        tell_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files] + ([rulebook] if rulebook else [])
    if out is not None:
        spare(out, inputs)
    with _judge(found.files, rules, from_plugin=from_plugin) as judge:
        console = messages()
        shown = track(found.files, "judging resets", console=console, transient=True, disable=not console.is_terminal)
        judged = [judge(source) for source in shown]
    summary = summarise(judged, rules, top, found.problems)
    tell_problems(summary.problems)
    write_result(_written(summary, format_, top), out, inputs)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _judge(sources: Sequence[Source], rulebook: Rulebook, *, from_plugin: bool) -> Iterator[Callable[[Source], Judged]]:
    """What judges one source: the plugin, or we ourselves. tshark is looked for only where it is needed."""
    if from_plugin:
        with installed_plugin(tshark.find(), rulebook) as plugin:
            yield plugin.judge
        return
    found = tshark.find() if any(map(needs_tshark, sources)) else None
    yield partial(judge_source, rulebook=rulebook, tshark=found)


def _written(summary: Summary, format_: Format, top: int) -> str:
    match format_:
        case Format.TABLE:
            return outputs.table(summary, senders=top)
        case Format.MARKDOWN:
            return outputs.markdown(summary, senders=top)
        case Format.CSV:
            return outputs.rows_csv(summary.rows)
        case Format.JSONL:
            return outputs.rows_jsonl(summary.rows)
        case Format.JSON:
            return outputs.whole_json(summary)
