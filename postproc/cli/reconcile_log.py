"""`rstorigin reconcile --log`: a session log compared with the captures of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from heuristics.errors import Problem
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Sources
from postproc.capture.piped import STDIN, label_of, text_file
from postproc.case.case_file import CaseFile
from postproc.case.run import CaseRun, RunOptions
from postproc.cli.exit_status import FOUND, SOME_FAILED
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import TableFormat
from postproc.cli.progress import TerminalMonitor
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import UsageError
from postproc.runtime.text import plural

if TYPE_CHECKING:
    from postproc.session_log.comparison import LogComparison


class FailOn(StrEnum):
    """What makes the command end with exit status 3."""

    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The options of --log. `format_name` is a known format or the file of a column map, empty to recognise it."""

    log: Path
    format_name: str | None
    timezone: str
    fail_on: FailOn | None
    top: int
    output_format: TableFormat
    output: Path | None


def reconcile_log(
    found: Sources, case: CaseFile, overlays: Sequence[Path], run_options: RunOptions, options: LogOptions
) -> None:
    """Judge the captures, compare the log with them, and write the result."""
    from postproc.session_log.judgement import Result  # slow to import: Polars

    inputs = [options.log, *(source.path for source in found.files if source.url is None), *overlays]
    if options.output is not None:
        check_not_input(options.output, inputs)
    monitor = TerminalMonitor()
    with comparison_with(options.log, options.format_name, options.timezone, monitor) as compare:
        results, _ = CaseRun(load(overlays=overlays), case, for_log(run_options), monitor).judge(found.files)
        comparison, log_problems = compare(results)
    problems = [*found.problems, *(problem for result in results for problem in result.problems), *log_problems]
    print_problems(problems)
    write_result(_rendered(comparison, options), options.output, inputs)
    if options.fail_on and any(row.result == Result.CONTRADICTED for row in comparison.rows):
        raise typer.Exit(FOUND)
    if problems:
        raise typer.Exit(SOME_FAILED)


def check_stdin(paths: Sequence[str], *logs: Path | None) -> None:
    """Raise UsageError where captures and a log are both to be read from stdin."""
    if STDIN in paths and Path(STDIN) in logs:
        raise UsageError("stdin holds captures or the log, not both: name one of them as a file")


def for_log(options: RunOptions) -> RunOptions:
    """The options of a run whose results are compared with a log: with the table of all flows."""
    return replace(options, all_flows=True, with_flows=True)


Compare = Callable[[Sequence[CaptureResult]], tuple["LogComparison", list[Problem]]]


@contextmanager
def comparison_with(log: Path, format_name: str | None, timezone: str, monitor: TerminalMonitor) -> Iterator[Compare]:
    """What compares a log with results, and also gives what was not understood of it. `log` may be `-`: stdin.

    Reports mistakes in the arguments before any capture is read. Raises CaptureError, UsageError and CaseError.
    """
    from postproc.session_log.column_map import load_map  # slow to import: Polars
    from postproc.session_log.comparison import compare_log
    from postproc.session_log.log_time import Clock, parse_zone
    from postproc.session_log.recognise import recognised

    zone, label = parse_zone(timezone), label_of(str(log))
    with text_file(log, monitor.warn) as file:
        column_map = load_map(format_name) if format_name else recognised(file)

        def compare(results: Sequence[CaptureResult]) -> tuple[LogComparison, list[Problem]]:
            comparison = compare_log(file, column_map, Clock(zone, _about_us(results)), results)
            bad = comparison.not_understood
            what = plural(bad.lines, "line")
            reason = f"{what} not understood as {column_map.title}; the first is line {bad.first_line}"
            problems = [Problem(label, "", "", reason)] if bad.lines else []
            return replace(comparison, log=label), problems

        yield compare


def _about_us(results: Sequence[CaptureResult]) -> int:
    """About when the captures were taken (us since the epoch), for times of the log that have no year."""
    return max((result.capture_point.last_us or 0 for result in results), default=0)


def _rendered(comparison: LogComparison, options: LogOptions) -> str:
    from postproc.report import session_log as report  # slow to import: Polars

    match options.output_format:
        case TableFormat.TABLE:
            return report.table(comparison, options.top)
        case TableFormat.MARKDOWN:
            return report.markdown(comparison, options.top)
        case TableFormat.CSV:
            return report.rows_csv(comparison)
        case TableFormat.JSONL:
            return report.rows_jsonl(comparison)
        case TableFormat.JSON:
            return report.whole_json(comparison)
