"""Judged resets made by hand, for tests of reports."""

from __future__ import annotations

from typing import Any

from postproc.verdicts.result_row import JudgedReset, ResetRow

_ROW = ResetRow(
    capture="a.pcap",
    frame=7,
    time=1.5,
    kind="rst",
    flow="ip.addr == 192.0.2.1",
    src="203.0.113.1",
    sport=443,
    dst="192.0.2.1",
    dport=1024,
    stage="post-psh",
    end_reason=None,
    cause=None,
    verdict="forged",
    origin="middlebox",
    suspicion=99,
    hop_limit=63,
    hop_baseline=59,
    hop_delta=4,
    distance=1,
    sender_distance=5,
    baseline_source="flow",
    rtt_us=40_000,
    response_us=None,
    device=None,
    evidence=("near_initial", "causality"),
    reason="",
)
_WORDS = ("sent from 1 hops away; the sender is 5 hops away", "acknowledges bytes too soon")


def judged_reset(score: int = 500, words: tuple[str, ...] = _WORDS, **values: Any) -> JudgedReset:
    """A forged reset; `values` replace fields of its row."""
    content = {name: getattr(_ROW, name) for name in _ROW.__slots__}
    return JudgedReset(ResetRow(**content | values), score, words)


GENUINE = {
    "verdict": "genuine",
    "origin": "endpoint",
    "suspicion": 1,
    "hop_limit": 59,
    "hop_delta": 0,
    "distance": 5,
    "evidence": ("hop_match",),
}
UNCLEAR = {"verdict": "unclear", "origin": "unknown", "suspicion": 40, "reason": "no baseline"}
