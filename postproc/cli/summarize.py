"""`rstorigin summarize`: judge every reset of captures and exports, and sum up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.rulebook.model import Rulebook, load
from postproc.batch.job import Judged
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.capture.tshark import program as tshark
from postproc.case.run import Run, case_of, find_all
from postproc.cli.messages import SOME_FAILED, WRONG_USAGE, tell_problems, write_result
from postproc.cli.options import CacheOption, Format, JobsOption, OutputOption, PathsArgument, RulebookOption
from postproc.cli.progress import progress
from postproc.report import formats as outputs
from postproc.report.summary import Summary, summarise
from postproc.runtime.atomic_file import spare
from postproc.runtime.errors import UsageError
from postproc.runtime.output_folder import check_folder


class Flows(StrEnum):
    """Which flows the flows table has."""

    WITH_RESETS = "with-resets"
    ALL = "all"


def summarize(
    paths: PathsArgument,
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
    output: OutputOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write resets, flows, hosts and captures as Parquet and CSV."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --out replace a folder that holds other files.")] = False,
    flows: Annotated[
        Flows, typer.Option("--flows", help="Which flows --out writes; all of them means reading every packet.")
    ] = Flows.WITH_RESETS,
    jobs: JobsOption = 0,
    keep: CacheOption = True,
    witnesses: Annotated[
        bool,
        typer.Option(
            "--reconcile/--no-reconcile", help="Ask captures of the same traffic at the other end what left there."
        ),
    ] = True,
    prefilter: Annotated[
        bool, typer.Option("--prefilter/--no-prefilter", help="Ask tshark only about packets that need it.")
    ] = True,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Judge on this Dask scheduler's workers; local: start some."),
    ] = None,
    from_plugin: Annotated[
        bool,
        typer.Option(
            "--from-plugin",
            help="Let the Wireshark plugin judge, inside tshark. Captures only; `flow` names no frames then, so that "
            "it does not tell apart connections that used the same ports.",
        ),
    ] = False,
) -> None:
    """Judge every TCP reset and ICMP error: did the host send it that it names, or something in between?"""
    if flows is Flows.ALL and out is None:
        raise UsageError("--flows is about a table of --out: name a folder for it")
    if from_plugin and out is not None:
        raise UsageError("--from-plugin fills no tables: leave it out, or --out")
    local = [Path(path) for path in paths if not is_url(path)]
    case = case_of(local)
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    found = find_all(paths)
    if not found.files:
        tell_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        spare(output, inputs)
    if out is not None:
        check_folder(out, [*inputs, *local], force=force)
    if from_plugin:
        judged = list(_by_plugin(found.files, rules))
    else:
        run = Run(rules, case.file, jobs, keep, flows is Flows.ALL, witnesses, prefilter, cluster, out is not None)
        judged, _ = run.judge(found.files)
    summary = summarise(judged, rules, top, found.problems)
    tell_problems(summary.problems)
    if out is not None:
        from postproc.report import tables  # slow to import

        content = tables.tables(summary, judged, case.file)
        tables.write_tables(out, content, rules, [*inputs, *local], force=force)
    write_result(_written(summary, format_, top), output, inputs)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


def _by_plugin(sources: Sequence[Source], rules: Rulebook) -> Iterator[Judged]:
    from postproc.batch.plugin_engine import installed_plugin  # slow to import

    with installed_plugin(tshark.find(), rules) as plugin, progress("judging resets", len(sources)) as report:
        for done, source in enumerate(sources, 1):
            yield plugin.judge(source)
            report(done)


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
