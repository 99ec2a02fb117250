"""`rstorigin explain`: the story of one reset or ICMP error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.capture.file_type import FileType
from postproc.capture.overlay_problem import is_unopened_overlay
from postproc.capture.packet_table import Packet
from postproc.capture.reader import Packets, read_packets
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.fields_export import check_capture
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, Tshark, find_tshark
from postproc.cli.exit_status import SOME_FAILED
from postproc.cli.inputs import one_input
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import (
    DecodeAsOption,
    LocalOption,
    OutputOption,
    RulebookOption,
    TsharkTimeoutOption,
    load_rules,
)
from postproc.cli.packet_details import packet_details
from postproc.flows.state import Reset
from postproc.report import story_text
from postproc.report.icmp_story import IcmpStory, build_icmp_story
from postproc.report.presumed_senders import of_same_sender
from postproc.report.rulebook_entries import RulebookEntries
from postproc.report.story import Story, build_story, gather_material
from postproc.report.story_text import StoryOptions
from postproc.runtime.atomic_file import check_not_input
from postproc.runtime.clock import Clock
from postproc.runtime.errors import CaptureError, UsageError
from postproc.runtime.gc_pause import gc_paused
from postproc.runtime.text import escape_markdown, plural
from postproc.verdicts.icmp_observables import observe_errors
from postproc.verdicts.judge_icmp import judged_error
from postproc.verdicts.judge_resets import observe_resets
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset
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
        int | None,
        typer.Option("--frame", min=1, metavar="N", help="The reset or ICMP error, by its frame number in Wireshark."),
    ] = None,
    worst: Annotated[
        bool,
        typer.Option(
            "--worst", help="The reset most likely forged; the ICMP error, where there is no reset. The default."
        ),
    ] = False,
    all_of_sender: Annotated[
        bool,
        typer.Option(
            "--all-of-sender", help="List all resets of the same presumed sender too (its place, device and form)."
        ),
    ] = False,
    observables: Annotated[
        bool,
        typer.Option("--observables", help="Show every observable with its value, and which rules read it."),
    ] = False,
    format_: Annotated[StoryFormat, typer.Option("--format", help="The format of the story.")] = StoryFormat.TEXT,
    rulebook: RulebookOption = None,
    local_time: LocalOption = False,
    out: OutputOption = None,
    decode_as: DecodeAsOption = None,
    tshark_timeout: TsharkTimeoutOption = DEFAULT_TIMEOUT_S,
) -> None:
    """Explain one TCP reset or ICMP error: its flow, the evidence, where it was sent from, and how to be surer."""
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
    packets = read_packets(source, program)
    print_problems(source.labelled(packets.problems))
    with gc_paused():  # flows are many small objects
        judged = _Judged.of(source.name, packets, rules)
    options = StoryOptions(capture, Clock(local_time), observables)
    if frame is not None and frame not in judged:
        raise _no_reset(capture, frame, packets, judged.frames)
    if not judged.frames:
        shown = (escape_markdown if format_ is StoryFormat.MARKDOWN else visible)(source.name)
        unopened = any(map(is_unopened_overlay, packets.problems))
        found = "No TCP reset and no ICMP error was seen" if unopened else "There is no TCP reset and no ICMP error"
        nothing = f"{found} in {shown} ({plural(packets.count, 'packet')})."
        write_result("null" if format_ is StoryFormat.JSON else nothing, out, [capture])
    else:
        chosen = judged.worst() if frame is None else frame
        story = judged.story(chosen, source.path, program, all_of_sender=all_of_sender)
        write_result(_WRITERS[format_](story, options), out, [capture])
    if packets.problems:
        raise typer.Exit(SOME_FAILED)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Every reset and ICMP error of a capture by its frame, judged, with what it was judged by."""

    packets: Packets
    rulebook: Rulebook
    resets: Mapping[int, tuple[JudgedReset, Reset, Observation]] = field(default_factory=dict)
    errors: Mapping[int, tuple[JudgedReset, Packet, Observation]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, packets: Packets, rulebook: Rulebook) -> _Judged:
        """Judge the packets of the capture of this name."""
        resets = {
            reset.packet.frame: (judged_reset(name, reset_identity(reset), observation, rulebook), reset, observation)
            for reset, observation in observe_resets(packets.table, rulebook)
        }
        errors = {
            packet.frame: (judged_error(name, packet, observation, rulebook), packet, observation)
            for packet, observation in observe_errors(packets.table, rulebook)
        }
        return cls(packets, rulebook, resets, errors)

    @property
    def frames(self) -> list[int]:
        """The frames that have a story."""
        return sorted((*self.resets, *self.errors))

    def __contains__(self, frame: int) -> bool:
        return frame in self.resets or frame in self.errors

    def worst(self) -> int:
        """The frame of the reset with the highest score; without resets, of the ICMP error."""
        scored = self.resets or self.errors
        return max(scored, key=lambda frame: scored[frame][0].score)

    def story(self, frame: int, capture: Path, program: Tshark | None, *, all_of_sender: bool) -> Story | IcmpStory:
        """The story of the packet at `frame`."""
        if frame in self.errors:
            return build_icmp_story(*self.errors[frame], self.packets.table, self.rulebook)
        chosen = self.resets[frame]
        others = [judged for judged, *_ in self.resets.values()] if all_of_sender else ()
        of_sender = of_same_sender(chosen[0], others, RulebookEntries(self.rulebook))
        material = gather_material(*chosen, self.packets.table)
        return build_story(material, packet_details(capture, material.frames, program), self.rulebook, of_sender)


def _no_reset(capture: Path, frame: int, packets: Packets, frames: Iterable[int]) -> CaptureError:
    """The error that says why `frame` has no story, and which frames have one."""
    nearest = sorted(sorted(frames, key=lambda other: abs(other - frame))[:_NEAREST])
    hint = f"the nearest: {', '.join(map(str, nearest))}" if nearest else "there is none in this capture"
    if frame > packets.count:
        return CaptureError(str(capture), f"there is no frame {frame} among {plural(packets.count, 'packet')}", hint)
    return CaptureError(str(capture), f"frame {frame} is no TCP reset and no ICMP error", hint)
