"""`rstorigin summarize`: judge every reset and ICMP error of captures and exports, and sum up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.rulebook.model import Rulebook, load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, Tshark, find_tshark
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import FOUND, SOME_FAILED, WRONG_USAGE
from postproc.cli.inputs import paths_to_explain
from postproc.cli.messages import print_message, print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    LocalOption,
    OutputOption,
    PathsArgument,
    RulebookOption,
    SummaryFormat,
    TsharkTimeoutOption,
    WideOption,
)
from postproc.cli.progress import TerminalMonitor, progress
from postproc.cli.selection_options import (
    FailOnOption,
    FlowOption,
    HostOption,
    KindOption,
    OnlyOption,
    PortOption,
    QuietOption,
    SinceOption,
    UntilOption,
)
from postproc.report import formats, log_formats
from postproc.report.screen import Screen, screen_of_stdout
from postproc.report.selection import Selection, condition, select, verdicts_named
from postproc.report.summary import Summary, summarise
from postproc.report.summary_sections import Layout
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.clock import Clock
from postproc.runtime.errors import UsageError
from postproc.runtime.output_folder import check_folder

# Formats that have no place for what was selected.
_ROWS = (SummaryFormat.CSV, SummaryFormat.JSONL, SummaryFormat.ECS, SummaryFormat.ZEEK)

_RESETS_SHOWN, _ROWS_SHOWN = 3, 10  # without --top: resets described, rows of each table


class Flows(StrEnum):
    """The flows that the table of flows holds."""

    WITH_RESETS = "with-resets"
    ALL = "all"


def summarize(
    ctx: typer.Context,
    paths: PathsArgument,
    only: OnlyOption = None,
    host: HostOption = None,
    flow: FlowOption = None,
    port: PortOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    kind: KindOption = None,
    format_: Annotated[
        SummaryFormat,
        typer.Option(
            "--format",
            help="table, markdown: the summary; csv, jsonl: a row for each reset or ICMP error; json: everything; "
            "ecs: rows with fields of Elastic Common Schema, as JSON lines; zeek: rows as a log of Zeek.",
        ),
    ] = SummaryFormat.TABLE,
    rulebook: RulebookOption = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=0,
            metavar="N",
            help="How many resets and rows of each table to show, the most suspicious first (default: 3 and 10).",
        ),
    ] = None,
    local_time: LocalOption = False,
    wide: WideOption = False,
    quiet: QuietOption = False,
    fail_on: FailOnOption = None,
    output: OutputOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Also write tables of resets, flows, hosts and captures into this folder, as Parquet and CSV.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --out replace a folder that holds other files.")] = False,
    flows: Annotated[
        Flows, typer.Option("--flows", help="The flows that --out writes. For all flows, every packet must be read.")
    ] = Flows.WITH_RESETS,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    tshark_timeout: TsharkTimeoutOption = DEFAULT_TIMEOUT_S,
    compare_peers: Annotated[
        bool,
        typer.Option(
            "--reconcile/--no-reconcile", help="Compare with captures of the same traffic from the other end."
        ),
    ] = True,
    prefilter: Annotated[
        bool, typer.Option("--prefilter/--no-prefilter", help="Give tshark only the packets that need it.")
    ] = True,
    decode_as: DecodeAsOption = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Judge on the workers of this Dask scheduler. local: start workers here.",
        ),
    ] = None,
    from_plugin: Annotated[
        bool,
        typer.Option(
            "--from-plugin",
            help="Let the Wireshark plugin judge, inside tshark. Captures only. Column `flow` then names no frames: it "
            "also selects other connections that used the same ports.",
        ),
    ] = False,
) -> None:
    """Judge every TCP reset and ICMP error: did the host that it names send it, or another device?"""
    if flows is Flows.ALL and out is None:
        raise UsageError("--flows chooses the flows that --out writes: name a folder with --out")
    if quiet and format_ is not SummaryFormat.TABLE:
        raise UsageError(f"--quiet prints the answer alone, --format {format_} more: leave one of them out")
    selection = Selection(
        only=tuple(only or ()),
        host=tuple(host or ()),
        flow=tuple(flow or ()),
        port=tuple(port or ()),
        since=since,
        until=until,
        kind=kind,
    )
    condition(selection)  # reports mistakes before anything is read
    failing = verdicts_named(fail_on or (), "--fail-on")
    if flows is Flows.ALL and not selection.is_empty:
        raise UsageError("--flows all writes every flow: leave it out, or the options that select resets")
    if from_plugin and out is not None:
        raise UsageError("--from-plugin cannot write the tables of --out: leave one of them out")
    monitor = TerminalMonitor()
    local = [Path(path) for path in paths if not is_url(path)]
    case = case_settings(local)
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    found = ctx.with_resource(inputs_at(paths, monitor))
    if not found.files:
        print_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        check_not_input(output, inputs)
    if out is not None:
        check_folder(out, [*inputs, *local], force=force)
    if from_plugin:
        tshark = with_decode_as(find_tshark(), (*case.file.decode_as, *(decode_as or ())))
        results = list(_by_plugin(found.files, rules, replace(tshark, timeout_s=tshark_timeout)))
    else:
        options = RunOptions(
            jobs=jobs,
            use_cache=use_cache,
            prefilter=prefilter,
            all_flows=flows is Flows.ALL,
            with_flows=out is not None,
            compare_peers=compare_peers,
            cluster=cluster,
            decode_as=tuple(decode_as or ()),
            cache_dir=cache_dir,
            tshark_timeout_s=tshark_timeout,
        )
        results, _ = CaseRun(rules, case.file, options, monitor).judge(found.files)
    selected = None
    if not selection.is_empty:
        results, selected = select(results, selection)
    summary = summarise(results, rules, _RESETS_SHOWN if top is None else top, found.problems, selected)
    print_problems(summary.problems)
    if out is not None:
        from postproc.report import tables  # slow to import

        content = tables.tables(summary, results, case.file)
        tables.write_tables(out, content, rules, [*inputs, *local], force=force)
    if selected and format_ in _ROWS:
        print_message(str(selected))
    layout = Layout(_ROWS_SHOWN if top is None else top, wide, Clock(local_time), paths_to_explain(found.files))
    screen = Screen(None if wide else Screen().width) if output else screen_of_stdout(wide=wide)
    if quiet:
        text = formats.answer_alone(summary, layout.clock, screen)
    else:
        text = _rendered(summary, format_, rules, layout, screen)
    write_result(text, output, inputs)
    if any(row.verdict in failing for row in summary.rows):
        raise typer.Exit(FOUND)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


def _by_plugin(sources: Sequence[Source], rules: Rulebook, tshark: Tshark) -> Iterator[CaptureResult]:
    from postproc.batch.plugin_engine import installed_plugin  # slow to import

    with installed_plugin(tshark, rules) as plugin, progress("judging resets", len(sources)) as report:
        for done, source in enumerate(sources, 1):
            yield plugin.judge(source)
            report(done)


def _rendered(summary: Summary, format_: SummaryFormat, rulebook: Rulebook, layout: Layout, screen: Screen) -> str:
    match format_:
        case SummaryFormat.TABLE:
            return formats.table(summary, rulebook, layout, screen)
        case SummaryFormat.MARKDOWN:
            return formats.markdown(summary, rulebook, layout)
        case SummaryFormat.CSV:
            return formats.rows_csv(summary.rows)
        case SummaryFormat.JSONL:
            return formats.rows_jsonl(summary.rows)
        case SummaryFormat.JSON:
            return formats.whole_json(summary, layout.clock)
        case SummaryFormat.ECS:
            return log_formats.rows_ecs(summary.rows)
        case SummaryFormat.ZEEK:
            return log_formats.rows_zeek(summary.rows)
