"""The story of one reset, for a reader who must convince others. story_text.py writes it as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from heuristics.language.expressions import named
from heuristics.protocol.tshark_fields import ACK, FIN, RST, SYN
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict, evidence_weights
from heuristics.rulebook.statements import Explanation, Rule
from postproc.capture.packet_table import TCP, Packet, authentic, packets_of
from postproc.flows.state import Flow, Reset
from postproc.report.capture_advice import advise
from postproc.report.field_comparison import RELATIVE_TIME, Comparison, Details, compare
from postproc.report.observable_lines import ObservableLine, reset_observables
from postproc.report.rulebook_entries import RulebookEntries
from postproc.runtime.text import plural
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, ResetRow

_FLAGS = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (0x08, "PSH"), (ACK, "ACK"), (0x20, "URG"))  # RFC 9293 section 3.1

# How many packets of a flow the ladder shows.
_WHOLE = 24  # a flow of at most so many packets is shown as a whole
_AT_THE_START, _BEFORE, _AFTER, _AT_THE_END = 4, 8, 6, 2

_NO_DISTANCE = 2  # hop limits up to this are set on purpose
_CREDIBLE_DISTANCE = 40  # hops; a larger one means an unusual initial hop limit (the rules on distance agree)


@dataclass(frozen=True, slots=True)
class End:
    """One end of the flow. "A" opened the connection; if that is unknown, "B" is the named sender of the reset."""

    letter: str
    address: str
    port: int
    role: str


@dataclass(frozen=True, slots=True)
class Step:
    """A packet of the flow. `time_us` counts from the first frame of the capture, as Wireshark shows times by default
    (from the first packet of the flow where that frame's time is not known). `sender` is the letter of an End.
    """

    frame: int
    time_us: int
    sender: str
    flags: tuple[str, ...]
    payload_len: int
    hop_limit: int | None
    note: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many packets of a long flow the ladder leaves out here."""

    packets_left_out: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A rule that fired, or the explanation taken. `weight` is in centi-nats, positive for a sender in between.

    `explained` says whether the explanation takes the weight of this rule away.
    """

    rule: str
    weight: int
    sentence: str
    reference: str
    explained: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """The story of one reset. `score` and `prior` (the score before any evidence) are in centi-nats.

    `headline` says who sent the reset, `place` where it was sent from, in a sentence each. `against` is the evidence
    for a sender in between, heaviest first, `in_favour` the evidence for the endpoint. `packet_filter` and
    `flow_filter` are display filters, `comparison.columns[0]` is the reset. `advice` says what to capture next.
    `explanation` is the title of the story that accounts for several signs, empty if none was taken. `of_sender` are
    the resets of the same presumed sender, if they were asked for.
    """

    reset: ResetRow
    headline: str
    place: str
    score: int
    prior: int
    against: tuple[Evidence, ...]
    in_favour: tuple[Evidence, ...]
    ends: tuple[End, End]
    ladder: tuple[Step | LeftOut, ...]
    comparison: Comparison
    advice: tuple[str, ...]
    explanation: str
    packet_filter: str
    flow_filter: str
    observables: tuple[ObservableLine, ...] = ()
    of_sender: tuple[ResetRow, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryMaterial:
    """One reset, with everything that its story needs. `flow` holds the packets of its flow in file order.

    `compared` are packets with their titles: the reset, the baseline packet if there is one, and the packet that the
    reset copies from if there is one.
    """

    judged: JudgedReset
    reset: Reset
    observation: Observation
    flow: Sequence[Packet]
    compared: Sequence[tuple[str, Packet]]

    @property
    def frames(self) -> list[int]:
        """The frame numbers of the compared packets."""
        return [packet.frame for _, packet in self.compared]


def gather_material(
    judged: JudgedReset, reset: Reset, observation: Observation, packets: pl.DataFrame
) -> StoryMaterial:
    """The material about `reset`. `packets` is the packets table of its capture."""
    flow = _flow_packets(packets, reset.flow)
    return StoryMaterial(judged, reset, observation, flow, _compared(judged.row, reset, flow, packets))


def build_story(
    material: StoryMaterial,
    details: Mapping[int, Details],
    rulebook: Rulebook,
    of_sender: Sequence[JudgedReset] = (),
) -> Story:
    """The story of a reset. `details` has further fields of the compared packets, by frame number.

    `of_sender` are the resets of the same presumed sender, if the story is to list them.
    """
    row = material.judged.row
    against, in_favour = _evidence(material.judged, rulebook)
    nearer = RulebookEntries(rulebook).measures(row.where)
    accusing = [rule for id_ in row.evidence if isinstance(rule := rulebook.evidence(id_), Rule) and rule.weight > 0]
    return Story(
        reset=row,
        headline=_headline(row, client_named=bool(material.reset.sender_is_initiator), nearer=nearer),
        place=_sent_from(row),
        score=material.judged.score,
        prior=rulebook.verdict.prior,
        against=against,
        in_favour=in_favour,
        ends=_ends(material.reset),
        ladder=_ladder(material, _start_us(material.reset.packet, details)),
        comparison=compare(material.compared, details, set().union(*(named(rule.condition) for rule in accusing))),
        advice=advise(rulebook, {**material.observation, "verdict": row.verdict, "origin": row.origin}),
        explanation=next((each.title for each in map(rulebook.evidence, row.evidence) if _is_story(each)), ""),
        packet_filter=f"frame.number == {row.frame}",
        flow_filter=row.flow,
        observables=reset_observables(material.observation, row.evidence, rulebook),
        of_sender=tuple(reset.row for reset in of_sender),
    )


def _is_story(evidence: Rule | Explanation) -> bool:
    return isinstance(evidence, Explanation)


def _start_us(packet: Packet, details: Mapping[int, Details]) -> int | None:
    """The time of the first frame of the capture, if `details` say how long after it `packet` passed."""
    after = details.get(packet.frame, {}).get(RELATIVE_TIME)
    return None if after is None else packet.time_us - round(float(after) * 1_000_000)


def _flow_packets(packets: pl.DataFrame, flow: Flow) -> list[Packet]:
    """The packets of one flow, resets included, in file order."""

    def between(source: tuple[str, int], target: tuple[str, int]) -> pl.Expr:
        ends = {"src": source[0], "sport": source[1], "dst": target[0], "dport": target[1]}
        return pl.all_horizontal(pl.col(name) == value for name, value in ends.items())

    here = pl.col("frame").is_between(flow.first_frame, flow.last_frame) & (pl.col("kind") == TCP)
    either = between(flow.low, flow.high) | between(flow.high, flow.low)
    return list(packets_of(packets.filter(here & either)))


def _compared(row: ResetRow, reset: Reset, flow: Sequence[Packet], packets: pl.DataFrame) -> list[tuple[str, Packet]]:
    compared = [("this reset", reset.packet)]
    baseline = _baseline_packet(row, packets)
    if baseline is None:
        return compared
    kind = "sender's own, same flow" if row.hop_limit is None else f"baseline, same {row.baseline_source}"
    compared.append((kind, baseline))
    if row.hop_limit not in (None, baseline.hop_limit):
        alike = (packet for packet in flow if not packet.flags & RST and packet.hop_limit == row.hop_limit)
        compared += [("same hop limit", packet) for packet in alike if packet.src == row.src][:1]
    if reset.id_mirrored or reset.window_mirrored or reset.reserved_mirrored:
        peer = (row.dst, row.dport)
        before = [packet for packet in flow if packet.frame < row.frame and not packet.flags & RST]
        compared += [("the packet it answers", packet) for packet in before if (packet.src, packet.sport) == peer][-1:]
    return compared


def _baseline_packet(row: ResetRow, packets: pl.DataFrame) -> Packet | None:
    """The last packet of the sender with the baseline hop limit before the reset, or else the first after it.

    In a text without hop limits, any of its packets in the flow will do.
    """
    if row.hop_baseline is None and row.hop_limit is not None:
        return None
    tcp = pl.col("kind") == TCP
    alike = packets.filter(
        pl.col("src") == row.src,
        pl.col("hop_limit").eq_missing(row.hop_baseline),
        authentic(),
    )
    if row.baseline_source != "host":
        alike = alike.filter(tcp, pl.col("sport") == row.sport, pl.col("dst") == row.dst, pl.col("dport") == row.dport)
    elif alike.select(tcp.any()).item():  # as in HostProfile.baseline: other protocols count only if there is no TCP
        alike = alike.filter(tcp)
    before = alike.filter(pl.col("frame") < row.frame)
    chosen = before.tail(1) if before.height else alike.head(1)
    return next(packets_of(chosen), None)


def _ends(reset: Reset) -> tuple[End, End]:
    packet = reset.packet
    sender, peer = (packet.src, packet.sport), (packet.dst, packet.dport)
    left, right = (sender, peer) if reset.sender_is_initiator else (peer, sender)

    def end(letter: str, point: tuple[str, int]) -> End:
        roles = ["named as the sender of the reset"] if point == sender else []
        roles += ["opened the connection"] if point == reset.flow.initiator else []
        return End(letter, *point, role=" and ".join(reversed(roles)))

    return end("A", left), end("B", right)


def _ladder(material: StoryMaterial, start_us: int | None) -> tuple[Step | LeftOut, ...]:
    start_us = material.flow[0].time_us if start_us is None else start_us
    flow, notes = material.flow, {packet.frame: title for title, packet in material.compared}
    left = _ends(material.reset)[0]
    here = next(index for index, packet in enumerate(flow) if packet.frame == material.reset.packet.frame)
    shown = _shown(len(flow), here) | {index for index, packet in enumerate(flow) if packet.frame in notes}
    ladder: list[Step | LeftOut] = []
    last = -1
    for index in [*sorted(shown), len(flow)]:
        if index - last > 1:
            ladder.append(LeftOut(index - last - 1))
        last = index
        if index < len(flow):
            packet = flow[index]
            sender = "A" if (packet.src, packet.sport) == (left.address, left.port) else "B"
            note = notes.get(packet.frame, "another reset" if packet.flags & RST else "")
            flags = tuple(name for flag, name in _FLAGS if packet.flags & flag)
            ladder.append(
                Step(
                    frame=packet.frame,
                    time_us=packet.time_us - start_us,
                    sender=sender,
                    flags=flags,
                    payload_len=packet.payload_len,
                    hop_limit=packet.hop_limit,
                    note=note,
                )
            )
    return tuple(ladder)


def _shown(count: int, here: int) -> set[int]:
    """The indices of the packets to show, out of `count`, around the one at `here`."""
    if count <= _WHOLE:
        return set(range(count))
    around = range(max(here - _BEFORE, 0), min(here + _AFTER + 1, count))
    return {*range(_AT_THE_START), *around, *range(count - _AT_THE_END, count)}


def _evidence(judged: JudgedReset, rulebook: Rulebook) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """The evidence for a sender in between, and the evidence for the endpoint, each heaviest first."""
    weights = evidence_weights(rulebook, judged.row.evidence, judged.score)
    found = [rulebook.evidence(id_) for id_ in judged.row.evidence]
    story = next((each for each in found if isinstance(each, Explanation)), None)
    evidence = [
        Evidence(id_, weight, words, entry.reference, explained=_explained(entry, story))
        for id_, entry, weight, words in zip(judged.row.evidence, found, weights, judged.words, strict=True)
    ]
    heaviest = sorted(evidence, key=lambda each: -abs(each.weight))
    return (
        tuple(each for each in heaviest if each.weight > 0),
        tuple(each for each in heaviest if each.weight <= 0),
    )


def _explained(entry: Rule | Explanation, story: Explanation | None) -> bool:
    """Whether the explanation that was taken takes the weight of a rule away."""
    if story is None or not isinstance(entry, Rule) or entry.id not in story.explains:
        return False
    return entry.weight < 0 if story.accuses else entry.weight > 0


def _headline(row: ResetRow, *, client_named: bool, nearer: bool) -> str:
    """Who sent it. `client_named`: it names the initiator; `nearer`: its hop limit shows a place before the sender."""
    sure = row.verdict in (Verdict.FORGED, Verdict.GENUINE)
    if row.verdict == Verdict.UNCLEAR:
        return f"This capture does not show who sent it: {row.reason}."
    probably = "" if sure else "probably "
    if row.origin == Origin.FRONT_END:
        where = "in the name of the client" if client_named else "in front of"
        return f"It was {probably}sent by a load balancer or proxy {where} {row.src}."
    if row.verdict in ACCUSED:
        return (
            f"It was {probably}not sent by {row.src}, but by {'something in between' if nearer else 'another device'}."
        )
    return f"It was {probably}sent by {row.src} itself."


def _sent_from(row: ResetRow) -> str:
    """How far from the capture point the reset was sent, and how far away its named sender is."""
    here, there = row.distance, row.sender_distance
    if row.hop_limit is None or here is None:
        return "Unknown: this text has no hop limits, which tell distances."
    if row.hop_limit <= _NO_DISTANCE:
        return f"Unknown: a hop limit of {row.hop_limit} tells no distance, as packets for neighbours start from there."
    if max(here, there or 0) > _CREDIBLE_DISTANCE:
        return "Unknown: a hop limit so far from all usual initial ones (32, 64, 128, 255) tells no distance."
    sent = f"Sent from about {plural(here, 'hop')} away" if here else "Sent from this very link (0 hops away)"
    if there is None:
        return f"{sent}; how far away {row.src} is, this capture does not show."
    if here == there:
        return f"{sent}; so are the other packets of {row.src}."
    other = ", by packets of its other flows" if row.baseline_source == "host" else ""
    return f"{sent}; {row.src} is about {plural(there, 'hop')} away{other}."
