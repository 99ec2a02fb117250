"""The answer in a few plain sentences: how many resets are forged, who sent them, why, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heuristics.presumed_sender import Who
from heuristics.rulebook.scoring import Origin, Verdict
from postproc.report.icmp_summary import icmp_conclusion
from postproc.report.presumed_senders import PresumedSender
from postproc.report.summary import Summary
from postproc.report.surges import Surge
from postproc.report.tallies import Tally
from postproc.runtime.clock import Clock
from postproc.runtime.text import plural
from postproc.verdicts.result_row import JudgedReset

_SENDERS = 3  # presumed senders that the answer describes
_SURGES = 2  # surges that it names, and idle timeouts
_CAUSES = 2  # causes that it names, of forged and of genuine resets each


def answer(summary: Summary, clock: Clock) -> tuple[str, ...]:
    """The sentences about the selection, if there is one, about resets, and about ICMP errors."""
    selected = [str(summary.selected)] if summary.selected else []
    # Of resets that are left out, nothing can be said.
    of_resets = _of_resets(summary, clock) if summary.resets or not summary.selected else ()
    return (*selected, *of_resets, *filter(None, [icmp_conclusion(summary.errors)]))


def _of_resets(summary: Summary, clock: Clock) -> tuple[str, ...]:
    totals = summary.totals
    if totals.captures == 0:
        return ("Nothing could be read, so nothing can be said.",)
    if totals.resets == 0:
        packets = "" if totals.packets is None else f" ({plural(totals.packets, 'packet')})"
        found = "No TCP reset was seen" if summary.unopened else "There is no TCP reset"
        return (f"{found} in {plural(totals.captures, 'capture')}{packets}.",)
    between = [sender for sender in summary.presumed_senders if sender.who is Who.BETWEEN]
    if totals.resets == 1:
        return (*_only_one(summary.resets[0]), *_senders(between, clock, only=True))
    when = _times(summary, clock)
    return (_counts(summary), *_ended(summary), *_senders(between, clock), *_causes(summary), *when)


def _counts(summary: Summary) -> str:
    """How many resets have which verdict."""
    count = summary.totals.count
    resets, forged, likely, unclear = (
        summary.totals.resets,
        count(Verdict.FORGED),
        count(Verdict.LIKELY_FORGED),
        count(Verdict.UNCLEAR),
    )
    genuine = resets - forged - likely - unclear
    if unclear == resets:
        return f"Who sent the {resets:,} resets cannot be told: {summary.not_judged[0].title}."
    if forged == resets:
        return f"All {resets:,} resets are forged."
    if forged:
        found = f"{forged:,} of {resets:,} resets {_are(forged)} forged"
        found += f", {likely:,} more probably" if likely else ""
    elif likely:
        found = f"{likely:,} of {resets:,} resets {_are(likely)} probably forged"
    else:
        found = f"None of the {resets:,} resets looks forged"
    rest = [f"{genuine:,} {_are(genuine)} genuine"] if genuine else []
    rest += [f"{unclear:,} could not be judged"] if unclear else []
    return "; ".join([found, ", ".join(rest)]) + "."


def _ended(summary: Summary) -> Iterator[str]:
    """What users suffer from: how many resets ended a connection."""
    ended, late = summary.totals.ended, summary.totals.late
    if ended or late:
        after = f"; {late:,} came after its end or did not end it" if late else ""
        all_ = summary.totals.resets
        which = f"All {all_:,}" if ended == all_ else f"{ended:,} of the {all_:,}"
        yield f"{which} ended or refused a connection{after}."


def _only_one(reset: JudgedReset) -> Iterator[str]:
    row = reset.row
    match row.verdict:
        case Verdict.FORGED | Verdict.LIKELY_FORGED:
            probably = "" if row.verdict == Verdict.FORGED else "probably "
            yield f"The only reset is {probably}forged{f': {row.cause}' if row.cause else ''}."
        case Verdict.UNCLEAR:
            yield f"Who sent the only reset cannot be told: {row.reason}."
        case _:
            probably = "" if row.verdict == Verdict.GENUINE else "probably "
            cause = f": {row.cause}" if row.cause else ""
            yield f"The only reset is {probably}genuine{cause}."
            if row.origin != Origin.FRONT_END:
                yield f"{row.src} sent it itself."
    if row.ended_connection is not None:
        after = "It came after the end of its connection or did not end it."
        yield "It ended or refused a connection." if row.ended_connection else after


def _senders(between: Sequence[PresumedSender], clock: Clock, *, only: bool = False) -> Iterator[str]:
    for sender in between[:_SENDERS]:
        what = "it" if only else "them" if len(between) == 1 and sender.resets > 1 else f"{sender.resets:,} of them"
        probably = "" if sender.forged else "probably "
        yield (
            f"{place_of(sender)}{_looks(sender)} {probably}sent {what} in {_names(sender)}, "
            f"{clock.span(sender.first, sender.last)}."
        )
    others = between[_SENDERS:]
    if others:
        resets = sum(sender.resets for sender in others)
        yield f"{plural(len(others), 'more sender')} sent {resets:,} more."


def place_of(sender: PresumedSender) -> str:
    """The presumed sender by its place, as a sentence begins: "A device 2 hops away"."""
    if sender.hops is None:
        return "A device at an unknown distance"
    return f"A device {plural(sender.hops, 'hop')} away" if sender.hops else "A device on the capture's own link"


def percent_text(sender: PresumedSender) -> str:
    """How sure the device is: "60 to 70 %"; empty where none is known."""
    if sender.confidence is None:
        return ""
    low, high = sender.confidence
    return f"{low} %" if low == high else f"{low} to {high} %"


def _looks(sender: PresumedSender) -> str:
    return f" that looks like {sender.device} ({percent_text(sender)} sure)" if sender.device else ""


def _names(sender: PresumedSender) -> str:
    if len(sender.names) == 1:
        return f"the name of {sender.names[0]}"
    return f"the names of {len(sender.names):,} hosts"


def _causes(summary: Summary) -> Iterator[str]:
    """The main causes of forged resets, of front-ends and of genuine resets."""
    forged = sorted((tally for tally in summary.causes if tally.accused), key=lambda tally: -tally.accused)
    if forged:
        yield f"Probable {_noun('cause', forged)} of the forged resets: {_listed(forged, accused=True)}."
    genuine = [tally for tally in summary.causes if tally.accused < tally.resets]
    for tally in [tally for tally in genuine if tally.front_end][:_CAUSES]:
        yield f"{_sentence(tally.title)} ({plural(tally.resets, 'reset')})."
    hosts = [tally for tally in genuine if not tally.front_end]
    if hosts:
        names = next((sender.names for sender in summary.presumed_senders if sender.who is Who.HOST), ())
        whose = f"Resets of {names[0]} itself" if len(names) == 1 else f"Resets of {len(names):,} hosts themselves"
        yield f"{whose}: {_listed(hosts, accused=False)}."


def _times(summary: Summary, clock: Clock) -> Iterator[str]:
    """The largest surges, and idle timeouts."""
    for surge in sorted(summary.surges, key=lambda surge: -surge.resets)[:_SURGES]:
        yield f"Surge {surge_text(surge, clock)}"
    for timeout in summary.idle_timeouts[:_SURGES]:
        yield timeout.sentence


def surge_text(surge: Surge, clock: Clock) -> str:
    """A surge in words, to stand after the word "Surge"."""
    looks = f" It looks like {surge.pattern}." if surge.pattern else ""
    return (
        f"{clock.span(surge.begin, surge.end)}: {plural(surge.resets, 'reset')} of {surge.who}, "
        f"up to {surge.peak:,} in {surge.seconds} s where {surge.usual:g} are usual.{looks}"
    )


def _listed(tallies: Sequence[Tally], *, accused: bool) -> str:
    counts = [tally.accused if accused else tally.resets - tally.accused for tally in tallies]
    named = [f"{tally.title} ({count:,})" for tally, count in zip(tallies[:_CAUSES], counts, strict=False)]
    rest = sum(counts[_CAUSES:])
    return ", ".join([*named, *([f"others ({rest:,})"] if rest else [])])


def _noun(thing: str, things: Sequence[object]) -> str:
    return thing if len(things) == 1 else f"{thing}s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
