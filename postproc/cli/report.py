"""`rstorigin report`: a page about a whole case, to be sent to others."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from heuristics.rulebook.model import Rulebook, load
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.case_report.content import Results, content
from postproc.case_report.hop_limits import ordinary_hop_limits
from postproc.case_report.html import Origin, html
from postproc.cli.exit_status import SOME_FAILED, WRONG_USAGE
from postproc.cli.messages import print_message, print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    LogFormatOption,
    LogTimezoneOption,
    PathsArgument,
    RulebookOption,
)
from postproc.cli.progress import TerminalMonitor
from postproc.cli.reconcile_log import check_stdin, comparison_with, for_log
from postproc.report.summary import Summary, summarise
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import TsharkError, UsageError
from postproc.runtime.text import shell_command
from postproc.runtime.versions import own_version

_TOP = 10


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "markdown"


def report(
    ctx: typer.Context,
    paths: PathsArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    format_: Annotated[
        ReportFormat,
        typer.Option("--format", help="html: one file; markdown: for a ticket, with its pictures (SVG) beside it."),
    ] = ReportFormat.HTML,
    rulebook: RulebookOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    decode_as: DecodeAsOption = None,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", help="Compare this session log with the packets too, as reconcile --log does."
        ),
    ] = None,
    log_format: LogFormatOption = None,
    log_timezone: LogTimezoneOption = "UTC",
) -> None:
    """Write a report to send: the answer, who sent the resets, charts, a table of all resets, method and limits.

    The HTML file needs no network and no other file. Its times are in UTC.
    """
    check_stdin(paths, log)
    local = [Path(path) for path in paths if not is_url(path)]
    case = case_settings(local)
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    monitor = TerminalMonitor()
    found = ctx.with_resource(inputs_at(paths, monitor))
    if not found.files:
        print_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files if source.url is None] + overlays
    options = RunOptions(jobs=jobs, use_cache=use_cache, cache_dir=cache_dir, decode_as=tuple(decode_as or ()))
    compare_log = None
    if log is not None:
        inputs.append(log)
        compare_log = ctx.with_resource(comparison_with(log, log_format, log_timezone, monitor))
        options = for_log(options)
    elif log_format:
        raise UsageError("--log-format needs a log: name it with --log")
    check_not_input(output, inputs)
    judged, comparisons = CaseRun(rules, case.file, options, monitor).judge(found.files)
    logged, log_problems = compare_log(judged) if compare_log else (None, [])
    summary = summarise(judged, rules, _TOP, [*found.problems, *log_problems])
    print_problems(summary.problems)
    if not summary.totals.captures:
        print_message("no report is written: nothing could be read")
        raise typer.Exit(WRONG_USAGE)
    tshark = _tshark([*case.file.decode_as, *(decode_as or ())])

    def read_hop_limits(captures: Sequence[str], hosts: Sequence[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
        wanted = [source for source in found.files if source.name in captures]
        return ordinary_hop_limits(wanted, hosts, tshark)

    names = [source.name for source in found.files]
    result = content(Results(summary, judged, comparisons, names, case.file, rules, logged), read_hop_limits)
    log_words = [] if log is None else ["--log", str(log), "--log-timezone", log_timezone]
    log_words += ["--log-format", log_format] if log_format else []
    origin = Origin(_versions(rules, tshark), _commands(paths, found.files, summary, output, rulebook, log_words))
    if format_ is ReportFormat.HTML:
        write_result(html(result, origin), output, inputs)
    else:
        from postproc.case_report.markdown import write_markdown  # rarely needed

        write_markdown(result, origin, output, inputs)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


def _tshark(decode_as: Sequence[str]) -> Tshark | None:
    """The tshark of this machine with these rules; None where there is none, as a case of exports alone needs none."""
    try:
        return with_decode_as(find_tshark(), decode_as)
    except TsharkError:
        return None


def _versions(rules: Rulebook, tshark: Tshark | None) -> list[tuple[str, str]]:
    return [
        ("rstorigin", own_version()),
        ("tshark", ".".join(map(str, tshark.version)) if tshark else "none on this machine"),
        ("rulebook", f"{rules.header.name} version {rules.header.version}, SHA-256 {rules.hash}"),
    ]


def _commands(
    paths: Sequence[str],
    sources: Sequence[Source],
    summary: Summary,
    output: Path,
    rulebook: Path | None,
    log_words: Sequence[str],
) -> list[tuple[str, str]]:
    """Commands that repeat the report, and that explain the most suspicious reset."""
    more = [] if rulebook is None else ["--rulebook", str(rulebook)]
    commands = [
        ("this report", shell_command(["rstorigin", "report", *paths, *more, *log_words, "-o", str(output)])),
        ("all resets as a table", shell_command(["rstorigin", "summarize", *paths, *more, "--format", "csv"])),
    ]
    if summary.suspicious:
        row = summary.suspicious[0].reset.row
        path = next((source.label for source in sources if source.name == row.capture), row.capture)
        words = ["rstorigin", "explain", path, "--frame", str(row.frame), *more]
        commands.append(("the most suspicious reset, explained", shell_command(words)))
    return commands
