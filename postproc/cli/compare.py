"""`rstorigin compare`: what has changed from one case to another."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import Problem
from heuristics.rulebook.model import Rulebook, load
from postproc.batch.job import CaptureResult
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    OutputOption,
    RulebookOption,
    WideOption,
)
from postproc.cli.progress import TerminalMonitor
from postproc.report.case_change import CaseChange, Exposure, case_change, change_sections, change_sentences
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import CaptureError, UsageError


class ChangeFormat(StrEnum):
    """How a comparison is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Judged:
    results: Sequence[CaptureResult]
    problems: Sequence[Problem]
    inputs: Sequence[Path]


def compare(
    ctx: typer.Context,
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help="A capture or a case folder: before.")],
    case: Annotated[str, typer.Argument(metavar="CASE", help="The same place, after.")],
    format_: Annotated[ChangeFormat, typer.Option("--format", help="The format of the result.")] = ChangeFormat.TABLE,
    per: Annotated[
        Exposure, typer.Option("--per", help="Count against the hours that captures cover, or against their packets.")
    ] = Exposure.TIME,
    top: Annotated[int, typer.Option("--top", min=0, metavar="N", help="How many rows of each table to show.")] = 10,
    wide: WideOption = False,
    rulebook: RulebookOption = None,
    output: OutputOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    decode_as: DecodeAsOption = None,
) -> None:
    """Did the change help? Compare how often connections are reset, before and after: verdicts, senders, causes.

    Each ratio of rates has its 95 % confidence interval. Capture at the same place, at comparable times.
    """
    settings = case_settings([Path(case)])
    overlays = [path for path in (settings.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    options = RunOptions(jobs=jobs, use_cache=use_cache, cache_dir=cache_dir, decode_as=tuple(decode_as or ()))
    before, after = (_judged(ctx, path, rules, options) for path in (baseline, case))
    inputs = [*before.inputs, *after.inputs, *overlays]
    if output is not None:
        check_not_input(output, inputs)
    problems = [*before.problems, *after.problems]
    print_problems(problems)
    try:
        change = case_change(before.results, after.results, rules, per)
    except ValueError:
        other = "--per packets" if per is Exposure.TIME else "--per time"
        raise UsageError(f"there is no {per} to count against, before or after: try {other}") from None
    write_result(_rendered(change, format_, top, wide=wide), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _judged(ctx: typer.Context, path: str, rules: Rulebook, options: RunOptions) -> _Judged:
    """Raises CaptureError where nothing can be read at `path`."""
    monitor = TerminalMonitor()
    found = ctx.with_resource(inputs_at([path], monitor))
    if not found.files:
        problem = found.problems[0]
        raise CaptureError(problem.file, problem.reason, problem.hint)
    case = case_settings([Path(path)])
    results, _ = CaseRun(rules, case.file, options, monitor).judge(found.files)
    problems = [*found.problems, *(problem for result in results for problem in result.problems)]
    return _Judged(results, problems, [source.path for source in found.files if source.url is None])


def _rendered(change: CaseChange, format_: ChangeFormat, top: int, *, wide: bool) -> str:
    match format_:
        case ChangeFormat.JSON:
            return _json(change)
        case ChangeFormat.MARKDOWN:
            from postproc.report.markdown import markdown_of

            return markdown_of("What has changed", [*change_sections(change, top)])
        case ChangeFormat.TABLE:
            from postproc.report.screen import screen_of_stdout
            from postproc.report.terminal import laid_out

            return laid_out([*change_sections(change, top)], screen_of_stdout(wide=wide))


def _json(change: CaseChange) -> str:
    rows = [
        {
            "kind": row.kind,
            "name": row.name,
            "before": row.before,
            "after": row.after,
            "ratio": row.ratio.ratio,
            "low": row.ratio.low,
            "high": None if math.isinf(row.ratio.high) else row.ratio.high,
            "change": row.change,
        }
        for row in change.rows
    ]
    before, after = change.exposures
    content = {
        "answer": [*change_sentences(change)],
        "per": change.exposure,
        "exposure": {"before": before, "after": after},
        "rows": rows,
    }
    return json.dumps(content, indent=2)
