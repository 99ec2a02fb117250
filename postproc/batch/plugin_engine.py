"""The resets table as the Wireshark plugin sees it: tshark runs the plugin, and its fields become the rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.errors import visible
from heuristics.protocol.tshark_fields import FIELDS
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import icmp_score
from postproc.batch.job import CaptureResult, unreadable
from postproc.capture.discovery import Source
from postproc.capture.file_type import EXPORT_TYPES
from postproc.capture.packet_table import Packet, normalise
from postproc.capture.tshark.fields_export import arguments, capture_error, check_capture, problems_at_end
from postproc.capture.tshark.program import Tshark
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.runtime.errors import CaptureError, PluginError
from postproc.runtime.temp_files import temporary_folder, writing_temporary
from postproc.verdicts.icmp_observables import error_of
from postproc.verdicts.judge_icmp import probe_filter, rejection_of
from postproc.verdicts.result_row import JudgedReset, ResetRow
from postproc.verdicts.scoring import ends_filter

_NUMBERS = (
    "hop_limit",
    "hop_baseline",
    "hop_delta",
    "distance",
    "sender_distance",
    "suspicion",
    "score",
    "quoted_hop_limit",
)
_TIMES = ("rtt_us", "response_us")
_TEXTS = (
    "kind",
    "baseline_source",
    "verdict",
    "origin",
    "evidence",
    "stage",
    "end_reason",
    "cause",
    "device",
    "reason",
    "where",
)
_PLUGIN_FIELDS = tuple(f"rstorigin.{name}" for name in (*_NUMBERS, *_TIMES, *_TEXTS))
_LUA_ERROR = "_ws.lua.error"  # only says that there is one;
_MESSAGES = "_ws.expert.message"  # this says which, after "Lua Error: "
_ERROR_SHOWN = 300  # characters of a Lua error that a message repeats
# tshark's words, at the beginning of a line: a file's name may hold anything.
_DOES_NOT_LOAD = re.compile(r"^tshark: Lua: (.*)", re.MULTILINE | re.DOTALL)
_NOT_LOADED = re.compile(r"^tshark: Some fields aren't valid:\n\s*rstorigin\.", re.MULTILINE)
_AS_USER = "run rstorigin as an ordinary user"


@dataclass(frozen=True, slots=True)
class Plugin:
    """The plugin in a file of its own, and a tshark that will load it and no other."""

    tshark: Tshark
    rulebook: Rulebook
    folder: Path

    def judge(self, source: Source) -> CaptureResult:
        """The same as `judge_source` (job.py), but by the plugin; packets are not counted.

        Evidence in words is the titles of the rules. Raises PluginError when the plugin did not run to its end.
        """
        if source.file_type in EXPORT_TYPES:
            reason = "the plugin reads captures, not exports"
            return unreadable(source, CaptureError(str(source.path), reason, "leave --from-plugin out"))
        try:
            return self._judged(source)
        except CaptureError as error:
            return unreadable(source, error)

    def _judged(self, source: Source) -> CaptureResult:
        check_capture(source.path)
        fields = (*FIELDS, *_PLUGIN_FIELDS, _LUA_ERROR, _MESSAGES)
        command = [
            *("-2", "-X", f"lua_script:{self.folder / PLUGIN_NAME}"),
            # Not only to choose: without a filter, the first pass of `-2` gives Lua no fields at all.
            *("-Y", f"rstorigin.verdict || {_LUA_ERROR}"),
            *arguments(source.path, self.tshark.preferences(), fields),
        ]
        with self.tshark.run(command, self._environment()) as run:
            text = FieldsText(run.stdout, str(source.path), "")
            try:
                raw = pl.concat(list(text.frames(fields)) or [pl.DataFrame(schema=dict.fromkeys(fields, pl.String()))])
            except CaptureError:
                self._check(run.messages)
                raise capture_error(source.path, run) from None
            self._check(run.messages)
            problems = problems_at_end(source.path, run, None)
        self._check_frames(source, raw)
        judged = [self._judged_row(source.name, packet, row) for packet, row in _rows(raw)]
        resets = tuple(each for each in judged if each.row.kind == "rst")
        errors = tuple(each for each in judged if each.row.kind == "icmp")
        return CaptureResult(source.name, None, resets, tuple(problems), errors=errors)

    def _environment(self) -> Mapping[str, str]:
        """A home without plugins: the user's own copy of ours beside this one would be one too many."""
        home = str(self.folder)
        return {"HOME": home, "XDG_CONFIG_HOME": home, "WIRESHARK_CONFIG_DIR": home, "APPDATA": home}

    def _check(self, messages: str) -> None:
        """tshark ends with status 0 when a script does not load, and with an odd remark when its fields are missing."""
        if error := _DOES_NOT_LOAD.search(messages):
            raise PluginError(visible(f"the plugin does not load: {error[1][:_ERROR_SHOWN]}"))
        if _NOT_LOADED.search(messages):
            raise PluginError(
                f"this tshark ({self.tshark.program}) did not load the plugin: perhaps it was built without Lua "
                f"(see `tshark --version`), or Lua is switched off; leave --from-plugin out to judge without it"
            )

    def _check_frames(self, source: Source, raw: pl.DataFrame) -> None:
        failed = raw.filter(pl.col(_LUA_ERROR).is_not_null()).head(1)
        for frame, error in failed.select("frame.number", _MESSAGES).iter_rows():
            what = (error or "").partition("Lua Error: ")[2][:_ERROR_SHOWN]
            raise PluginError(visible(f"{source.path}: the plugin failed at frame {frame}: {what}"))

    def _judged_row(self, capture: str, packet: Packet, row: Mapping[str, str | None]) -> JudgedReset:
        def number(name: str) -> int | None:
            value = row[f"rstorigin.{name}"]
            return None if value is None else int(value)

        def there(name: str) -> int:
            if (value := number(name)) is None:
                raise PluginError(visible(f"{capture}: the plugin gave frame {packet.frame} no rstorigin.{name}"))
            return value

        def text(name: str) -> str:
            return str(row[f"rstorigin.{name}"] or "")

        evidence = tuple(id_ for id_ in text("evidence").split(",") if id_)
        error = error_of(packet) if text("kind") == "icmp" else None
        sport, dport = (error.quoted_sport, error.quoted_dport) if error else (packet.sport, packet.dport)
        low, high = sorted([(packet.src, sport), (packet.dst, dport)])
        table_row = ResetRow(
            capture=capture,
            frame=packet.frame,
            time=packet.time_us / 1_000_000,
            kind="icmp" if error else "rst",
            # The plugin does not tell incarnations apart.
            flow=probe_filter(packet, error) if error else ends_filter(*low, *high),
            src=packet.src,
            sport=sport,
            dst=packet.dst,
            dport=dport,
            stage=text("stage"),
            end_reason=text("end_reason") or None,
            cause=text("cause") or None,
            verdict=text("verdict"),
            origin=text("origin"),
            suspicion=there("suspicion"),
            hop_limit=there("hop_limit"),
            hop_baseline=number("hop_baseline"),
            hop_delta=number("hop_delta"),
            distance=there("distance"),
            sender_distance=number("sender_distance"),
            baseline_source=text("baseline_source"),
            rtt_us=number("rtt_us"),
            response_us=number("response_us"),
            device=text("device") or None,
            evidence=evidence,
            reason=text("reason"),
            quoted_hop_limit=number("quoted_hop_limit"),
            where=text("where") or None,
        )
        if error:
            words = (text("reason") or " ".join(evidence).replace("_", " "),)
            return JudgedReset(table_row, icmp_score(table_row.suspicion), words, rejection_of(packet))
        return JudgedReset(table_row, there("score"), tuple(self.rulebook.rule(id_).title for id_ in evidence))


@contextmanager
def installed_plugin(tshark: Tshark, rulebook: Rulebook) -> Iterator[Plugin]:
    """The plugin of `rulebook` in a temporary folder. Raises PluginError where `tshark` would not load it."""
    if tshark.refuses_lua():
        raise PluginError(f"Wireshark {'.'.join(map(str, tshark.version))} loads no Lua plugin for root: {_AS_USER}")
    with temporary_folder() as folder:
        path = Path(folder) / PLUGIN_NAME
        with writing_temporary():
            path.write_text(render_plugin(rulebook), encoding="utf-8", newline="\n")
        yield Plugin(tshark, rulebook, Path(folder))


def _rows(raw: pl.DataFrame) -> Iterator[tuple[Packet, Mapping[str, str | None]]]:
    """One for each reset and ICMP error: the packet (packet_table.py), and the plugin's fields."""
    fields = raw.select(pl.col("frame.number").cast(pl.Int64).alias("frame"), *_PLUGIN_FIELDS)
    joined = normalise(raw.select(FIELDS)).join(fields, on="frame").sort("frame")
    for row in joined.iter_rows(named=True):
        yield Packet(**{name: row[name] for name in Packet._fields}), row
