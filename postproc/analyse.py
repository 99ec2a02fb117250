"""The packets table -> every reset, judged. Per-packet Python runs only over flows that contain a reset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from heuristics.fields import FIN, RST, SYN
from heuristics.rulebook import Rulebook
from postproc.answers import note_answers, odd_flows
from postproc.company import Company
from postproc.flows import Tracker
from postproc.hosts import HostProfile
from postproc.observe import Observation, observe
from postproc.packets import ENDS, TCP, both_ways, packets_of
from postproc.profiles import profile_hosts
from postproc.resets import JudgedReset, ResetRow
from postproc.signature import signature
from postproc.state import Answers, Reset
from postproc.weigh import judged_reset

_FLAGS = pl.col("flags")
_AT_ONCE = 131_072  # packets that are looked through at a time


def judge_packets(capture: str, packets: pl.DataFrame, rulebook: Rulebook) -> list[ResetRow]:
    """Every reset of one capture, judged, in frame order. `packets` is the packets table (`packets.normalise`)."""
    return [judged.row for judged in judged_resets(capture, packets, rulebook)]


def judged_resets(capture: str, packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[JudgedReset]:
    """The same, each with its score, its evidence in words, and its signature."""
    judged: list[JudgedReset] = []
    groups: list[tuple[int, str]] = []  # the sender's side of the flow, and the stage
    resets: defaultdict[tuple[int, str], list[Reset]] = defaultdict(list)
    for reset, observation in observe_resets(packets, rulebook):
        judged.append(judged_reset(capture, reset, observation, rulebook))
        groups.append((id(reset.side), reset.stage))
        resets[groups[-1]].append(reset)
    signatures = {group: signature(alike) for group, alike in resets.items()}
    for each, group in zip(judged, groups, strict=True):
        yield replace(each, signature=signatures[group])


def observe_resets(packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[tuple[Reset, Observation]]:
    """Every reset of one capture in frame order, with its observables. `packets` is sorted by frame."""
    resets = packets.filter((pl.col("kind") == TCP) & (_FLAGS & RST != 0)).select(ENDS)
    if resets.is_empty():
        return
    flows = both_ways(resets)
    senders = resets["src"].unique()
    edges = _edges(packets, senders).join(flows, on=ENDS, how="anti")
    odd = odd_flows(edges)
    tracker = Tracker(rulebook.thresholds)
    for part in _followed(packets, flows, odd):
        tracker.follow(packets_of(part))
    note_answers(edges.join(odd, on="frame", how="anti"), tracker.answers)
    profiles = profile_hosts(packets, senders)
    company = Company(tracker.resets, profiles, rulebook.thresholds)
    unseen, unanswered = HostProfile(), Answers()
    for reset in tracker.resets:
        source = reset.packet.src
        host, answers = profiles.get(source, unseen), tracker.answers.get(source, unanswered)
        yield reset, observe(reset, host, answers, company, rulebook.thresholds)


def _edges(packets: pl.DataFrame, senders: pl.Series) -> pl.DataFrame:
    """What begins and ends flows of hosts that sent resets, which times these hosts."""
    of_senders = pl.any_horizontal(pl.col("src", "dst").is_in(senders.implode()))
    return packets.filter((pl.col("kind") == TCP) & (_FLAGS & (SYN | FIN) != 0) & of_senders)


def _followed(packets: pl.DataFrame, flows: pl.DataFrame, odd: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Flows with a reset, whole, and the packets `odd`, by frame; in parts, since all would take their memory again."""
    for part in packets.iter_slices(_AT_ONCE):
        in_flows = part.filter(pl.col("kind") == TCP).join(flows, on=ENDS, how="semi", maintain_order="left")
        others = odd.filter(pl.col("frame").is_between(part["frame"][0], part["frame"][-1]))
        yield in_flows if others.is_empty() else pl.concat([in_flows, others]).sort("frame")
