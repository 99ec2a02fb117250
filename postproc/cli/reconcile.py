"""`rstorigin reconcile`: what captures of the same traffic, taken at both ends, say of each other's resets."""

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
from postproc.batch.job import Judged
from postproc.capture.discovery import Source
from postproc.capture.remote import is_url
from postproc.case.peer_captures import Testimony
from postproc.case.run import Run, case_of, find_all
from postproc.cli.messages import SOME_FAILED, tell_problems, write_result
from postproc.cli.options import CacheOption, Format, JobsOption, OutputOption, PathsArgument, RulebookOption
from postproc.runtime import text as escape
from postproc.runtime.atomic_file import spare
from postproc.runtime.errors import UsageError
from postproc.runtime.words import counted
from postproc.verdicts.result_row import ResetRow


@dataclass(frozen=True, slots=True)
class Row:
    """One reset about which a witness says something. `clock_offset_us` is how far the capture's clock is ahead."""

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
    paths: PathsArgument,
    format_: Annotated[Format, typer.Option("--format", help="How to write what is found.")] = Format.TABLE,
    rulebook: RulebookOption = None,
    output: OutputOption = None,
    jobs: JobsOption = 0,
    keep: CacheOption = True,
) -> None:
    """Tell resets that left their sender's own interface from those that never did, by a capture taken there.

    A capture is a witness for an address when all packets of that address in it come from 0 hops away, or when
    case.toml says so. Where a doubt is left, nothing is said. `rstorigin summarize` weighs the same findings.
    """
    case = case_of([Path(path) for path in paths if not is_url(path)])
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    found = find_all(paths)
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        spare(output, inputs)
    if len(found.files) < 2:
        tell_problems(found.problems)
        raise UsageError("two captures at least are needed, one from each end")
    run = Run(load(overlays=overlays), case.file, jobs, keep)
    judged, heard = run.judge(found.files)
    problems = [*found.problems, *(problem for each in judged for problem in each.problems)]
    tell_problems(problems)
    write_result(_written(_rows(found.files, judged, heard), heard, format_), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _rows(sources: Sequence[Source], judged: Sequence[Judged], heard: Sequence[Testimony]) -> list[Row]:
    rows = []
    resets: list[dict[int, ResetRow]] = [{reset.row.frame: reset.row for reset in each.resets} for each in judged]
    for testimony in heard:
        for finding in testimony.said.findings:
            row = resets[testimony.capture][finding.frame]
            rows.append(
                Row(
                    *(row.capture, row.frame, row.src, row.sport, row.dst, row.dport, finding.evidence),
                    *(sources[testimony.witness].name, finding.witness_frame, row.verdict, testimony.said.offset_us),
                )
            )
    return sorted(rows, key=lambda row: (row.capture, row.frame))


def _written(rows: Sequence[Row], heard: Sequence[Testimony], format_: Format) -> str:
    names = [field.name for field in fields(Row)]
    match format_:
        case Format.JSON:
            return json.dumps([asdict(row) for row in rows], indent=2)
        case Format.JSONL:
            return "\n".join(json.dumps(asdict(row)) for row in rows)
        case Format.CSV:
            return escape.csv_table(names, (asdict(row).values() for row in rows))
    safe = escape.markdown if format_ is Format.MARKDOWN else visible
    style = "pipe" if format_ is Format.MARKDOWN else "simple"
    said = f"{counted(len(heard), 'pair')} of captures compared, {counted(len(rows), 'finding')}"
    if not rows:
        return said
    cells = [["" if cell is None else safe(str(cell)) for cell in asdict(row).values()] for row in rows]
    table = tabulate(cells, [name.replace("_", " ") for name in names], tablefmt=style, disable_numparse=True)
    return f"{said}\n\n{table}"
