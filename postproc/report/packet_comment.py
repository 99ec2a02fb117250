"""A judged reset or ICMP error in a few lines, to be read beside its packet."""

from __future__ import annotations

from heuristics.errors import visible
from postproc.report.icmp_summary import rejection_text
from postproc.verdicts.result_row import JudgedReset


def packet_comment(judged: JudgedReset) -> str:
    """The verdict, the origin, where it was sent from, and the evidence in words. Each fact has a line."""
    row = judged.row
    facts = (
        ("Why unclear", row.reason),
        ("Place", row.where),
        ("Rejection", rejection_text(judged) if row.kind == "icmp" else ""),
        ("Device", row.device),
        ("Probable cause", row.cause),
    )
    lines = [f"{row.verdict}, suspicion {row.suspicion} of 100, origin {row.origin}"]
    lines += [f"{name}: {text}" for name, text in facts if text]
    lines += ["Evidence:", *(f"- {words}" for words in judged.words)] if judged.words else []
    return "\n".join(map(visible, lines))
