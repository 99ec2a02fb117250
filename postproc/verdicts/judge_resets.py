"""The packets table -> every reset, judged. Per-packet Python runs only over flows that contain a reset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import polars as pl

from heuristics.protocol.tshark_fields import FIN, SYN
from heuristics.rulebook.model import Rulebook, Thresholds
from postproc.capture.packet_table import ENDS, TCP, Packet, both_ways, is_reset, packets_of
from postproc.capture.spill import SpilledFlows
from postproc.flows.counterparts import Counterparts
from postproc.flows.handshake_rtt import repeated_handshakes, time_syn_acks
from postproc.flows.host_profile import HostProfile
from postproc.flows.host_profile_builder import profile_hosts
from postproc.flows.silence import SilentResets, count_silences
from postproc.flows.state import HostHandshakes, Reset
from postproc.flows.tracker import Tracker
from postproc.verdicts.packed_observations import PackedObservations, cut_references
from postproc.verdicts.reset_observables import FlowObservation, Observation, observe_capture, observe_flow
from postproc.verdicts.result_row import JudgedReset
from postproc.verdicts.scoring import ResetIdentity, judged_reset, reset_identity
from postproc.verdicts.shared_origin import CrossFlowCorrelation
from postproc.verdicts.tampering_signature import signature

_FLAGS = pl.col("flags")
_PART = 131_072  # rows of the packets table that are filtered at one time
_NO_PROFILE, _NO_HANDSHAKES, _NO_SILENCES = HostProfile(), HostHandshakes(), SilentResets()


def judged_resets(
    capture: str, packets: pl.DataFrame, rulebook: Rulebook, *, spilled: SpilledFlows | None = None
) -> list[JudgedReset]:
    """Every reset of one capture, judged, in frame order. `packets` is the packets table.

    Flows that are `spilled` are followed some at a time.
    """
    observer = _CaptureObserver(rulebook.thresholds)
    waiting = PackedObservations()
    for resets in observer.resets(packets, spilled):
        waiting.add(zip(_identities(resets), map(observer.observe_flow, resets), strict=True))
        cut_references(resets)
    judged = [
        judged_reset(capture, identity, observer.observe_capture(identity.packet, of_flow), rulebook)
        for identity, of_flow in waiting.drain()
    ]
    return sorted(judged, key=lambda each: each.row.frame)


def _identities(resets: Sequence[Reset]) -> Iterator[ResetIdentity]:
    """With signatures: all resets of one sender at one stage of a flow give one signature together."""
    groups: defaultdict[tuple[int, str], list[Reset]] = defaultdict(list)
    for reset in resets:
        groups[id(reset.side), reset.stage].append(reset)
    signatures = {group: signature(alike) for group, alike in groups.items()}
    return (reset_identity(reset, signatures[id(reset.side), reset.stage]) for reset in resets)


def observe_resets(packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[tuple[Reset, Observation]]:
    """Every reset of one capture in frame order, with its observables. `packets` is sorted by frame."""
    observer = _CaptureObserver(rulebook.thresholds)
    resets = [reset for part in observer.resets(packets) for reset in part]
    of_flows = [observer.observe_flow(reset) for reset in resets]  # all, before anything is asked of the capture
    for reset, of_flow in zip(resets, of_flows, strict=True):
        yield reset, observer.observe_capture(reset.packet, of_flow)


class _CaptureObserver:
    """Observes the resets of one capture: their flows, hosts and handshakes, and all resets together."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._profiles: dict[str, HostProfile] = {}
        self._handshakes: dict[str, HostHandshakes] = {}
        self._silences: dict[str, SilentResets] = {}
        self._correlation = CrossFlowCorrelation(self._profiles, thresholds)
        self._counterparts: Counterparts

    def resets(self, packets: pl.DataFrame, spilled: SpilledFlows | None = None) -> Iterator[list[Reset]]:
        """All resets in parts, each of whole flows and in frame order. Has to be exhausted before anything else."""
        resets = packets.filter(is_reset()).select(ENDS)
        if resets.is_empty():
            return
        flows, senders = both_ways(resets), resets["src"].unique()
        edges = _edges(packets, senders).join(flows, on=ENDS, how="anti")
        repeated = repeated_handshakes(edges)
        time_syn_acks(edges.join(repeated, on="frame", how="anti"), self._handshakes)
        self._profiles.update(profile_hosts(packets, senders))
        self._counterparts = Counterparts(chain([packets], spilled or ()), resets)
        in_memory = flows if spilled is None else flows.join(spilled.flows, on=ENDS, how="anti")
        yield self._follow(_packets_of_flows(packets, in_memory, repeated))
        for part in spilled or ():
            yield self._follow(part.iter_slices(_PART))

    def _follow(self, parts: Iterable[pl.DataFrame]) -> list[Reset]:
        tracker = Tracker(self._thresholds, self._handshakes)
        for part in parts:
            tracker.follow(packets_of(part))
        self._correlation.add(tracker.resets)
        count_silences(tracker.resets, self._silences)
        return tracker.resets

    def observe_flow(self, reset: Reset) -> FlowObservation:
        """The observables from the flow of a reset and the profile of its claimed sender."""
        return observe_flow(reset, self._profiles.get(reset.packet.src) or _NO_PROFILE, self._counterparts)

    def observe_capture(self, packet: Packet, of_flow: FlowObservation) -> Observation:
        """All observables of the reset `packet`."""
        handshakes = self._handshakes.get(packet.src) or _NO_HANDSHAKES
        silences = self._silences.get(packet.src, _NO_SILENCES)
        return observe_capture(
            packet, of_flow, handshakes, silences, self._correlation, self._counterparts, self._thresholds
        )


def _edges(packets: pl.DataFrame, senders: pl.Series) -> pl.DataFrame:
    """The SYNs and FINs of flows of hosts that sent resets, for the round trips to these hosts."""
    of_senders = pl.any_horizontal(pl.col("src", "dst").is_in(senders.implode()))
    return packets.filter((pl.col("kind") == TCP) & (_FLAGS & (SYN | FIN) != 0) & of_senders)


def _packets_of_flows(packets: pl.DataFrame, flows: pl.DataFrame, others: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """All packets of `flows` and the packets `others`, by frame. In parts: one table would take their memory again."""
    for part in packets.iter_slices(_PART):
        of_flows = part.filter(pl.col("kind") == TCP).join(flows, on=ENDS, how="semi", maintain_order="left")
        more = others.filter(pl.col("frame").is_between(part["frame"][0], part["frame"][-1]))
        yield of_flows if more.is_empty() else pl.concat([of_flows, more]).sort("frame")
