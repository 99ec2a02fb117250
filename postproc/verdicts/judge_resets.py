"""The packets table -> every reset, judged. Per-packet Python runs only over flows that contain a reset."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from heuristics.protocol.tshark_fields import FIN, SYN
from heuristics.rulebook.model import Rulebook, Thresholds
from postproc.capture.packet_table import ENDS, TCP, Packet, both_ways, is_reset, packets_of
from postproc.capture.spill import SpilledFlows
from postproc.flows.handshake_rtt import note_answers, odd_flows
from postproc.flows.host_profile import HostProfile
from postproc.flows.host_profile_builder import profile_hosts
from postproc.flows.state import Answers, Reset
from postproc.flows.tracker import Tracker
from postproc.verdicts.reset_observables import InFlow, Observation, observe_capture, observe_flow
from postproc.verdicts.result_row import JudgedReset
from postproc.verdicts.scoring import Named, judged_reset, named
from postproc.verdicts.shared_origin import Company
from postproc.verdicts.tampering_signature import signature

_FLAGS = pl.col("flags")
_AT_ONCE = 131_072  # packets that are looked through at a time
_UNSEEN, _UNANSWERED = HostProfile(), Answers()


def judged_resets(
    capture: str, packets: pl.DataFrame, rulebook: Rulebook, apart: SpilledFlows | None = None
) -> list[JudgedReset]:
    """Every reset of one capture, judged, in frame order; `packets` is the packets table (`packets.normalise`).

    Flows that are kept `apart` are followed some at a time. Of each reset what its flow says is kept, packed, until
    all that the capture says of it is known.
    """
    of_all = _OfAll(rulebook.thresholds)
    noted: list[bytes] = []
    for resets in of_all.resets(packets, apart):
        noted.append(pickle.dumps([*zip(_named(resets), map(of_all.in_flow, resets), strict=True)], -1))
        for reset in resets:  # which would keep each other, and their flows, in memory
            reset.side.recent_resets, reset.side.last_reset = [], None
    judged: list[JudgedReset] = []
    while noted:
        for name, in_flow in pickle.loads(noted.pop()):
            judged.append(judged_reset(capture, name, of_all.observed(name.packet, in_flow), rulebook))
    return sorted(judged, key=lambda each: each.row.frame)


def _named(resets: Sequence[Reset]) -> Iterator[Named]:
    """With their signatures, which those of one sender have together, at one stage of a flow."""
    groups: defaultdict[tuple[int, str], list[Reset]] = defaultdict(list)
    for reset in resets:
        groups[id(reset.side), reset.stage].append(reset)
    signatures = {group: signature(alike) for group, alike in groups.items()}
    return (named(reset, signatures[id(reset.side), reset.stage]) for reset in resets)


def observe_resets(packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[tuple[Reset, Observation]]:
    """Every reset of one capture in frame order, with its observables. `packets` is sorted by frame."""
    of_all = _OfAll(rulebook.thresholds)
    for reset in [reset for resets in of_all.resets(packets) for reset in resets]:
        yield reset, of_all.observed(reset.packet, of_all.in_flow(reset))


class _OfAll:
    """What a capture says of its resets beyond their flows: their hosts, how these answered, and all other resets."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._profiles: dict[str, HostProfile] = {}
        self._answers: dict[str, Answers] = {}
        self._company = Company(self._profiles, thresholds)

    def resets(self, packets: pl.DataFrame, apart: SpilledFlows | None = None) -> Iterator[list[Reset]]:
        """All resets, in parts that have all of a flow, each in frame order. To be asked for before anything else."""
        resets = packets.filter(is_reset()).select(ENDS)
        if resets.is_empty():
            return
        flows, senders = both_ways(resets), resets["src"].unique()
        edges = _edges(packets, senders).join(flows, on=ENDS, how="anti")
        odd = odd_flows(edges)
        note_answers(edges.join(odd, on="frame", how="anti"), self._answers)
        self._profiles.update(profile_hosts(packets, senders))
        here = flows if apart is None else flows.join(apart.flows, on=ENDS, how="anti")
        yield self._followed(_in_flows(packets, here, odd))
        for part in apart or ():
            yield self._followed(part.iter_slices(_AT_ONCE))

    def _followed(self, parts: Iterable[pl.DataFrame]) -> list[Reset]:
        tracker = Tracker(self._thresholds, self._answers)
        for part in parts:
            tracker.follow(packets_of(part))
        self._company.note(tracker.resets)
        return tracker.resets

    def in_flow(self, reset: Reset) -> InFlow:
        """What its flow says, and the host that it names."""
        return observe_flow(reset, self._profiles.get(reset.packet.src) or _UNSEEN, self._thresholds)

    def observed(self, packet: Packet, in_flow: InFlow) -> Observation:
        """Everything the capture says of the reset `packet`."""
        answers = self._answers.get(packet.src) or _UNANSWERED
        return observe_capture(packet, in_flow, answers, self._company, self._thresholds)


def _edges(packets: pl.DataFrame, senders: pl.Series) -> pl.DataFrame:
    """What begins and ends flows of hosts that sent resets, which times these hosts."""
    of_senders = pl.any_horizontal(pl.col("src", "dst").is_in(senders.implode()))
    return packets.filter((pl.col("kind") == TCP) & (_FLAGS & (SYN | FIN) != 0) & of_senders)


def _in_flows(packets: pl.DataFrame, flows: pl.DataFrame, odd: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Flows with a reset, whole, and the packets `odd`, by frame; in parts, since all would take their memory again."""
    for part in packets.iter_slices(_AT_ONCE):
        in_flows = part.filter(pl.col("kind") == TCP).join(flows, on=ENDS, how="semi", maintain_order="left")
        others = odd.filter(pl.col("frame").is_between(part["frame"][0], part["frame"][-1]))
        yield in_flows if others.is_empty() else pl.concat([in_flows, others]).sort("frame")
