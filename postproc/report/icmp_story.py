"""The story of one ICMP error: who rejected what, how far the rejected packet had come, and on what evidence."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import ACCUSED, Origin, Verdict
from postproc.capture.icmp_quote import TCP_QUOTED, IcmpError
from postproc.capture.packet_table import Packet
from postproc.report.observable_lines import ObservableLine, icmp_observables
from postproc.runtime.text import plural
from postproc.verdicts.icmp_observables import error_of
from postproc.verdicts.reset_observables import Observation
from postproc.verdicts.result_row import JudgedReset, Rejection, ResetRow

_WHO = {
    Origin.ENDPOINT: "the host itself",
    Origin.MIDDLEBOX: "a firewall or another device in between",
    Origin.ROUTER: "a router on the way",
}


@dataclass(frozen=True, slots=True)
class IcmpStory:
    """The story of one ICMP error. `error` is its row, `sentence` the judgement in words, by the entry `evidence`.

    `probe_frame` is the rejected packet, None where the capture does not hold it. `observables` is empty unless they
    were asked for.
    """

    error: ResetRow
    headline: str
    sentence: str
    evidence: str
    reference: str
    rejection: Rejection
    place: str
    probe: str
    probe_frame: int | None
    packet_filter: str
    flow_filter: str
    observables: tuple[ObservableLine, ...] = ()


def build_icmp_story(
    judged: JudgedReset, packet: Packet, observation: Observation, packets: pl.DataFrame, rulebook: Rulebook
) -> IcmpStory:
    """The story of the error in `packet`. `packets` is the packets table of its capture."""
    row, rejection = judged.row, judged.rejection
    assert rejection is not None
    entry = next((entry for entry in rulebook.icmp if entry.id in row.evidence), None)
    return IcmpStory(
        error=row,
        headline=_headline(row, rejection),
        sentence=judged.words[0],
        evidence=entry.id if entry else "",
        reference=entry.reference if entry else "",
        rejection=rejection,
        place=_place(row),
        probe=_probe(row, rejection, observation),
        probe_frame=_probe_frame(packet, error_of(packet), packets),
        packet_filter=f"frame.number == {row.frame}",
        flow_filter=row.flow,
        observables=icmp_observables(observation, row.evidence, rulebook),
    )


def _headline(row: ResetRow, rejection: Rejection) -> str:
    what = f"{rejection.name}, about a packet to {rejection.target or 'an unknown host'}"
    if row.verdict == Verdict.UNCLEAR:
        return f"This capture does not show who sent it: {what}."
    probably = "" if row.verdict in (Verdict.FORGED, Verdict.GENUINE) else "probably "
    if row.verdict in ACCUSED:
        return f"It was {probably}not sent by {row.src}, but by something in between: {what}."
    return f"It was {probably}sent by {_WHO.get(Origin(row.origin), row.origin)} ({row.src}): {what}."


def _place(row: ResetRow) -> str:
    if row.distance is None:
        return "Unknown: the capture does not show its hop limit."
    away = plural(row.distance, "hop")
    if row.sender_distance is None:
        return f"Sent from about {away} away; the capture shows no other packet of {row.src}."
    return f"Sent from about {away} away; {row.src} is about {plural(row.sender_distance, 'hop')} away."


def _probe(row: ResetRow, rejection: Rejection, observation: Observation) -> str:
    quoted, beyond = observation["quoted_hop_limit"], observation["quoted_beyond"]
    if quoted is None:
        return "The rejected packet cannot be read."
    had = f"The rejected packet had hop limit {quoted} left"
    if rejection.travelled is None:
        return f"{had}."
    travelled = f"{had}. It had travelled {plural(rejection.travelled, 'hop')}"
    if not isinstance(beyond, int):
        return f"{travelled}."
    only = rejection.travelled == beyond == 1
    travelled += ", which lies beyond this capture point" if only else f", {beyond} of them beyond this capture point"
    if row.distance is None or beyond != row.distance + 1:
        return f"{travelled}."
    # A router lowers the hop limit before it drops; that of its own packets is lowered from the next one on.
    if only:
        return f"{travelled}: the rejecting device itself."
    return f"{travelled}. The last hop is the rejecting device itself."


def _probe_frame(packet: Packet, error: IcmpError, packets: pl.DataFrame) -> int | None:
    """The last TCP segment before the error that has the ends of the quoted one. Of UDP, no ports are read."""
    if error.quoted_protocol != TCP_QUOTED:
        return None
    ends = {
        "src": error.quoted_src,
        "sport": error.quoted_sport,
        "dst": error.quoted_dst,
        "dport": error.quoted_dport,
    }
    alike = packets.filter(pl.col("frame") < packet.frame, *(pl.col(name) == value for name, value in ends.items()))
    return alike["frame"][-1] if alike.height else None
