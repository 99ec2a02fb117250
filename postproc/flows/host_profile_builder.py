"""The packets table -> the profiles of its hosts (host_profile.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from heuristics.engine_limits import MIN_OTHER_HOP_LIMIT
from postproc.capture.packet_table import TCP, authentic, is_syn
from postproc.flows.host_profile import HostProfile


def profile_hosts(packets: pl.DataFrame, addresses: Iterable[str]) -> dict[str, HostProfile]:
    """The profiles of `addresses`, by address."""
    wanted = list(addresses)
    profiles: dict[str, HostProfile] = {}
    for address, tcp, syn, hop_limit, count in _hop_limits(packets, wanted).iter_rows():
        profile = profiles.setdefault(address, HostProfile())
        (profile.syns if syn else profile.tcp if tcp else profile.other)[hop_limit] = count
    for address, macs, shared in _macs(packets, wanted).iter_rows():
        profile = profiles.setdefault(address, HostProfile())
        profile.macs, profile.mac_shared = frozenset(macs), shared
    return profiles


def _hop_limits(packets: pl.DataFrame, addresses: Sequence[str]) -> pl.DataFrame:
    return (
        packets.lazy()
        .filter(authentic() & pl.col("src").is_in(addresses) & pl.col("hop_limit").is_not_null())
        .filter((pl.col("kind") == TCP) | (pl.col("hop_limit") >= MIN_OTHER_HOP_LIMIT))
        .group_by("src", "hop_limit", tcp=pl.col("kind") == TCP, syn=is_syn())
        .agg(packets=pl.col("weight").sum(), first=pl.col("frame").min())
        .sort("first")
        .select("src", "tcp", "syn", "hop_limit", "packets")
        .collect()
    )


def _macs(packets: pl.DataFrame, addresses: Sequence[str]) -> pl.DataFrame:
    """Only addresses of one IP version share a MAC: a host has both an IPv4 and an IPv6 address on one MAC."""
    used = packets.lazy().filter(authentic() & pl.col("mac").is_not_null()).select("ip_version", "mac", "src").unique()
    return (
        used.with_columns(shared=pl.len().over("ip_version", "mac") > 1)
        .filter(pl.col("src").is_in(addresses))
        .group_by("src")
        .agg("mac", pl.col("shared").any())
        .collect()
    )
