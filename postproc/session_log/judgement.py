"""What a session log says about the end of a session, compared with what the packets show.

A log is contradicted only by what packets prove: a reset whose sender is known, or the end that a capture taken at a
host would hold. Everything else is not decidable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from heuristics.rulebook.scoring import ACCUSED, Verdict
from postproc.flows.end_reason import FIN
from postproc.session_log.column_map import Claim
from postproc.verdicts.result_row import ResetRow

_CLEARED = (Verdict.GENUINE, Verdict.LIKELY_GENUINE)
_FIN_UNKNOWN = ("after-fin", "unknown")  # stages at which a FIN may have come before the reset
_FINS = "both ends sent a FIN"


class Result(StrEnum):
    """Whether the packets agree with the log."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNDECIDABLE = "not decidable"


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What one capture shows of a session. `ends` are its src and dst, by the addresses and ports of the packets.

    `packets` are how many each of them sent, resets included. `taken_at` are addresses at whose own interface the
    capture was taken. `resets` are those that came before the session ended, by the log, in order of time; `late` is
    how many came after. `has_end`: the capture goes on after that end.
    """

    capture: str
    flow: str
    ends: tuple[tuple[str, int], tuple[str, int]]
    packets: tuple[int, int]
    taken_at: frozenset[str]
    end_reason: str
    has_end: bool
    resets: Sequence[ResetRow]
    late: int


@dataclass(frozen=True, slots=True)
class Finding:
    """The result, what the packets of `facts` show in words, and the reset that decides, if one does."""

    result: Result
    words: str
    facts: FlowFacts
    reset: ResetRow | None = None


def judged(claim: Claim, captures: Sequence[FlowFacts]) -> Finding:
    """Compare what the log claims about one session with the captures that show it, at least one."""
    findings = [_JUDGES[claim](facts) for facts in captures]
    decided = [finding for finding in findings if finding.result is not Result.UNDECIDABLE]
    if len({finding.result for finding in decided}) > 1:
        words = "; ".join(f"{each.facts.capture}: {each.words}" for each in decided)
        return Finding(Result.UNDECIDABLE, f"the captures disagree: {words}", decided[0].facts)
    with_reset = [finding for finding in findings if finding.reset]
    return (decided or with_reset or findings)[0]


def _reset_by(end: int) -> Callable[[FlowFacts], Finding]:
    def judge(facts: FlowFacts) -> Finding:
        name = facts.ends[end][0]
        own = [reset for reset in facts.resets if (reset.src, reset.sport) == facts.ends[end]]
        if own:
            return _of_first(name, own[0], facts)
        only = facts.resets[0] if facts.resets else None
        if only and facts.packets[end] and only.verdict in _CLEARED:
            words = f"{only.src} sent the reset ({only.verdict}), and {name} none"
            return Finding(Result.CONTRADICTED, words, facts, only)
        if name in facts.taken_at and facts.packets[end] and facts.has_end and not facts.late:
            return Finding(Result.CONTRADICTED, f"{name} sent no reset; the capture was taken there", facts)
        return Finding(Result.UNDECIDABLE, f"no reset in the name of {name} in the capture{_late(facts)}", facts)

    return judge


def _of_first(name: str, reset: ResetRow, facts: FlowFacts) -> Finding:
    if reset.verdict in ACCUSED:
        return Finding(Result.CONTRADICTED, f"{name} did not send the reset: {_sender(reset)}", facts, reset)
    if reset.verdict in _CLEARED:
        sender = f"a front-end that speaks for {name}" if reset.origin == "front-end" else name
        return Finding(Result.CONFIRMED, f"{sender} sent the reset ({reset.verdict})", facts, reset)
    words = f"a reset in the name of {name}, unclear who sent it: {reset.reason or 'no evidence'}"
    return Finding(Result.UNDECIDABLE, words, facts, reset)


def _sender(reset: ResetRow) -> str:
    """Where an accused reset came from."""
    return f"{reset.where or 'another device sent it'} ({reset.verdict})"


def _late(facts: FlowFacts) -> str:
    return "; resets came only after the session had ended in the log" if facts.late else ""


def _reset(facts: FlowFacts) -> Finding:
    """The log says that there was a reset, and not by whom: any confirms it, and the packets may show by whom."""
    if facts.resets:
        first = facts.resets[0]
        return Finding(Result.CONFIRMED, _of_first(first.src, first, facts).words, facts, first)
    return Finding(Result.UNDECIDABLE, f"no reset in the capture{_late(facts)}", facts)


def _fin(facts: FlowFacts) -> Finding:
    if facts.end_reason == FIN:
        return Finding(Result.CONFIRMED, _FINS, facts)
    first = facts.resets[0] if facts.resets else None
    if first and first.stage not in _FIN_UNKNOWN:
        sender = _sender(first) if first.verdict in ACCUSED else f"in the name of {first.src} ({first.verdict})"
        return Finding(Result.CONTRADICTED, f"a reset came before any FIN: {sender}", facts, first)
    words = "no FIN from both ends in the capture" if first is None else "a FIN and a reset"
    return Finding(Result.UNDECIDABLE, f"{words}{_late(facts)}", facts, first)


def _timeout(facts: FlowFacts) -> Finding:
    first = facts.resets[0] if facts.resets else None
    if first is not None:
        if first.verdict in _CLEARED:
            return Finding(Result.CONTRADICTED, f"{first.src} sent a reset before ({first.verdict})", facts, first)
        words = f"a reset before, which the log's device may not have seen: {_of_first(first.src, first, facts).words}"
        return Finding(Result.UNDECIDABLE, words, facts, first)
    if facts.end_reason == FIN:
        return Finding(Result.CONTRADICTED, _FINS, facts)
    if facts.has_end:
        return Finding(Result.CONFIRMED, f"neither end closed or reset the connection{_late(facts)}", facts)
    return Finding(Result.UNDECIDABLE, "the capture ends before the session", facts)


def _denied(facts: FlowFacts) -> Finding:
    """The log says that its own device ended the session: a reset that no end sent confirms it."""
    accused = next((reset for reset in facts.resets if reset.verdict in ACCUSED), None)
    if accused is not None:
        return Finding(Result.CONFIRMED, f"a device sent the reset: {_sender(accused)}", facts, accused)
    if facts.resets:
        first = facts.resets[0]
        return Finding(Result.UNDECIDABLE, f"a device may have dropped packets before: {_shown(facts)}", facts, first)
    return Finding(Result.UNDECIDABLE, f"no reset in the capture{_late(facts)}", facts)


def _nothing(facts: FlowFacts) -> Finding:
    reset = facts.resets[0] if facts.resets else None
    return Finding(Result.UNDECIDABLE, f"the log does not say who ended it; {_shown(facts)}", facts, reset)


def _shown(facts: FlowFacts) -> str:
    if facts.resets:
        return _of_first(facts.resets[0].src, facts.resets[0], facts).words
    return _FINS if facts.end_reason == FIN else "no end in the capture"


_JUDGES: dict[Claim, Callable[[FlowFacts], Finding]] = {
    Claim.RESET_BY_SRC: _reset_by(0),
    Claim.RESET_BY_DST: _reset_by(1),
    Claim.RESET: _reset,
    Claim.FIN: _fin,
    Claim.TIMEOUT: _timeout,
    Claim.DENIED: _denied,
    Claim.NOTHING: _nothing,
}
