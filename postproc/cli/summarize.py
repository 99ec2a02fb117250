"""`rstorigin summarize`: judge every reset of captures and exports, and sum up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.rulebook.model import Rulebook, load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.capture.tshark.program import find_tshark
from postproc.case.run import CaseRun, RunOptions, case_settings, find_inputs
from postproc.cli.messages import SOME_FAILED, WRONG_USAGE, tell_problems, write_result
from postproc.cli.options import CacheOption, Format, JobsOption, OutputOption, PathsArgument, RulebookOption
from postproc.cli.progress import TerminalMonitor, progress
from postproc.report import formats
from postproc.report.summary import Summary, summarise
from postproc.runtime.atomic_file import check_not_input
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
    use_cache: CacheOption = True,
    compare_peers: Annotated[
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
    case = case_settings(local)
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    found = find_inputs(paths)
    if not found.files:
        tell_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        check_not_input(output, inputs)
    if out is not None:
        check_folder(out, [*inputs, *local], force=force)
    if from_plugin:
        results = list(_by_plugin(found.files, rules))
    else:
        options = RunOptions(
            jobs=jobs,
            use_cache=use_cache,
            prefilter=prefilter,
            all_flows=flows is Flows.ALL,
            with_flows=out is not None,
            compare_peers=compare_peers,
            cluster=cluster,
        )
        results, _ = CaseRun(rules, case.file, options, TerminalMonitor()).judge(found.files)
    summary = summarise(results, rules, top, found.problems)
    tell_problems(summary.problems)
    if out is not None:
        from postproc.report import tables  # slow to import

        content = tables.tables(summary, results, case.file)
        tables.write_tables(out, content, rules, [*inputs, *local], force=force)
    write_result(_written(summary, format_, top), output, inputs)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


def _by_plugin(sources: Sequence[Source], rules: Rulebook) -> Iterator[CaptureResult]:
    from postproc.batch.plugin_engine import installed_plugin  # slow to import

    with installed_plugin(find_tshark(), rules) as plugin, progress("judging resets", len(sources)) as report:
        for done, source in enumerate(sources, 1):
            yield plugin.judge(source)
            report(done)


def _written(summary: Summary, format_: Format, top: int) -> str:
    match format_:
        case Format.TABLE:
            return formats.table(summary, senders=top)
        case Format.MARKDOWN:
            return formats.markdown(summary, senders=top)
        case Format.CSV:
            return formats.rows_csv(summary.rows)
        case Format.JSONL:
            return formats.rows_jsonl(summary.rows)
        case Format.JSON:
            return formats.whole_json(summary)
