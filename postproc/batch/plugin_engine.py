"""The plugin as an engine: tshark runs the plugin, and the fields that it adds become the rows of results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.errors import visible
from heuristics.observables.output_columns import OUTPUT_COLUMNS, SCORE, OutputColumn
from heuristics.protocol.tshark_fields import FIELDS
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import icmp_score
from postproc.batch.job import CaptureResult, unreadable
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORT_TYPES
from postproc.capture.local_copy import local_copy
from postproc.capture.packet_table import Packet, normalise
from postproc.capture.tshark.expected_packets import check_end
from postproc.capture.tshark.fields_export import arguments, capture_error, check_capture, problems_at_end
from postproc.capture.tshark.program import Tshark, time_to_read
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.flows.display_filter import ends_filter
from postproc.runtime.errors import CaptureError, PluginError
from postproc.runtime.failures import REPORT, input_failure
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.verdicts.icmp_observables import error_of
from postproc.verdicts.judge_icmp import quoted_flow_filter, rejection_of
from postproc.verdicts.result_row import JudgedReset, ResetRow

_READ = tuple(column for column in OUTPUT_COLUMNS if column.field is not None)  # columns that are fields of the plugin
_PLUGIN_FIELDS = tuple(f"rstorigin.{name}" for name in (*(column.name for column in _READ), SCORE.name))
_LUA_ERROR = "_ws.lua.error"  # says only that there is an error
_MESSAGES = "_ws.expert.message"  # says which, after "Lua Error: "
_ERROR_SHOWN = 300  # characters of a Lua error that a message repeats
# What tshark prints at the beginning of a line. Elsewhere in the line, the name of a file may look like it.
_DOES_NOT_LOAD = re.compile(r"^tshark: Lua: (.*)", re.MULTILINE | re.DOTALL)
_NOT_LOADED = re.compile(r"^tshark: Some fields aren't valid:\n\s*rstorigin\.", re.MULTILINE)
_AS_USER = "run rstorigin as an ordinary user"

# What tshark prints of one packet: field name -> text, None where the packet has no such field.
_Fields = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Plugin:
    """The plugin in a folder of its own, and the tshark that loads this plugin and no other."""

    tshark: Tshark
    rulebook: Rulebook
    folder: Path

    def judge(self, source: Source) -> CaptureResult:
        """What judge_source (postproc/batch/job.py) does, but by the plugin. Packets are not counted.

        The evidence in words is the titles of the rules. Raises PluginError if the plugin does not load.
        """
        try:
            with local_copy(source) as copy:
                return self._judged(copy)
        except PluginError:
            raise
        except BaseException as error:
            return unreadable(source, input_failure(source.label, error))

    def _judged(self, source: Source) -> CaptureResult:
        if source.file_type in EXPORT_TYPES:
            reason = "the plugin reads captures, not exports or text"
            raise CaptureError(source.label, reason, "leave --from-plugin out")
        check_capture(source.path)
        fields = (*FIELDS, *_PLUGIN_FIELDS, _LUA_ERROR, _MESSAGES)
        command = [
            *("-2", "-X", f"lua_script:{self.folder / PLUGIN_NAME}"),
            # Without a filter, the first pass of `-2` builds no fields that Lua could read.
            *("-Y", f"rstorigin.verdict || {_LUA_ERROR}"),
            *arguments(source.path, self.tshark.preferences(), fields),
        ]
        with self.tshark.run(command, self._environment(), time_to_read(source.path)) as run:
            text = FieldsText(run.stdout, str(source.path), "")
            try:
                raw = pl.concat(list(text.frames(fields)) or [pl.DataFrame(schema=dict.fromkeys(fields, pl.String()))])
            except CaptureError:
                check_end(source.path, run, None)
                self._check(run.messages)
                raise capture_error(source.path, run) from None
            self._check(run.messages)
            problems = problems_at_end(source.path, run, None)
        self._check_frames(source, raw)
        judged = [self._judged_row(source.name, packet, fields) for packet, fields in _rows(raw)]
        resets = tuple(each for each in judged if each.row.kind == "rst")
        errors = tuple(each for each in judged if each.row.kind == "icmp")
        return CaptureResult(source.name, None, resets, source.labelled(problems), errors=errors)

    def _environment(self) -> Mapping[str, str]:
        """A home without plugins: Wireshark loads only one copy of the plugin, and the user may have one."""
        home = str(self.folder)
        return {"HOME": home, "XDG_CONFIG_HOME": home, "WIRESHARK_CONFIG_DIR": home, "APPDATA": home}

    def _check(self, messages: str) -> None:
        """Look for errors in the messages: tshark ends with status 0 if a script does not load."""
        if error := _DOES_NOT_LOAD.search(messages):
            raise PluginError(visible(f"the plugin does not load: {error[1][:_ERROR_SHOWN]}"))
        if _NOT_LOADED.search(messages):
            raise PluginError(
                f"this tshark ({self.tshark.program}) did not load the plugin: it may be built without Lua "
                f"(see `tshark --version`), or Lua may be switched off; leave --from-plugin out to judge without it"
            )

    def _check_frames(self, source: Source, raw: pl.DataFrame) -> None:
        failed = raw.filter(pl.col(_LUA_ERROR).is_not_null()).head(1)
        for frame, error in failed.select("frame.number", _MESSAGES).iter_rows():
            message = (error or "").partition("Lua Error: ")[2][:_ERROR_SHOWN]
            raise CaptureError(source.label, f"the plugin failed at frame {frame}: {message}", REPORT)

    def _judged_row(self, capture: str, packet: Packet, fields: _Fields) -> JudgedReset:
        read = {column.name: _value(column, fields, packet.frame) for column in _READ}
        error = error_of(packet) if read["kind"] == "icmp" else None
        sport, dport = (error.quoted_sport, error.quoted_dport) if error else (packet.sport, packet.dport)
        low, high = sorted([(packet.src, sport), (packet.dst, dport)])
        row = ResetRow(
            capture=capture,
            frame=packet.frame,
            time=packet.time_us / 1_000_000,
            # The plugin does not tell incarnations apart.
            flow=quoted_flow_filter(packet, error) if error else ends_filter(*low, *high),
            src=packet.src,
            sport=sport,
            dst=packet.dst,
            dport=dport,
            **read,
        )
        if error:
            words = (row.reason or " ".join(row.evidence).replace("_", " "),)
            return JudgedReset(row, icmp_score(row.suspicion), words, rejection_of(packet))
        score = fields[f"rstorigin.{SCORE.name}"]
        if score is None:
            raise _missing(SCORE.name, packet.frame)
        return JudgedReset(row, int(score), tuple(self.rulebook.evidence(id_).title for id_ in row.evidence))


@contextmanager
def installed_plugin(tshark: Tshark, rulebook: Rulebook) -> Iterator[Plugin]:
    """The plugin of `rulebook` in a temporary folder. Raises PluginError if `tshark` does not load it."""
    if tshark.refuses_lua():
        raise PluginError(f"Wireshark {'.'.join(map(str, tshark.version))} loads no Lua plugin for root: {_AS_USER}")
    with temporary_folder() as folder:
        path = Path(folder) / PLUGIN_NAME
        with writing_temporary():
            path.write_text(render_plugin(rulebook), encoding="utf-8", newline="\n")
        yield Plugin(tshark, rulebook, Path(folder))


# What makes the value of a column of the text of its field.
_PARSERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    bool: lambda text: text in ("1", "True"),  # Wireshark 4.0 prints 1, later versions True
    tuple: lambda text: tuple(text.split(",")),
}
# The plugin does not show empty texts.
_EMPTY: dict[type, Any] = {str: "", tuple: ()}


def _value(column: OutputColumn, fields: _Fields, frame: int) -> Any:
    """The value of a column. Raises CaptureError if the plugin shows none, but the column must have one."""
    text = fields[f"rstorigin.{column.name}"]
    if text:
        return _PARSERS[column.type](text)
    if column.optional:
        return None
    if column.type not in _EMPTY:
        raise _missing(column.name, frame)
    return _EMPTY[column.type]


def _missing(name: str, frame: int) -> CaptureError:
    return CaptureError("", f"frame {frame}: the plugin shows no field rstorigin.{name}", REPORT)


def _rows(raw: pl.DataFrame) -> Iterator[tuple[Packet, _Fields]]:
    """One for each reset and ICMP error: the packet (postproc/capture/packet_table.py), and the plugin's fields."""
    fields = raw.select(pl.col("frame.number").cast(pl.Int64).alias("frame"), *_PLUGIN_FIELDS)
    joined = normalise(raw.select(FIELDS)).join(fields, on="frame").sort("frame")
    for row in joined.iter_rows(named=True):
        yield Packet(**{name: row[name] for name in Packet._fields}), row
