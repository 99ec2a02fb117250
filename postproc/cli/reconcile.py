"""`rstorigin reconcile`: compare captures of the same traffic from both ends, and find resets that never left."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from heuristics.rulebook.model import load
from postproc.capture.discovery import Source, Sources
from postproc.capture.remote import is_url
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S
from postproc.case.case_file import CaseFile, Point
from postproc.case.peer_captures import not_compared
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.messages import print_message, print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    LogFormatOption,
    LogTimezoneOption,
    OutputOption,
    PathsArgument,
    RulebookOption,
    TableFormat,
    TsharkTimeoutOption,
)
from postproc.cli.progress import TerminalMonitor
from postproc.cli.reconcile_kernel import reconcile_kernel
from postproc.cli.reconcile_log import FailOn, LogOptions, check_stdin, reconcile_log
from postproc.report import reconcile as report
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import UsageError

_MOST_THOROUGH = 10  # captures of which every pair is compared, whether an address connects them or not


def reconcile(
    ctx: typer.Context,
    paths: PathsArgument,
    format_: Annotated[TableFormat, typer.Option("--format", help="The format of the result.")] = TableFormat.TABLE,
    rulebook: RulebookOption = None,
    output: OutputOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    tshark_timeout: TsharkTimeoutOption = DEFAULT_TIMEOUT_S,
    decode_as: DecodeAsOption = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="CAPTURE=ADDRESS",
            help="The capture was taken at the interface of this host. May be given several times.",
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The captures hold every packet of the hosts where they were taken (no capture filter)."
        ),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", help="Compare this session log (PAN-OS, FortiGate, ASA, Zeek, ...) with packets."
        ),
    ] = None,
    log_format: LogFormatOption = None,
    log_timezone: LogTimezoneOption = "UTC",
    kernel: Annotated[
        Path | None,
        typer.Option(
            "--kernel",
            metavar="FILE",
            help="Compare resets with this trace of a host's kernel (rstorigin kernel-trace --print takes one).",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="End with exit status 3 if a session of --log is contradicted.")
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=0, metavar="N", help="How many contradicted sessions of --log to show.")
    ] = 10,
) -> None:
    """Find out which resets left the interface of the host they name, by a capture taken at that host.

    A capture is such a witness for an address if all packets of that address in it come from 0 hops away, or if
    case.toml or --host says so. In doubt, there is no result, but a reason. `rstorigin summarize` uses the same results
    as evidence.

    With --log, compare what a firewall or monitor logged about each session with what the packets show. With --kernel,
    compare resets with what the kernel of a host says that it sent.
    """
    check_stdin(paths, log, kernel)
    monitor = TerminalMonitor()
    case = case_settings([Path(path) for path in paths if not is_url(path)])
    overlays = [path for path in (case.rulebook, rulebook) if path is not None]
    found = ctx.with_resource(inputs_at(paths, monitor))
    inputs = [source.path for source in found.files if source.url is None] + overlays
    if output is not None:
        check_not_input(output, inputs)
    file = _with_hosts(case.file, found.files, host or [])
    thorough = len(found.files) <= _MOST_THOROUGH
    options = RunOptions(
        jobs=jobs,
        use_cache=use_cache,
        cache_dir=cache_dir,
        decode_as=tuple(decode_as or ()),
        tshark_timeout_s=tshark_timeout,
        complete=complete,
        thorough=thorough,
    )
    if log is not None and kernel is not None:
        raise UsageError("--log and --kernel are two questions: ask one at a time")
    if kernel is not None:
        _enough(found, 1, "--kernel needs a capture whose resets to compare with the trace")
        reconcile_kernel(found, file, overlays, options, kernel, format_, output)
        return
    if log is not None:
        log_options = LogOptions(
            log=log,
            format_name=log_format,
            timezone=log_timezone,
            fail_on=fail_on,
            top=top,
            output_format=format_,
            output=output,
        )
        _enough(found, 1, "--log needs a capture to compare the log with")
        reconcile_log(found, file, overlays, options, log_options)
        return
    if log_format or fail_on:
        raise UsageError("--log-format and --fail-on need a log: name it with --log")
    _enough(found, 2, "reconcile needs at least two captures, one from each end")
    run = CaseRun(load(overlays=overlays), file, options, monitor)
    results, comparisons = run.judge(found.files)
    problems = [*found.problems, *(problem for result in results for problem in result.problems)]
    print_problems(problems)
    left_out = not_compared(found.files, results, file, comparisons)
    result = report.reconciled(found.files, results, comparisons, left_out)
    write_result(_rendered(result, format_), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def _enough(found: Sources, least: int, otherwise: str) -> Sources:
    """The inputs, where they are at least so many. Raises UsageError."""
    if len(found.files) < least:
        print_problems(found.problems)
        raise UsageError(otherwise)
    return found


def _with_hosts(case: CaseFile, sources: Sequence[Source], hosts: Sequence[str]) -> CaseFile:
    """The case with the capture points that --host names; they go before its own. Raises UsageError."""
    named: dict[str, list[str]] = {}
    for text in hosts:
        capture, _, address = text.rpartition("=")
        matching = [source.name for source in sources if capture in (source.name, str(source.path), source.path.name)]
        if len(matching) != 1:
            names = ", ".join(source.name for source in sources)
            raise UsageError(f"--host {text}: write CAPTURE=ADDRESS, where CAPTURE is one of these: {names}")
        try:
            named.setdefault(matching[0], []).append(str(ip_address(address.strip("[]"))))
        except ValueError:
            raise UsageError(f"--host {text}: {address!r} is no address") from None
    points = []
    for name, addresses in named.items():
        known = case.point_of(name)
        values = {"name": known.name if known else name, "captures": [glob.escape(name)], "hosts": addresses}
        points.append(Point.model_validate({**values, "complete": bool(known and known.complete)}))
    return case.model_copy(update={"point": [*points, *case.point]})


def _rendered(result: report.Reconciled, format_: TableFormat) -> str:
    match format_:
        case TableFormat.TABLE:
            return report.table(result)
        case TableFormat.MARKDOWN:
            return report.markdown(result)
    for line in report.notes(result):  # the other formats hold rows only
        print_message(line)
    match format_:
        case TableFormat.JSON:
            return report.rows_json(result)
        case TableFormat.JSONL:
            return report.rows_jsonl(result)
        case TableFormat.CSV:
            return report.rows_csv(result)
