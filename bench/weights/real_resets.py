"""Genuine resets of public captures of which only a table of features is at hand: the table -> observations.

Not all that rules read is in the table, and some of it only nearly: the sender's packets are counted over the flow, so
that "established" stands for two or more, and "syn_only" for a bare reset of one who showed a single packet at most.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from heuristics.language.expressions import named, walk
from heuristics.language.expressions.tree import Name
from heuristics.observables.vocabulary import Value
from heuristics.protocol.hop_limit import distance
from heuristics.protocol.netscaler_codes import netscaler_meaning
from heuristics.protocol.tshark_fields import ACK
from heuristics.rulebook.model import Thresholds
from heuristics.rulebook.statements import Rule
from postproc.flows.host_profile import nearest

Observation = dict[str, Value]


def genuine_observations(table: Path, thresholds: Thresholds) -> list[Observation]:
    """One observation for every reset of the table that is taken as genuine; what the table does not say is None."""
    with table.open(encoding="utf-8", newline="") as file:
        return [_observation(row, thresholds) for row in csv.DictReader(file) if row["truth"] == "genuine"]


def readable(rule: Rule, observation: Mapping[str, Value]) -> bool:
    """Whether the table has every observable that the rule reads, with a value for this reset."""
    present = (observation[node.name] is not None for node in walk(rule.condition) if isinstance(node, Name))
    return set(named(rule.condition)) <= observation.keys() and all(present)


def _observation(row: Mapping[str, str], thresholds: Thresholds) -> Observation:
    hop_limit, packets = int(row["hop_limit"]), int(row["baseline_packets"])
    hop_limits = _integers(row["baseline_hop_limits"])
    has_ack = int(row["flags"], 16) & ACK != 0
    ahead = _integer(row["seq_minus_expected"])
    return {
        "ip_version": int(row["ip_version"]),
        "hop_limit": hop_limit,
        "distance": distance(hop_limit),
        "window": int(row["window"]),
        "payload_len": int(row["payload_len"]),
        "options_len": int(row["options_len"]),
        "has_ack": has_ack,
        "df": _boolean(row["df"]),
        "opening_df": _boolean(row["baseline_df"]),
        "flow_packets": packets,
        "flow_values": len(hop_limits),
        "host_packets": packets,
        "hop_gap": nearest(hop_limit, hop_limits),
        "distance_gap": nearest(distance(hop_limit), map(distance, hop_limits)),
        **dict.fromkeys(
            ("handshake_gap", "data_gap"), abs(hop_limit - hop_limits[0]) if len(hop_limits) == 1 else None
        ),
        "resets_before": 0
        if row["resets_from_sender"] == "1"
        else None,  # the table does not say which of several it is
        "hop_baseline": hop_limits[0] if len(hop_limits) == 1 else None,
        "baseline_distance": distance(hop_limits[0]) if len(hop_limits) == 1 else None,
        "established": packets >= 2,
        "stage": "later" if packets >= 2 else None,  # after the SYN; the table does not say more
        "syn_only": packets <= 1 and not has_ack,
        "seq_ahead": ahead,
        "seq_foreign": ahead is not None and abs(ahead) > thresholds.seq_reach,
        "ack_ahead": _integer(row["ack_minus_expected"]) if has_ack else None,
        "netscaler_code": netscaler_meaning(int(row["window"])),
        "mac_new": _boolean(row["foreign_mac"]),
        "mac_shared": True,  # not in the table; without a new MAC, no rule reads it
        "mac_addressed": False,  # not in the table: rules that read it fire more often so
        "host_share": 100 if len(hop_limits) == 1 else None,
        **_ip_ids(row),
    }


def _ip_ids(row: Mapping[str, str]) -> Observation:
    ip_id, own = _integer(row["ip_id"]), _integers(row["baseline_ip_ids"])
    return {
        "ip_id": ip_id,
        "id_step": (ip_id - own[-1]) % 65536 if ip_id is not None and own else None,
        "own_id_step": (own[-1] - own[-2]) % 65536 if len(own) >= 2 else None,
    }


def _integer(text: str) -> int | None:
    return int(text) if text else None


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(";") if part.isdecimal()]


def _boolean(text: str) -> bool | None:
    """None where the table says nothing, or both."""
    return {"0": False, "1": True}.get(text)
