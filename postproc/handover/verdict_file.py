"""The result of a capture -> the file from which the plugin takes the verdicts over.

The file is text: a record a line, its values separated by tabs; backslash, tab and line feed in a value are escaped.
The first word of a line says what it holds:

    rstorigin-verdicts  version of the format
    begin               capture time of the first frame (us since 1970): the plugin compares it with that of its file
    link                link layer of all packets; left out where there are several, or one that the plugin cannot read
    columns             the names of the values of a record, with their type where it is not text
    judged              a record: frame, then the values of `columns`
    fired               a rule or explanation that fired for the record before: id, weight, former ids, sentence
    sender              address as bytes (hex) and as text, its most frequent hop limit
    flow                first and last frame, verdict, display filter, frames of its resets, key of each direction (hex)
    sent_by             frames of all resets of one presumed sender; of hosts and unknown senders, of those in one name
    summary             a line of the summary
    end                 that the file is whole

The plugin reads it (generator/templates/handover/verdict_file.lua.j2).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from generator.render import VERDICT_FILE_VERSION
from heuristics.observables.output_columns import OUTPUT_COLUMNS, OutputColumn
from heuristics.presumed_sender import IN_OWN_NAME
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import evidence_weights
from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import CapturePoint
from postproc.flows.flow_table import unpacked
from postproc.report.presumed_senders import resets_by_sender
from postproc.report.rulebook_entries import RulebookEntries
from postproc.verdicts.result_row import JudgedReset

_TYPES = {int: "number", float: "number", bool: "bool"}
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class CaptureStart:
    """How a capture begins: the time of its first frame (us since 1970), and its link layer as the plugin names it.

    `link` is empty where packets have several link layers, or one that the plugin cannot read.
    """

    time_us: int
    link: str = ""


def verdict_lines(result: CaptureResult, start: CaptureStart, rulebook: Rulebook, summary: str) -> Iterator[str]:
    """The lines of the file, each with its line feed. `result` has a table of flows."""
    yield _line("rstorigin-verdicts", VERDICT_FILE_VERSION)
    yield _line("begin", start.time_us)
    if start.link:
        yield _line("link", start.link)
    yield _line(
        "columns", "time_us:number", "score:number", *(name for column in OUTPUT_COLUMNS for name in _names(column))
    )
    for judged in (*result.resets, *result.errors):
        yield from _record(judged, rulebook)
    yield from _senders(result.capture_point)
    yield from _flows(result)
    yield from _presumed_senders(result, rulebook)
    yield from (_line("summary", line) for line in summary.splitlines())
    yield _line("end")


def _names(column: OutputColumn) -> list[str]:
    """The names of a column in a record: its own, and that of the observable that the packet details ask for."""
    kind = _TYPES.get(column.type)
    names = dict.fromkeys(filter(None, (column.name, column.observable)))
    return [f"{name}:{kind}" if kind else name for name in names]


def _record(judged: JudgedReset, rulebook: Rulebook) -> Iterator[str]:
    row = judged.row
    values = (_text(getattr(row, column.name)) for column in OUTPUT_COLUMNS for _ in _names(column))
    yield _line("judged", row.frame, round(row.time * 1_000_000), judged.score, *values)
    if row.kind == "icmp":
        yield from (_line("fired", id_, 0, "", words) for id_, words in zip(row.evidence, judged.words, strict=True))
        return
    weights = evidence_weights(rulebook, row.evidence, judged.score)
    for id_, weight, words in zip(row.evidence, weights, judged.words, strict=True):
        former = getattr(rulebook.evidence(id_), "was", ())
        yield _line("fired", id_, weight, ",".join(former), words)


def _senders(point: CapturePoint) -> Iterator[str]:
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for host, hop_limit, packets in zip(point.hosts, point.hop_limits, point.packets, strict=True):
        counts[host][hop_limit] += packets
    for host, hop_limits in counts.items():
        yield _line("sender", _bytes(host), host, hop_limits.most_common(1)[0][0])


def _flows(result: CaptureResult) -> Iterator[str]:
    resets: defaultdict[str, list[JudgedReset]] = defaultdict(list)
    for judged in result.resets:
        resets[judged.row.flow].append(judged)
    flows = unpacked(result.flows).select("flow", "src", "sport", "dst", "dport", "first_frame", "last_frame")
    for flow, src, sport, dst, dport, first, last in flows.iter_rows():
        if of_flow := resets.get(flow):
            worst = max(of_flow, key=lambda judged: judged.score).row.verdict
            frames = " ".join(str(judged.row.frame) for judged in of_flow)
            ends = (_key(src, sport, dst, dport), _key(dst, dport, src, sport))
            yield _line("flow", first, last, worst, flow, frames, *ends)


def _presumed_senders(result: CaptureResult, rulebook: Rulebook) -> Iterator[str]:
    for key, group in resets_by_sender(result.resets, RulebookEntries(rulebook), {}).items():
        frames: defaultdict[str, list[int]] = defaultdict(list)
        for judged in group:
            frames[judged.row.src if key.who in IN_OWN_NAME else ""].append(judged.row.frame)
        yield from (_line("sent_by", " ".join(map(str, sorted(numbers)))) for numbers in frames.values())


def _key(src: str, sport: int, dst: str, dport: int) -> str:
    """Addresses and ports as they stand in the headers, in hex."""
    return f"{_bytes(src)}{_bytes(dst)}{sport:04x}{dport:04x}"


def _bytes(address: str) -> str:
    return ip_address(address).packed.hex()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _line(*values: object) -> str:
    return "\t".join(str(value).translate(_ESCAPES) for value in values) + "\n"
