"""Run both engines over a capture and say where they differ.

A row is what one engine says about one frame, as text by field name: `hop_limit`, `hop_baseline` and `hop_delta` of
every TCP segment and ICMP message; `flow_verdict` of every segment of a flow with resets; of a reset also every other
field of the plugin, `evidence.RULE` of every rule that fired, and `observed.NAME` of every observable, shown in the
plugin or not.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from generator.render import PLUGIN_NAME, render_plugin
from heuristics.language.template import value_text
from heuristics.observables.output_columns import WIRESHARK_FIELDS, FieldType
from heuristics.protocol.tshark_fields import FIELDS, RST
from heuristics.rulebook.model import Rulebook
from postproc.capture.packet_table import TCP, Packet, normalise
from postproc.capture.tshark import payload_bytes
from postproc.capture.tshark.fields_export import arguments
from postproc.capture.tshark.payload_bytes import diagnostic_frames, with_payloads
from postproc.capture.tshark.program import Tshark
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.flows.host_profile import HostProfile, most_frequent
from postproc.flows.host_profile_builder import profile_hosts
from postproc.flows.state import Flow
from postproc.flows.tracker import Tracker
from postproc.verdicts.icmp_observables import observe_errors
from postproc.verdicts.judge_icmp import judged_error
from postproc.verdicts.judge_resets import observe_resets
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import COLUMNS, JudgedReset, ResetRow
from postproc.verdicts.scoring import judged_reset, reset_identity
from support import public_captures
from support.wiresharks import Wireshark, available

CAPTURES = Path(__file__).parents[1] / "captures"
HOP_FIELDS = ("hop_limit", "hop_baseline", "hop_delta")
# Every field but those of HOP_FIELDS, and those that show what tshark alone knows.
RESET_FIELDS = tuple(
    field.name for field in WIRESHARK_FIELDS if field.name not in (*HOP_FIELDS, "baseline_frame", "sent_from", "state")
)
FLAGS = {field.name for field in WIRESHARK_FIELDS if field.type is FieldType.BOOL}
LUA_ERROR = "_ws.lua.error"
WHOLE_FILE = ("-2", "-Y", f"rstorigin || {LUA_ERROR}")  # the filter makes tshark build fields in its first pass too
MOST_SHOWN = 12  # differences that a message lists

Rows = dict[int, dict[str, str]]
FlowKey = tuple[tuple[str, int], tuple[str, int], int]  # both ends and the first frame

# Put at the end of the plugin, where its local functions are in scope: shows every observable of a reset.
_OBSERVABLES_SHOWN = """
local parity = Proto("parity", "Observables, for tests")
local observed = ProtoField.string("parity.observed", "Observed")
parity.fields = { observed }

function parity.dissector(_, pinfo, tree)
  local reset = resets[pinfo.number] and reset_of(pinfo.number)
  local moment = errors[pinfo.number]
  if reset or moment then
    local pairs_shown = {}
    for name, found in pairs(reset and observe(reset) or observe_error(moment)) do
      pairs_shown[#pairs_shown + 1] = name .. "=" .. text(found)
    end
    tree:add(parity):add(observed, table.concat(pairs_shown, ";"))
  end
end

register_postdissector(parity)
"""


@dataclass(frozen=True)
class Run:
    """What the plugin showed: its rows, the Lua errors in them, and what tshark said on stderr."""

    rows: Rows
    errors: tuple[str, ...]
    stderr: str


@dataclass(frozen=True)
class Difference:
    """One field of one frame on which the engines disagree; None where the engine has no such field."""

    capture: str
    frame: int
    field: str
    plugin: str | None
    postproc: str | None

    def __str__(self) -> str:
        """One line of a failure message."""
        return f"{self.capture} frame {self.frame} {self.field}: plugin {self.plugin!r}, postproc {self.postproc!r}"


def captures() -> list[Path]:
    """Every capture in tests/captures but most of the laboratory's random paths, which show more of the same.

    And the public captures, where they are.
    """
    plain = (path for path in CAPTURES.glob("*/*") if path.suffix in (".pcap", ".pcapng", ".cap"))
    seeds = CAPTURES.glob("lab-seeds/seed-40/[cflmrs]*.client.pcap.gz")
    return sorted([*plain, *seeds, *public_captures.CAPTURES])


def system_wireshark() -> Wireshark:
    """The Wireshark that most tests run: the first of those available."""
    return available()[0]


def compare(
    capture: Path, wireshark: Wireshark, rulebook: Rulebook, options: Sequence[str | Path] = ()
) -> list[Difference]:
    """Where the plugin, run with `options`, and postproc differ over `capture`. Asserts that the plugin ran cleanly."""
    with ThreadPoolExecutor(2) as both:
        exported = both.submit(export, capture, wireshark)
        run = run_plugin(capture, wireshark, rulebook, (*WHOLE_FILE, *options))
        raw = exported.result()
    assert not run.errors, f"{capture}: {run.errors}"
    assert run.stderr == "", f"{capture}: {run.stderr}"
    return differences(capture.name, run.rows, postproc_rows(raw, rulebook))


def differences(capture: str, plugin: Rows, postproc: Rows) -> list[Difference]:
    """Every field on which two sets of rows differ, by frame."""
    return [
        Difference(capture, frame, field, one.get(field), other.get(field))
        for frame in sorted(plugin.keys() | postproc.keys())
        for one, other in [(plugin.get(frame, {}), postproc.get(frame, {}))]
        for field in sorted(one.keys() | other.keys())
        if one.get(field) != other.get(field)
    ]


def listed(found: Sequence[Difference]) -> str:
    """The first differences, one a line."""
    lines = [str(difference) for difference in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        lines.append(f"... and {len(found) - MOST_SHOWN} more")
    return "\n".join(["the engines disagree:", *lines])


# The plugin ----------------------------------------------------------------------------------------------------------


def run_plugin(
    capture: Path,
    wireshark: Wireshark,
    rulebook: Rulebook,
    options: Sequence[str | Path] = WHOLE_FILE,
    text: str | None = None,
) -> Run:
    """The plugin's rows over `capture`, with tshark's `options`; `text` is a plugin other than `plugin_text`'s."""
    evidence = [
        *(f"evidence.{each.id}" for each in (*rulebook.rules, *rulebook.explanations)),
        *(f"icmp.{entry.id}" for entry in rulebook.icmp),
    ]
    names = [*HOP_FIELDS, *RESET_FIELDS, *evidence]
    shown = ["frame.number", *(f"rstorigin.{name}" for name in names), "parity.observed", LUA_ERROR]
    columns = [word for field in shown for word in ("-e", field)]
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        plugin = Path(folder) / PLUGIN_NAME
        plugin.write_text(text or plugin_text(rulebook), encoding="utf-8")
        result = wireshark.tshark("-r", capture, *options, "-T", "fields", *columns, scripts=[plugin])
    rows: Rows = {}
    errors = []
    for line in result.stdout.rstrip("\n").split("\n") if result.stdout else []:
        number, *values, observed, error = line.split("\t")
        if error:
            errors.append(f"frame {number}: {error}")
        found = {name: value for name, value in zip(names, values, strict=True) if value}
        for name in found.keys() & {*evidence, *FLAGS}:
            found[name] = "yes" if found[name] in ("1", "True") else "no"  # 4.0 prints 1, later ones True
        for pair in observed.split(";") if observed else []:
            name, _, value = pair.partition("=")
            found[f"observed.{name}"] = value
        if found:
            rows[int(number)] = found
    return Run(rows, tuple(errors), _without_remarks(result.stderr))


@cache
def plugin_text(rulebook: Rulebook) -> str:
    """The generated plugin, which also shows every observable."""
    return render_plugin(rulebook) + _OBSERVABLES_SHOWN


# Wireshark's own words: on a capture that was cut short (the packets before the cut are there all the same), and on its
# other dissectors' mistakes (4.0: TLS over segments that overlap), after which post-dissectors run as ever.
_REMARKS = ("cut short in the middle of a packet", "Running as user", "[Epan WARNING] -- Dissector bug, protocol")


def _without_remarks(stderr: str) -> str:
    lines = stderr.splitlines()
    return "\n".join(line for line in lines if line and not any(remark in line for remark in _REMARKS))


# Postproc ------------------------------------------------------------------------------------------------------------


def export(capture: Path, wireshark: Wireshark) -> pl.DataFrame:
    """The raw export of `capture`, by the command that postproc uses."""
    placeholder = Path("CAPTURE")
    words = arguments(placeholder, Tshark(Path("tshark"), wireshark.version[:3]).preferences())
    result = wireshark.tshark(*(capture if word == str(placeholder) else word for word in words))
    text = FieldsText(io.BytesIO(result.stdout.encode()), str(capture), "")
    raw = pl.concat([pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String())), *text.frames()])
    frames = diagnostic_frames(raw)
    if not frames:
        return raw
    words = payload_bytes.arguments(placeholder, Tshark(Path("tshark"), wireshark.version[:3]).preferences())
    result = wireshark.tshark(*(capture if word == str(placeholder) else word for word in words))
    return with_payloads(raw, payload_bytes.payloads_in(io.BytesIO(result.stdout.encode()), frames))


def postproc_rows(raw: pl.DataFrame, rulebook: Rulebook) -> Rows:
    """Postproc's rows: of resets what it judges, of other packets what its own tables say of their hop limits."""
    packets = normalise(raw)
    rows, flows = _hop_rows(packets, _icmp_frames(raw), rulebook)
    worst: dict[FlowKey, JudgedReset] = {}
    for reset, observation in observe_resets(packets, rulebook):
        judged = judged_reset("", reset_identity(reset), observation, rulebook)
        rows[reset.packet.frame] = _reset_row(judged, observation)
        flow = _flow_key(reset.flow)
        worst[flow] = max(worst.get(flow, judged), judged, key=lambda each: each.score)
    for frame, flow in flows.items():
        if flow in worst:
            rows[frame]["flow_verdict"] = worst[flow].row.verdict
    for packet, observation in observe_errors(packets, rulebook):
        rows[packet.frame] = _error_row(packet, observation, rulebook)
    return rows


def _error_row(packet: Packet, observation: Observation, rulebook: Rulebook) -> dict[str, str]:
    row = judged_error("", packet, observation, rulebook).row
    shown = {
        **_columns(row),
        "reason": row.reason or None,
        "evidence": ",".join(row.evidence) or None,
        **{f"icmp.{entry}": True for entry in row.evidence},
        **{f"observed.{name}": value for name, value in observation.items()},
    }
    return {name: value_text(value) for name, value in shown.items() if value is not None}


def _reset_row(judged: JudgedReset, observation: Observation) -> dict[str, str]:
    shown = {
        **_columns(judged.row),
        "score": judged.score,
        "reason": judged.row.reason or None,
        "evidence": ",".join(judged.row.evidence) or None,
        **{f"evidence.{rule}": True for rule in judged.row.evidence},
        **{f"observed.{name}": value for name, value in observation.items()},
    }
    return {name: value_text(value) for name, value in shown.items() if value is not None}


def _columns(row: ResetRow) -> dict[str, object]:
    """The fields of the plugin that are columns of postproc's table."""
    return {name: getattr(row, name) for name in (*HOP_FIELDS, *RESET_FIELDS) if name in COLUMNS}


def _icmp_frames(raw: pl.DataFrame) -> set[int]:
    icmp = raw.filter(pl.col("icmp.type").is_not_null() | pl.col("icmpv6.type").is_not_null())
    return set(icmp["frame.number"].cast(pl.Int64))


def _hop_rows(packets: pl.DataFrame, icmp_frames: set[int], rulebook: Rulebook) -> tuple[Rows, dict[int, FlowKey]]:
    """Hop limit, baseline and difference of every packet but resets, against its flow, or of ICMP against its host.

    Also the flow of every TCP segment, by frame.
    """
    tracker = Tracker(rulebook.thresholds)
    hosts = profile_hosts(packets, packets["src"].unique())
    shown: list[tuple[Packet, Mapping[int, int]]] = []
    flows: dict[int, FlowKey] = {}
    for packet in map(Packet._make, packets.iter_rows()):
        if packet.kind == TCP:
            tracker.follow([packet])
            flow = _flow(tracker, packet)
            flows[packet.frame] = _flow_key(flow)
            if not packet.flags & RST:
                shown.append((packet, flow.sides[packet.src, packet.sport].hop_limits))
        elif packet.frame in icmp_frames:
            host = hosts.get(packet.src, HostProfile())
            shown.append((packet, host.tcp or host.other))
    return dict(_hop_row(packet, most_frequent(dict(hop_limits))) for packet, hop_limits in shown), flows


def _flow(tracker: Tracker, packet: Packet) -> Flow:
    source, target = (packet.src, packet.sport), (packet.dst, packet.dport)
    return tracker.flows[min(source, target), max(source, target)]


def _flow_key(flow: Flow) -> FlowKey:
    return flow.low, flow.high, flow.first_frame


def _hop_row(packet: Packet, baseline: int | None) -> tuple[int, dict[str, str]]:
    row = {"hop_limit": str(packet.hop_limit)}
    if baseline is not None:
        row |= {"hop_baseline": str(baseline), "hop_delta": str(packet.hop_limit - baseline)}
    return packet.frame, row
