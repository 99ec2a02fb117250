"""The signature of a reset flow, in the notation of a study of connection tampering with 19 of them.

Sundara Raman, Merino, Bock, Fayed, Levin, Sullivan, Valenta, "Global, Passive Detection of Connection Tampering", ACM
SIGCOMM 2023, Table 1: what the initiator had sent -> which resets then came. The study saw packets towards a server
only, so resets in the initiator's name; those in the responder's name are written alike here.
"""

from __future__ import annotations

from collections.abc import Sequence

from heuristics.protocol.tshark_fields import ACK
from postproc.flows.state import Reset

_BEFORE = {
    "post-syn": "SYN",
    "post-ack": "SYN; ACK",
    "post-psh": "PSH+ACK",
    "later": "PSH+ACK; Data",
}


def signature(resets: Sequence[Reset]) -> str | None:
    """The signature that resets of one sender at one stage of a flow give together, such as "⟨SYN; ACK → RST⟩".

    `resets` are all of them; copies of one packet count once. None where the flow's start is missing, or where they
    fit none of the 19.
    """
    once = list({reset.resets_before: reset for reset in resets}.values())
    first = once[0]
    before = _BEFORE.get(first.stage)
    if before is None or first.sender_is_initiator is None:
        return None
    after = _after(first.stage, once)
    return f"⟨{before} → {after}⟩" if after else None


def _after(stage: str, resets: Sequence[Reset]) -> str | None:
    bare = [reset for reset in resets if not reset.packet.flags & ACK]
    with_ack = len(resets) - len(bare)
    match stage:
        case "post-syn":
            return "RST; RST+ACK" if bare and with_ack else "RST" if bare else "RST+ACK"
        case "post-ack":
            return None if bare and with_ack else _one_or_more("RST" if bare else "RST+ACK", len(resets))
        case "post-psh":
            if bare and with_ack:
                return "RST; RST+ACK"
            return _several_bare(bare) if bare else _one_or_more("RST+ACK", with_ack)
    return None if bare and with_ack else "RST" if bare else "RST+ACK"


def _one_or_more(kind: str, count: int) -> str:
    return kind if count == 1 else f"{kind}; {kind}"


def _several_bare(resets: Sequence[Reset]) -> str:
    """After the first data, the study tells several bare resets apart by their acknowledgement numbers."""
    numbers = {reset.packet.ack for reset in resets}
    if len(resets) == 1:
        return "RST"
    if len(numbers) == 1:
        return "RST = RST"
    return "RST; RST₀" if 0 in numbers else "RST ≠ RST"
