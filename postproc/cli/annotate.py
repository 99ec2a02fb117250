"""`rstorigin annotate`: a copy of a capture whose resets and ICMP errors carry packet comments."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.scoring import Verdict
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.piped import is_piped
from postproc.capture.remote import is_url
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.fields_export import check_capture
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.inputs import one_input
from postproc.cli.messages import print_message, print_problems
from postproc.cli.options import DecodeAsOption, RulebookOption, load_rules
from postproc.cli.progress import TerminalMonitor
from postproc.cli.selection_options import OnlyOption
from postproc.copies.annotate import Comment
from postproc.copies.annotate import annotate as write_annotated
from postproc.report.packet_comment import packet_comment
from postproc.report.selection import verdicts_named
from postproc.runtime.atomic_file import check_not_input, whole_file
from postproc.runtime.errors import CaptureError, UsageError
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.runtime.text import plural

_SHOWN = 10  # frames that a message names
_LEAST_KEY = 16  # bytes


def annotate(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="The capture: pcap or pcapng, also compressed. `-` is stdin.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The copy to write, as pcapng.")],
    only: OnlyOption = None,
    anonymize: Annotated[
        bool,
        typer.Option(
            "--anonymize",
            help="Replace addresses, MAC addresses and payloads, so that the copy may be published. Verdicts stay.",
        ),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="With --anonymize: a file of at least 16 secret bytes. The same key gives the same addresses in every "
            "copy. Without: a new random key.",
        ),
    ] = None,
    cases: Annotated[
        list[str] | None,
        typer.Option(
            "--case",
            metavar="PATH",
            help="Judge CAPTURE together with this case folder or capture, as summarize does: captures from both ends "
            "count. May be given several times.",
        ),
    ] = None,
    rulebook: RulebookOption = None,
    decode_as: DecodeAsOption = None,
) -> None:
    """Write a copy of CAPTURE in which each reset and ICMP error has a comment: verdict, origin, evidence.

    Every Wireshark, tshark or web viewer shows packet comments, without the plugin. All other bytes stay as they are.
    """
    if key is not None and not anonymize:
        raise UsageError("--key belongs to --anonymize: add --anonymize, or leave --key out")
    if cases and anonymize:
        raise UsageError("--case and --anonymize exclude each other: the other captures have the real addresses")
    if cases and is_piped(name):
        raise UsageError("--case needs a capture in a file, which is read several times")
    verdicts = verdicts_named(only or [*Verdict], "--only")
    rules = load_rules(rulebook)
    if Path(name).is_dir():
        raise CaptureError(name, "is a folder", "name one capture")
    source = one_input(ctx, name)
    check_capture(source.path)
    if cases and source.path.resolve() != Path(name).resolve():
        raise UsageError(visible(f"--case needs a capture in a file of its own: unpack or download {name} first"))
    inputs = [Path(name), *(path for path in (key, rulebook) if path is not None)]
    check_not_input(output, inputs)
    secret = secrets.token_bytes(32) if key is None else _read_key(key)
    program = with_decode_as(find_tshark(), decode_as or ())
    judged = _judged_with(ctx, cases, name, rulebook, decode_as or ()) if cases else _judged(source, rules, program)
    different: tuple[int, ...] = ()
    if not anonymize:
        frames = _write(source.path, judged, verdicts, output, inputs)
    else:
        from postproc.copies.anonymize import anonymize_capture  # slow to import

        with temporary_folder() as folder:
            copy = Path(folder) / "anonymized.pcapng"
            with writing_temporary(), copy.open("wb") as file:
                anonymize_capture(source.path, secret, file)
            again = _judged(Source(copy, copy.name, FileType.CAPTURE), rules, program)
            different = _different(judged, again)
            frames = _write(copy, again, verdicts, output, inputs)
    print_problems(judged.problems)
    _warn(frames, "could not get a comment: their blocks have no room for one")
    _warn(different, "have another verdict in the anonymized copy than in the capture")
    if judged.problems or different:
        raise typer.Exit(SOME_FAILED)


def _read_key(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(visible(f"--key: {path} cannot be read: {error.strerror}")) from None
    if len(content) < _LEAST_KEY:
        raise UsageError(visible(f"--key: {path} is shorter than 16 bytes; make one: head -c 32 /dev/urandom > {path}"))
    return content


def _judged(source: Source, rules: Rulebook, program: Tshark) -> CaptureResult:
    """Raises CaptureError for a capture that cannot be read."""
    return _readable(judge_source(source, rules, program, with_flows=False))


def _readable(result: CaptureResult) -> CaptureResult:
    """The result itself. Raises CaptureError for that of a capture that cannot be read."""
    if not result.readable:
        problem = result.problems[0]
        raise CaptureError(problem.file, problem.reason, problem.hint)
    return result


def _judged_with(
    ctx: typer.Context, cases: Sequence[str], name: str, rulebook: Path | None, decode_as: Sequence[str]
) -> CaptureResult:
    """The result of the capture `name`, judged together with others. Raises CaptureError where it cannot be read."""
    monitor = TerminalMonitor()
    settings = case_settings([Path(path) for path in cases if not is_url(path)])
    rules = load(overlays=[path for path in (settings.rulebook, rulebook) if path is not None])
    # The case comes first: a capture in it keeps its name there, and with it the place that case.toml gives it.
    found = ctx.with_resource(inputs_at([*cases, name], monitor))
    print_problems(found.problems)
    results, _ = CaseRun(rules, settings.file, RunOptions(decode_as=tuple(decode_as)), monitor).judge(found.files)
    by_name = {result.name: result for result in results}
    whole = Path(name).resolve()
    source = next(each for each in found.files if not each.member and each.path.resolve() == whole)
    chosen = _readable(by_name[source.name])
    others = [problem for result in results if result is not chosen for problem in result.problems]
    print_problems(others)
    return chosen


def _write(
    capture: Path, judged: CaptureResult, verdicts: frozenset[str], output: Path, inputs: list[Path]
) -> tuple[int, ...]:
    """Write the copy. Returns the frames that could not get a comment."""
    chosen = [each for each in (*judged.resets, *judged.errors) if each.row.verdict in verdicts]
    comments = {each.row.frame: Comment(packet_comment(each), round(each.row.time * 1_000_000)) for each in chosen}
    with whole_file(output, inputs) as file:
        return write_annotated(capture, comments, file).impossible


def _different(first: CaptureResult, second: CaptureResult) -> tuple[int, ...]:
    """The frames whose verdicts are not the same."""
    before, after = (
        {each.row.frame: each.row.verdict for each in (*result.resets, *result.errors)} for result in (first, second)
    )
    return tuple(sorted(frame for frame in before.keys() | after.keys() if before.get(frame) != after.get(frame)))


def _warn(frames: tuple[int, ...], what: str) -> None:
    if frames:
        named = ", ".join(map(str, frames[:_SHOWN])) + (", ..." if len(frames) > _SHOWN else "")
        print_message(f"{plural(len(frames), 'packet')} {what}: frames {named}")
