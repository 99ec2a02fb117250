"""The observables of ICMP and ICMPv6 errors: who rejected a packet, and where.

Names and meaning: heuristics/observables/icmp_vocabulary.py. The plugin does the same in Lua
(generator/templates/judge/icmp_observables.lua.j2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from heuristics.protocol.hop_limit import distance, distance_if_known, initial_hop_limit
from heuristics.protocol.icmp_codes import IcmpClass, icmp_meaning
from heuristics.protocol.tshark_fields import ACK, ICMP_REDIRECT, SYN, USED_UP
from heuristics.rulebook.model import Rulebook
from postproc.capture.icmp_quote import TCP_QUOTED, IcmpError
from postproc.capture.packet_table import ENDS, ICMP_ERROR, TCP, Packet, authentic, both_ways, packets_of
from postproc.flows.host_profile import HostProfile, nearest, share
from postproc.flows.host_profile_builder import profile_hosts
from postproc.flows.reset_context import stage_of
from postproc.flows.tcp_arithmetic import elapsed_us
from postproc.flows.tracker import Tracker
from postproc.verdicts.reset_observables import Observation

_REFUSALS = (IcmpClass.PROHIBITED, IcmpClass.PORT)
_UNSPECIFIED = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """The state when an error passed: the stage of the TCP flow that it quotes, the target's last packet (us)."""

    stage: str
    target_us: int | None


@dataclass(frozen=True, slots=True)
class _Hosts:
    """What the whole capture shows of the hosts that errors name."""

    profiles: dict[str, HostProfile]
    last_frames: dict[str, int]
    accepting: frozenset[tuple[str, int]]
    refusing: frozenset[tuple[str, str]]  # source and target of errors of the classes in _REFUSALS

    def profile(self, address: str) -> HostProfile:
        return self.profiles.get(address) or HostProfile()


def observe_errors(packets: pl.DataFrame, rulebook: Rulebook) -> Iterator[tuple[Packet, Observation]]:
    """Every ICMP error of one capture in frame order, with its observables. `packets` is sorted by frame."""
    errors = _judged_errors(packets)
    if errors.is_empty():
        return
    hosts = _hosts(packets, errors)
    contexts = _contexts(packets, errors, rulebook)
    for packet in packets_of(errors):
        yield packet, _observe_error(packet, error_of(packet), contexts[packet.frame], hosts)


def error_of(packet: Packet) -> IcmpError:
    """Type, code and quoted packet of a packet of kind ICMP_ERROR."""
    assert packet.error is not None
    return IcmpError(**packet.error)


def _judged_errors(packets: pl.DataFrame) -> pl.DataFrame:
    redirect = (pl.col("ip_version") == 4) & (pl.col("error").struct.field("icmp_type") == ICMP_REDIRECT)
    return packets.filter((pl.col("kind") == ICMP_ERROR) & ~redirect)


def _hosts(packets: pl.DataFrame, errors: pl.DataFrame) -> _Hosts:
    quoted = errors.select(pl.col("error").struct.unnest())
    addresses = {*errors["src"], *quoted["quoted_src"], *quoted["quoted_dst"]}
    of_hosts = packets.filter(authentic() & pl.col("src").is_in(list(addresses)))
    last = of_hosts.group_by("src").agg(pl.col("frame").max())
    handshakes = of_hosts.filter((pl.col("kind") == TCP) & (pl.col("flags") & (SYN | ACK) == SYN | ACK))
    return _Hosts(
        profiles=profile_hosts(packets, addresses),
        last_frames=dict(last.iter_rows()),
        accepting=frozenset(handshakes.select("src", "sport").iter_rows()),
        refusing=frozenset(_refusals(packets_of(errors))),
    )


def _refusals(errors: Iterable[Packet]) -> Iterator[tuple[str, str]]:
    for packet in errors:
        error = error_of(packet)
        if icmp_meaning(packet.ip_version, error.icmp_type, error.icmp_code).icmp_class in _REFUSALS:
            yield packet.src, error.quoted_dst


def _contexts(packets: pl.DataFrame, errors: pl.DataFrame, rulebook: Rulebook) -> dict[int, ErrorContext]:
    """By frame. Follows the flows that errors quote, and finds the last packet of each target before the error."""
    quotes = errors.select("frame", pl.col("error").struct.unnest())
    targets = quotes["quoted_dst"].unique().implode()
    of_targets = packets.filter(authentic() & pl.col("src").is_in(targets)).select("frame", "src", "time_us")
    target_us = dict(
        quotes.select("frame", src="quoted_dst")
        .join_asof(of_targets, on="frame", by="src", check_sortedness=False)
        .select("frame", "time_us")
        .iter_rows()
    )
    stages = _stages(packets, quotes.filter(pl.col("quoted_protocol") == TCP_QUOTED), rulebook)
    return {frame: ErrorContext(stages.get(frame, "unknown"), target_us[frame]) for frame in quotes["frame"]}


def _stages(packets: pl.DataFrame, quotes: pl.DataFrame, rulebook: Rulebook) -> dict[int, str]:
    """The stage of the flow that each error in `quotes` is about, by the error's frame."""
    if quotes.is_empty():
        return {}
    ends = quotes.select("frame", src="quoted_src", sport="quoted_sport", dst="quoted_dst", dport="quoted_dport")
    ends = ends.cast({"sport": pl.Int64, "dport": pl.Int64})
    tcp = packets.filter(pl.col("kind") == TCP).join(both_ways(ends), on=ENDS, how="semi")
    segments = packets_of(tcp.sort("frame"))
    tracker, stages = Tracker(rulebook.thresholds), {}
    waiting = next(segments, None)
    for frame, src, sport, dst, dport in ends.sort("frame").iter_rows():
        while waiting is not None and waiting.frame < frame:
            tracker.follow([waiting])
            waiting = next(segments, None)
        flow = tracker.flows.get((min((src, sport), (dst, dport)), max((src, sport), (dst, dport))))
        stages[frame] = stage_of(flow) if flow else "unknown"
    return stages


def _observe_error(packet: Packet, error: IcmpError, context: ErrorContext, hosts: _Hosts) -> Observation:
    meaning = icmp_meaning(packet.ip_version, error.icmp_type, error.icmp_code)
    quoted = error.quoted_hop_limit
    target = _observe_target(packet, error, context, hosts)
    prober = _observe_prober(error, hosts.profile(error.quoted_src))
    beyond, closest = prober["quoted_beyond"], target["target_nearest"]
    return {
        "ip_version": packet.ip_version,
        "icmp_type": error.icmp_type,
        "icmp_code": error.icmp_code,
        "icmp_name": meaning.name,
        "icmp_class": meaning.icmp_class.value,
        "hop_limit": packet.hop_limit,
        "distance": distance_if_known(packet.hop_limit),
        "quoted_hop_limit": quoted,
        "quoted_travelled": travelled(quoted),
        "quoted_protocol": error.quoted_protocol,
        "stage": context.stage,
        "from_target": packet.src == error.quoted_dst if error.quoted_dst else None,
        "to_prober": packet.dst == error.quoted_src if error.quoted_src else None,
        "source_unspecified": packet.src in _UNSPECIFIED,
        **target,
        **_observe_source(packet, hosts.profile(packet.src)),
        "source_refuses": (packet.src, error.quoted_dst) in hosts.refusing,
        **prober,
        "quoted_short": closest - beyond if isinstance(closest, int) and isinstance(beyond, int) else None,
    }


def _observe_target(packet: Packet, error: IcmpError, context: ErrorContext, hosts: _Hosts) -> Observation:
    host = hosts.profile(error.quoted_dst)
    distances, baseline = host.distances(), host.baseline()
    return {
        "target_packets": sum(distances.values()),
        "target_distance": None if baseline is None else distance(baseline),
        "target_nearest": min(distances, default=None),
        "target_share": share(distances),
        "target_gap": nearest(distance_if_known(packet.hop_limit), distances),
        "target_idle_us": None if context.target_us is None else elapsed_us(packet.time_us, context.target_us),
        "target_after": hosts.last_frames.get(error.quoted_dst, 0) > packet.frame,
        "port_answers": error.quoted_protocol == TCP_QUOTED
        and (error.quoted_dst, error.quoted_dport) in hosts.accepting,
    }


def _observe_source(packet: Packet, host: HostProfile) -> Observation:
    distances, baseline = host.distances(), host.baseline()
    return {
        "source_packets": sum(distances.values()),
        "source_share": share(distances),
        "source_gap": nearest(distance_if_known(packet.hop_limit), distances),
        "hop_baseline": baseline,
    }


def travelled(quoted: int | None) -> int | None:
    """The hops that the probe had travelled. A hop limit that is used up, as traceroute sends it, does not say."""
    return None if quoted is None or quoted <= USED_UP else distance(quoted)


def _started_from(quoted: int, values: Iterable[int]) -> int | None:
    """The hop limit that the probe may have had at the capture point: the largest with the same initial hop limit."""
    initial = initial_hop_limit(quoted)
    return max((value for value in values if value >= quoted and initial_hop_limit(value) == initial), default=None)


def _observe_prober(error: IcmpError, host: HostProfile) -> Observation:
    of_tcp = host.tcp | {hop_limit: host.tcp.get(hop_limit, 0) + packets for hop_limit, packets in host.syns.items()}
    of_kind, others = (of_tcp, host.other) if error.quoted_protocol == TCP_QUOTED else (host.other, of_tcp)
    values = of_kind or others
    quoted = error.quoted_hop_limit
    started = None if quoted is None else _started_from(quoted, values)
    beyond = None
    if quoted is not None and not values:
        beyond = travelled(quoted)
    elif quoted is not None and started is not None:
        beyond = started - quoted
    return {"probe_packets": sum(values.values()), "probe_hop_limit": started, "quoted_beyond": beyond}
