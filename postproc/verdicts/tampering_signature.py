"""The tampering signature of a flow with resets, in the notation of a study that lists 19 of them.

Sundara Raman, Merino, Bock, Fayed, Levin, Sullivan, Valenta, "Global, Passive Detection of Connection Tampering", ACM
SIGCOMM 2023, Table 1: the packets that the initiator had sent -> the resets that followed. The study has only packets
towards a server, so its resets are in the initiator's name. Resets in the responder's name are written alike here.
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
    """The signature of all resets of one sender at one stage of a flow together, such as "⟨SYN; ACK → RST⟩".

    Duplicates count once. None if the capture lacks the start of the flow, or if the resets fit none of the 19.
    """
    distinct = list({reset.resets_before: reset for reset in resets}.values())
    first = distinct[0]
    before = _BEFORE.get(first.stage)
    if before is None or first.sender_is_initiator is None:
        return None
    after = _after(first.stage, distinct)
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
    """After the first data, the study distinguishes several bare resets by their acknowledgement numbers."""
    numbers = {reset.packet.ack for reset in resets}
    if len(resets) == 1:
        return "RST"
    if len(numbers) == 1:
        return "RST = RST"
    return "RST; RST₀" if 0 in numbers else "RST ≠ RST"
