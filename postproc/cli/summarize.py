"""`rstorigin summarize`: judge every reset of captures and exports, and sum up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import visible
from heuristics.rulebook import Rulebook, load
from postproc import outputs, tables, tshark
from postproc.archive import Archive, cores, on_this_machine
from postproc.atomic import spare
from postproc.cache import remembered_tshark, settings_key
from postproc.case_file import CaseFile, load_case
from postproc.cli.messages import SOME_FAILED, WRONG_USAGE, tell, tell_problems, write_result
from postproc.cli.options import Format, RulebookOption
from postproc.cli.progress import progress
from postproc.errors import UsageError
from postproc.sources import Source, find_sources
from postproc.summary import Summary, summarise
from postproc.task import Job, Judged, needs_tshark
from postproc.tshark import Tshark


class Flows(StrEnum):
    """Which flows the flows table has."""

    WITH_RESETS = "with-resets"
    ALL = "all"


def summarize(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Captures, exports, and case folders that hold some at any depth."),
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
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write, instead of stdout.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write resets, flows, hosts and captures as Parquet and CSV."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --out replace a folder that holds other files.")] = False,
    flows: Annotated[
        Flows, typer.Option("--flows", help="Which flows --out writes; all of them means reading every packet.")
    ] = Flows.WITH_RESETS,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=0, metavar="N", help="Captures read at once; 0: one for each core.")
    ] = 0,
    keep: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep results in CASE/.rstorigin, and use those kept there.")
    ] = True,
    from_plugin: Annotated[
        bool, typer.Option("--from-plugin", help="Let the Wireshark plugin judge, inside tshark. Captures only.")
    ] = False,
) -> None:
    """Judge every TCP reset and ICMP error: did the host send it that it names, or something in between?"""
    case = _case(paths)
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    rules = load(overlays=overlays)
    found = find_sources(paths)
    if not found.files:
        tell_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    inputs = [source.path for source in found.files] + overlays
    if output is not None:
        spare(output, inputs)
    if out is not None:
        tables.check_folder(out, [*inputs, *paths], force=force)
    if from_plugin:
        judged = list(_by_plugin(found.files, rules))
    else:
        run = _Run(rules, flows is Flows.ALL, jobs or cores(), keep)
        judged = run.judge(found.files)
    summary = summarise(judged, rules, top, found.problems)
    tell_problems(summary.problems)
    if out is not None:
        content = tables.tables(summary, judged, case.file.networks)
        tables.write_tables(out, content, rules, [*inputs, *paths], force=force)
    write_result(_written(summary, format_, top), output, inputs)
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


@dataclass(frozen=True)
class _Case:
    """What the case.toml among the folders says; `rulebook` is where its overlay lies."""

    file: CaseFile
    rulebook: Path | None = None


def _case(paths: Sequence[Path]) -> _Case:
    """Raises UsageError where case folders disagree: one summary has one rulebook and one set of networks."""
    cases = [(folder, load_case(folder)) for folder in paths if folder.is_dir()]
    spoken = [(folder, file) for folder, file in cases if file != CaseFile()]
    if not spoken:
        return _Case(CaseFile())
    if len(cases) > 1:
        raise UsageError(f"{spoken[0][0]} has a case.toml: summarize it by itself")
    folder, file = spoken[0]
    return _Case(file, folder / file.rulebook if file.rulebook else None)


@dataclass(frozen=True)
class _Run:
    """How to judge: by which rules, which flows to keep, over how many processes, with or without a cache."""

    rules: Rulebook
    all_flows: bool
    jobs: int
    keep: bool

    def judge(self, sources: Sequence[Source]) -> list[Judged]:
        program = self._tshark(sources)
        archive = Archive()
        if self.keep:
            version = program.version if program else None
            archive = Archive.open(sources, settings_key(self.rules, version, {"all_flows": self.all_flows}))
        job = Job(self.rules, program, self.all_flows)
        with progress("judging resets", len(sources)) as report:
            judged = archive.judge(sources, job, on_this_machine(self.jobs), report)
        for trouble in archive.troubles:
            tell(visible(f"results are not kept: {trouble}"))
        return judged

    def _tshark(self, sources: Sequence[Source]) -> Tshark | None:
        """Looked for only where it is needed."""
        if not any(map(needs_tshark, sources)):
            return None
        case = next((source.case for source in sources if source.case), None)
        return remembered_tshark(case) if case and self.keep else tshark.find()


def _by_plugin(sources: Sequence[Source], rules: Rulebook) -> Iterator[Judged]:
    from postproc.from_plugin import installed_plugin  # slow to import

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
