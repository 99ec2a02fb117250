"""`rstorigin reconcile`: compare captures of the same traffic from both ends, and find resets that never left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from heuristics.errors import visible
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.case.peer_captures import Comparison
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    OutputOption,
    PathsArgument,
    RulebookOption,
    TableFormat,
)
from postproc.cli.progress import TerminalMonitor
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import UsageError
from postproc.runtime.text import csv_table, escape_markdown, plural
from postproc.verdicts.result_row import ResetRow


@dataclass(frozen=True, slots=True)
class Row:
    """One reset with evidence from a peer capture, the `witness`: its columns keep that name.

    `clock_offset_us` is how far the capture's clock is ahead.
    """

    capture: str
    frame: int
    src: str
    sport: int
    dst: str
    dport: int
    evidence: str
    witness: str
    witness_frame: int | None
    verdict: str
    clock_offset_us: int | None


def reconcile(
    ctx: typer.Context,
    paths: PathsArgument,
    format_: Annotated[TableFormat, typer.Option("--format", help="The format of the result.")] = TableFormat.TABLE,
    rulebook: RulebookOption = None,
    output: OutputOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    decode_as: DecodeAsOption = None,
    cache_dir: CacheDirOption = None,
) -> None:
    """Find out which resets left the interface of the host they name, by a capture taken at that host.

    A capture is such a witness for an address if all packets of that address in it come from 0 hops away, or if
    case.toml says so. In doubt, there is no result. `rstorigin summarize` uses the same results as evidence.
    """
    monitor = TerminalMonitor()
    case = case_settings([Path(path) for path in paths if not is_url(path)])
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    found = ctx.with_resource(inputs_at(paths, monitor))
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        check_not_input(output, inputs)
    if len(found.files) < 2:
        print_problems(found.problems)
        raise UsageError("reconcile needs at least two captures, one from each end")
    options = RunOptions(jobs=jobs, use_cache=use_cache, cache_dir=cache_dir, decode_as=tuple(decode_as or ()))
    run = CaseRun(load(overlays=overlays), case.file, options, monitor)
    results, comparisons = run.judge(found.files)
    problems = [*found.problems, *(problem for result in results for problem in result.problems)]
    print_problems(problems)
    write_result(_written(_rows(found.files, results, comparisons), comparisons, format_), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _rows(sources: Sequence[Source], results: Sequence[CaptureResult], comparisons: Sequence[Comparison]) -> list[Row]:
    rows = []
    resets: list[dict[int, ResetRow]] = [{reset.row.frame: reset.row for reset in each.resets} for each in results]
    for comparison in comparisons:
        for each in comparison.result.evidence:
            row = resets[comparison.capture][each.frame]
            rows.append(
                Row(
                    capture=row.capture,
                    frame=row.frame,
                    src=row.src,
                    sport=row.sport,
                    dst=row.dst,
                    dport=row.dport,
                    evidence=each.rule_id,
                    witness=sources[comparison.peer].name,
                    witness_frame=each.peer_frame,
                    verdict=row.verdict,
                    clock_offset_us=comparison.result.offset_us,
                )
            )
    return sorted(rows, key=lambda row: (row.capture, row.frame))


def _written(rows: Sequence[Row], comparisons: Sequence[Comparison], format_: TableFormat) -> str:
    names = [field.name for field in fields(Row)]
    match format_:
        case TableFormat.JSON:
            return json.dumps([asdict(row) for row in rows], indent=2)
        case TableFormat.JSONL:
            return "\n".join(json.dumps(asdict(row)) for row in rows)
        case TableFormat.CSV:
            return csv_table(names, (asdict(row).values() for row in rows))
    safe = escape_markdown if format_ is TableFormat.MARKDOWN else visible
    style = "pipe" if format_ is TableFormat.MARKDOWN else "simple"
    counts = f"{plural(len(comparisons), 'pair')} of captures compared, {plural(len(rows), 'finding')}"
    if not rows:
        return counts
    cells = [["" if cell is None else safe(str(cell)) for cell in asdict(row).values()] for row in rows]
    table = tabulate(cells, [name.replace("_", " ") for name in names], tablefmt=style, disable_numparse=True)
    return f"{counts}\n\n{table}"
