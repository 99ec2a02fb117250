"""`rstorigin open`: judge captures, then show one in Wireshark or tshark with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.scoring import ACCUSED
from postproc.batch.job import CaptureResult, needs_tshark
from postproc.capture.discovery import Source
from postproc.capture.local_copy import local_copy
from postproc.capture.remote import is_url
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import SOME_FAILED, WRONG_USAGE
from postproc.cli.inputs import paths_to_explain
from postproc.cli.messages import print_message, print_problems
from postproc.cli.options import CacheDirOption, CacheOption, DecodeAsOption, JobsOption, PathsArgument, RulebookOption
from postproc.cli.progress import TerminalMonitor
from postproc.handover.capture_start import capture_start
from postproc.handover.launch import Command, tshark_command, verdict_path, wireshark_command, write_verdicts
from postproc.handover.verdict_file import verdict_lines
from postproc.report import formats
from postproc.report.screen import Screen
from postproc.report.summary import summarise
from postproc.report.summary_sections import Layout
from postproc.runtime.errors import UsageError

_RESETS = 3  # that the summary describes which the plugin shows


def open(
    ctx: typer.Context,
    paths: PathsArgument,
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            metavar="CAPTURE",
            help="Of several captures, the one to show. Default: the one with the most forged resets.",
        ),
    ] = None,
    with_tshark: Annotated[bool, typer.Option("--tshark", help="Print with tshark instead.")] = False,
    print_: Annotated[bool, typer.Option("--print", help="Print the command that would be run.")] = False,
    argument: Annotated[
        list[str] | None,
        typer.Option("--arg", "-a", metavar="WORD", help="Give this word to Wireshark or tshark. May be repeated."),
    ] = None,
    rulebook: RulebookOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    decode_as: DecodeAsOption = None,
) -> None:
    """Judge captures, and show one in Wireshark with the verdicts of all of them."""
    monitor = TerminalMonitor()
    case = case_settings([Path(path) for path in paths if not is_url(path)])
    rules = load(overlays=[path for path in (case.rulebook, rulebook) if path is not None])
    found = ctx.with_resource(inputs_at(paths, monitor))
    if not found.files:
        print_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    tshark = find_tshark()
    if tshark.refuses_lua():
        raise UsageError(f"{tshark} loads no Lua plugin for root: run rstorigin as an ordinary user")
    opened = (*case.file.decode_as, *(decode_as or ()))
    options = RunOptions(
        jobs=jobs, use_cache=use_cache, with_flows=True, decode_as=tuple(decode_as or ()), cache_dir=cache_dir
    )
    results, _ = CaseRun(rules, case.file, options, monitor).judge(found.files)
    problems = [*found.problems, *(problem for result in results for problem in result.problems)]
    print_problems(problems)
    shown = _shown(found.files, results, show)
    source = ctx.with_resource(local_copy(found.files[shown]))
    if print_ and source.given is not None:
        raise UsageError(visible(f"{source.label} is read from a copy that ends with this command: store it as a file"))
    words = [*(word for rule in opened for word in ("-d", rule)), *(argument or _default_arguments(with_tshark))]
    summary = formats.table(
        summarise(results, rules, _RESETS, found.problems),
        rules,
        Layout(paths=paths_to_explain(found.files)),
        Screen(),
    )
    command = _command(source, results[shown], summary, rules, tshark, words, with_tshark)
    if print_:
        typer.echo(str(command))
    elif command.start().wait():
        raise typer.Exit(SOME_FAILED)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _default_arguments(with_tshark: bool) -> Sequence[str]:
    return ("-Y", "rstorigin.verdict") if with_tshark else ()


def _shown(sources: Sequence[Source], results: Sequence[CaptureResult], name: str | None) -> int:
    """The index of the capture to show. Raises UsageError."""
    can_show = [
        index
        for index, (source, result) in enumerate(zip(sources, results, strict=True))
        if result.readable and source.url is None and needs_tshark(source)
    ]
    if name is not None:
        can_show = [index for index in can_show if name in (sources[index].name, str(sources[index].path))]
    if not can_show:
        wanted = f"called {name} " if name is not None else ""
        raise UsageError(visible(f"there is no capture {wanted}that Wireshark can show"))

    def forged(index: int) -> int:
        return sum(judged.row.verdict in ACCUSED for judged in results[index].resets)

    best = max(can_show, key=forged)  # the first of equals
    if len(can_show) > 1:
        print_message(visible(f"shows {sources[best].name}, one of {len(can_show)} captures; --show shows another"))
    return best


def _command(
    source: Source,
    result: CaptureResult,
    summary: str,
    rules: Rulebook,
    tshark: Tshark,
    arguments: Sequence[str],
    with_tshark: bool,
) -> Command:
    verdicts = verdict_path(source.path)
    write_verdicts(verdicts, verdict_lines(result, capture_start(source.path, tshark), rules, summary))
    if with_tshark:
        return tshark_command(tshark, source.path, verdicts, rules, arguments)
    return wireshark_command(tshark, source.path, verdicts, rules, arguments)
