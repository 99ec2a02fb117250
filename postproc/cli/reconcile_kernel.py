"""`rstorigin reconcile --kernel`: what the kernel of a host says about the resets of captures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from heuristics.errors import Problem
from heuristics.rulebook.model import Rulebook, load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Sources
from postproc.capture.piped import label_of, text_file
from postproc.case.case_file import CaseFile
from postproc.case.run import CaseRun, RunOptions
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import TableFormat
from postproc.cli.progress import TerminalMonitor
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.text import plural
from postproc.verdicts.rescoring import rescore
from postproc.verdicts.result_row import ResetRow

if TYPE_CHECKING:
    from postproc.kernel_trace.matching import TraceMatching
    from postproc.report.kernel_trace import KernelRow


def reconcile_kernel(
    found: Sources,
    case: CaseFile,
    overlays: Sequence[Path],
    options: RunOptions,
    trace_file: Path,
    format_: TableFormat,
    output: Path | None,
) -> None:
    """Judge the captures, compare their resets with the trace, and write the result."""
    from postproc.kernel_trace.matching import match_trace  # slow to import
    from postproc.kernel_trace.trace_text import read_trace
    from postproc.report.kernel_trace import kernel_rows

    inputs = [trace_file, *(source.path for source in found.files if source.url is None), *overlays]
    if output is not None:
        check_not_input(output, inputs)
    rulebook = load(overlays=overlays)
    monitor = TerminalMonitor()
    with text_file(trace_file, monitor.warn) as file:
        trace = read_trace(file)
    results, _ = CaseRun(rulebook, case, options, monitor).judge(found.files)
    rows, notes = [], []
    for result in results:
        matching = match_trace(trace, result)
        rows += kernel_rows(matching, _rescored(result, matching, rulebook))
        notes.append(_clock(matching, result))
    problems = [*found.problems, *(problem for result in results for problem in result.problems)]
    if trace.not_understood:
        reason = f"{plural(trace.not_understood, 'event')} without addresses; the first is line {trace.first_bad}"
        problems.append(Problem(label_of(str(trace_file)), "", "", reason, "perf trace prints none: use perf script"))
    if trace.lost:
        notes.append("The trace lost events: that one is missing proves nothing.")
    print_problems(problems)
    write_result(_rendered(rows, notes, format_), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _rescored(result: CaptureResult, matching: TraceMatching, rulebook: Rulebook) -> list[ResetRow]:
    """The rows of the capture's resets, with what the trace decides."""
    rows = []
    for reset, match in zip(result.resets, matching.matches, strict=True):
        rule = rulebook.rule(match.rule_id) if match.rule_id else None
        rescored = rescore(replace(reset), [rule], {}, rulebook) if rule and rule.enabled else reset
        rows.append(rescored.row)
    return rows


def _clock(matching: TraceMatching, result: CaptureResult) -> str:
    if matching.clock is None:
        return f"{result.name}: the trace has no event of its resets, or too few to compare the clocks."
    seconds = matching.clock.offset_us / 1_000_000
    agree = f"{matching.clock.agreeing:,} of {plural(matching.clock.compared, 'event')} agree"
    where = "ahead" if seconds > 0 else "behind"
    return f"{result.name}: the trace's clock is {abs(seconds):,.6f} s {where} ({agree})."


def _rendered(rows: Sequence[KernelRow], notes: Sequence[str], format_: TableFormat) -> str:
    from postproc.report import kernel_trace as report  # slow to import

    match format_:
        case TableFormat.TABLE:
            return report.table(rows, notes)
        case TableFormat.MARKDOWN:
            return report.markdown(rows, notes)
        case TableFormat.CSV:
            return report.rows_csv(rows)
        case TableFormat.JSONL:
            return report.rows_jsonl(rows)
        case TableFormat.JSON:
            return report.rows_json(rows)
