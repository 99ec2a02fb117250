"""`rstorigin explain`: the story of one reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.capture.file_type import FileType
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.capture.packet_table import ICMP_ERROR
from postproc.capture.reader import Packets, read_packets
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.fields_export import check_capture
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, Tshark, find_tshark
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.inputs import one_input
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import DecodeAsOption, OutputOption, RulebookOption, TsharkTimeoutOption, load_rules
from postproc.report import story_text
from postproc.report.field_comparison import Details
from postproc.report.story import StoryMaterial, build_story, gather_material
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.errors import CaptureError, UsageError
from postproc.runtime.text import escape_markdown, plural
from postproc.verdicts.judge_resets import observe_resets
from postproc.verdicts.scoring import judged_reset, reset_identity

_NEAREST = 5  # resets that an error message names


class StoryFormat(StrEnum):
    """The format of a story."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


_WRITERS = {
    StoryFormat.TEXT: story_text.text,
    StoryFormat.MARKDOWN: story_text.markdown,
    StoryFormat.JSON: story_text.whole_json,
}


def explain(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="CAPTURE",
            help="The capture, of any type that tshark reads, or text of packets. `-` is stdin.",
        ),
    ],
    frame: Annotated[
        int | None, typer.Option("--frame", min=1, metavar="N", help="The reset, by its frame number in Wireshark.")
    ] = None,
    worst: Annotated[
        bool, typer.Option("--worst", help="The reset most likely forged. The default without --frame.")
    ] = False,
    format_: Annotated[StoryFormat, typer.Option("--format", help="The format of the story.")] = StoryFormat.TEXT,
    rulebook: RulebookOption = None,
    out: OutputOption = None,
    decode_as: DecodeAsOption = None,
    tshark_timeout: TsharkTimeoutOption = DEFAULT_TIMEOUT_S,
) -> None:
    """Explain one TCP reset: its flow, the evidence, where it was sent from, and how to be surer."""
    if frame is not None and worst:
        raise UsageError("--frame and --worst exclude each other: leave one out")
    rules = load_rules(rulebook)
    if Path(name).is_dir():
        raise CaptureError(name, "is a folder", "name one capture; rstorigin summarize reads folders")
    source = one_input(ctx, name)
    capture = Path(source.label)
    is_text = source.file_type is FileType.PACKET_TEXT
    if not is_text:
        check_capture(source.path)
    if out is not None:
        check_not_input(out, [Path(name)])
    program = None
    if not is_text:
        program = replace(with_decode_as(find_tshark(), decode_as or ()), timeout_s=tshark_timeout)
    packets = read_packets(source, program, whole=True)
    print_problems(source.labelled(packets.problems))
    material = _material(capture, packets, frame, rules)
    if material is None:
        name = (escape_markdown if format_ is StoryFormat.MARKDOWN else visible)(str(capture))
        found = "No TCP reset was seen" if any(map(is_unopened_overlay, packets.problems)) else "There is no TCP reset"
        nothing = f"{found} in {name} ({plural(packets.count, 'packet')})."
        write_result("null" if format_ is StoryFormat.JSON else nothing, out, [capture])
    else:
        story = build_story(material, _details(source.path, material.frames, program), rules)
        write_result(_WRITERS[format_](story, capture), out, [capture])
    if packets.problems:
        raise typer.Exit(SOME_FAILED)


def _details(capture: Path, frames: Sequence[int], program: Tshark | None) -> dict[int, Details]:
    """Further fields of these packets, by frame number. Text, which needs no tshark, has none."""
    if program is None:
        return {}
    # Slow to import: pyshark takes longer than everything else, and no other command needs it.
    from postproc.report.pyshark_details import read_details

    return read_details(capture, frames, program)


def _material(capture: Path, packets: Packets, frame: int | None, rulebook: Rulebook) -> StoryMaterial | None:
    """What there is about the reset at `frame`, or else the one with the highest score; None without any reset."""
    judged = {
        reset.packet.frame: (
            judged_reset(capture.as_posix(), reset_identity(reset), observation, rulebook),
            reset,
            observation,
        )
        for reset, observation in observe_resets(packets.table, rulebook)
    }
    if frame is not None and frame not in judged:
        raise _no_reset(capture, frame, packets, list(judged))
    if not judged:
        return None
    chosen = frame if frame is not None else max(judged, key=lambda number: judged[number][0].score)
    return gather_material(*judged[chosen], packets.table)


def _no_reset(capture: Path, frame: int, packets: Packets, resets: Sequence[int]) -> CaptureError:
    """The error that says why `frame` has no story, and which frames have one."""
    nearest = sorted(sorted(resets, key=lambda reset: abs(reset - frame))[:_NEAREST])
    hint = f"the nearest: {', '.join(map(str, nearest))}" if nearest else "there is none in this capture"
    if packets.table.filter(pl.col("frame") == frame, pl.col("kind") == ICMP_ERROR).height:
        return CaptureError(str(capture), f"frame {frame} is an ICMP error; explain takes TCP resets only", hint)
    if frame > packets.count:
        return CaptureError(str(capture), f"there is no frame {frame} among {plural(packets.count, 'packet')}", hint)
    return CaptureError(str(capture), f"frame {frame} is no TCP reset", hint)
