"""The summary counts right, begins with the most suspicious, and says who sent the resets and why."""

from __future__ import annotations

import pytest
from support.judged_by_hand import GENUINE, UNCLEAR, judged_reset

from heuristics.errors import Problem
from heuristics.presumed_sender import Who
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import CapturePoint
from postproc.report.answer import answer
from postproc.report.summary import Summary, summarise
from postproc.runtime.clock import IN_UTC
from postproc.verdicts.result_row import JudgedReset

RULEBOOK = load()
NEARER = next(where.say for where in RULEBOOK.wheres if where.id == "nearer").render(
    {"distance": 1, "baseline_distance": 5}
)
REJECT = "Linux netfilter REJECT"
HONEST = judged_reset(score=-400, words=("as ever",), **GENUINE)
UNDECIDED = judged_reset(score=0, words=(), evidence=(), **UNCLEAR)


def cause(id_: str, **values: int | str) -> str:
    """The sentence of a cause of the rulebook."""
    return next(each.say for each in RULEBOOK.causes if each.id == id_).render(values)


def summary(*resets: JudgedReset, packets: int | None = 100, top: int = 10) -> Summary:
    return summarise([CaptureResult("a.pcap", packets, resets, ())], RULEBOOK, top)


def answer_of(*resets: JudgedReset) -> list[str]:
    return [*answer(summary(*resets), IN_UTC)]


def test_totals_count_everything_once() -> None:
    broken = CaptureResult("b.pcap", None, (), (Problem("b.pcap", "", "", "is empty"),), readable=False)
    one = CaptureResult("a.pcap", 100, (judged_reset(), HONEST, HONEST), ())
    other = CaptureResult("c.pcap", 50, (judged_reset(capture="c.pcap"),), ())
    found = summarise([one, broken, other], RULEBOOK, 10, [Problem("d", "", "", "does not exist")])
    totals = found.totals
    assert (totals.captures, totals.packets, totals.flows, totals.resets) == (2, 150, 2, 4)
    by_verdict = {share.name: (share.resets, share.percent) for share in totals.by_verdict}
    assert by_verdict == {
        "forged": (2, 50.0),
        "likely forged": (0, 0.0),
        "unclear": (0, 0.0),
        "likely genuine": (0, 0.0),
        "genuine": (2, 50.0),
    }
    assert {share.name: share.resets for share in totals.by_origin}["middlebox"] == 2
    assert [problem.file for problem in found.problems] == ["d", "b.pcap"]
    assert [(each.name, each.readable, each.resets, each.accused) for each in found.captures] == [
        ("a.pcap", True, 3, 1),
        ("b.pcap", False, 0, 0),
        ("c.pcap", True, 1, 1),
    ]


def test_packets_that_were_not_counted_are_not_made_up() -> None:
    assert summary(HONEST, packets=None).totals.packets is None


def test_hosts_show_every_value_once_and_the_worst_come_first() -> None:
    other = judged_reset(score=-400, **GENUINE | {"src": "198.51.100.1", "hop_baseline": None, "sender_distance": None})
    found = summary(other, HONEST, judged_reset(), judged_reset())
    assert [sender.address for sender in found.senders] == ["203.0.113.1", "198.51.100.1"]
    first, second = found.senders
    assert (first.resets, first.suspicion, first.accused) == (3, 99, 2)
    assert first.hop_baselines == (59,)
    assert first.hop_deltas == (0, 4)
    assert first.distances == (1, 5)
    assert first.sender_distances == (5,)
    assert (second.hop_baselines, second.sender_distances, second.accused) == ((), (), 0)


def test_the_most_suspicious_are_picked_by_score_and_honest_ones_never() -> None:
    resets = [judged_reset(score=score, frame=score, src=f"192.0.2.{score // 100}") for score in (300, 500, 400)]
    assert [alike.reset.row.frame for alike in summary(HONEST, *resets, UNDECIDED, top=2).suspicious] == [500, 400]
    assert len(summary(HONEST, *resets, UNDECIDED).suspicious) == 4


def test_the_most_suspicious_show_each_presumed_sender_before_any_twice() -> None:
    here = [judged_reset(score=900 - number, frame=number, src=f"192.0.2.{number}") for number in range(1, 5)]
    elsewhere = judged_reset(score=500, frame=9, distance=2, where=NEARER)
    assert [alike.reset.row.frame for alike in summary(*here, elsewhere, top=3).suspicious] == [1, 9, 2]


def test_resets_that_are_alike_are_one_group() -> None:
    first, second = judged_reset(score=500, frame=7), judged_reset(score=500, frame=9)
    other = judged_reset(score=400, frame=8, src="192.0.2.77")
    suspicious = summary(second, other, first).suspicious
    assert [(alike.reset.row.frame, alike.others) for alike in suspicious] == [(9, (7,)), (8, ())]


def test_one_presumed_sender_speaks_for_many_hosts() -> None:
    forged = [
        judged_reset(
            frame=n, time=1.5 + n, src=f"203.0.113.{n}", dport=50_000, where=NEARER, device=f"{REJECT} ({n} %)"
        )
        for n in (60, 70)
    ]
    other_form = judged_reset(src="203.0.113.9", where=NEARER)
    elsewhere = judged_reset(src="203.0.113.9", where=NEARER, distance=2, device=f"{REJECT} (70 %)")
    found = summary(HONEST, UNDECIDED, *forged, other_form, elsewhere).presumed_senders
    assert [(each.who, each.hops, each.device, each.resets) for each in found] == [
        (Who.BETWEEN, 1, REJECT, 2),
        (Who.BETWEEN, 1, None, 1),
        (Who.BETWEEN, 2, REJECT, 1),
        (Who.UNKNOWN, None, None, 1),
        (Who.HOST, None, None, 1),
    ]
    first = found[0]
    assert (first.confidence, first.names, first.ports) == ((60, 70), ("203.0.113.60", "203.0.113.70"), (443,))
    assert (first.first, first.last, first.clients) == (61.5, 71.5, ("192.0.2.1",))


def test_a_known_form_from_many_distances_has_made_up_hop_limits() -> None:
    def senders(distances: int, device: str | None) -> list[tuple[int | None, int]]:
        resets = [judged_reset(frame=n, where=NEARER, distance=n, device=device) for n in range(distances)]
        return [(each.hops, each.resets) for each in summary(*resets).presumed_senders]

    assert senders(3, f"{REJECT} (70 %)") == [(0, 1), (1, 1), (2, 1)]
    assert senders(4, f"{REJECT} (70 %)") == [(None, 4)]
    assert len(senders(4, None)) == 4


@pytest.mark.parametrize("where", [each for each in RULEBOOK.wheres if each.id != "nearer"], ids=lambda each: each.id)
def test_a_distance_is_claimed_only_where_the_hop_limit_measures_one(where: object) -> None:
    text = where.say.render({"distance": 1, "baseline_distance": 5, "hop_baseline": 2})  # type: ignore[attr-defined]
    assert summary(judged_reset(where=text)).presumed_senders[0].hops is None
    assert summary(judged_reset(where=NEARER)).presumed_senders[0].hops == 1


def test_distances_of_captures_from_different_places_are_not_mixed() -> None:
    def senders(baseline: int, point: CapturePoint) -> int:
        forged = [
            judged_reset(capture=name, where=NEARER, hop_baseline=value) for name, value in (("a", 59), ("b", baseline))
        ]
        results = [CaptureResult(each.row.capture, 1, (each,), (), capture_point=point) for each in forged]
        return len(summarise(results, RULEBOOK, 3).presumed_senders)

    nothing = CapturePoint((), None, None)
    assert senders(59, nothing) == 1  # the named sender is as far away in both
    assert senders(57, nothing) == 2
    assert senders(57, CapturePoint((), None, None, ("198.51.100.9",), (63,), (5,))) == 1  # another host is


def test_causes_and_reasons_are_counted_by_what_they_say_not_by_their_numbers() -> None:
    idle = [judged_reset(cause=cause("device_idle_timeout", idle_us=us)) for us in (900_000_000, 905_000_000)]
    refused = judged_reset(score=-400, **GENUINE | {"cause": cause("refused")})
    found = summary(*idle, refused, UNDECIDED, UNDECIDED)
    assert [(tally.id, tally.resets, tally.accused) for tally in found.causes] == [
        ("device_idle_timeout", 2, 2),
        ("refused", 1, 0),
    ]
    assert "keep-alive" in found.causes[0].do
    assert [tally.resets for tally in found.not_judged] == [2]


def test_causes_that_senders_state_are_counted_by_what_they_state() -> None:
    stated = [judged_reset(cause=cause("stated", stated_cause=words)) for words in ("limit", "restart", "limit")]
    found = [(tally.title, tally.resets) for tally in summary(*stated).causes]
    assert found == [("the sender says why: limit", 2), ("the sender says why: restart", 1)]


def test_every_cause_and_reason_of_the_rulebook_says_what_to_do() -> None:
    for statement in (*RULEBOOK.causes, *RULEBOOK.reasons):
        assert statement.title, statement.id
        assert statement.do, statement.id


def test_the_answer_says_how_many_who_and_since_when() -> None:
    device = f"{REJECT} (70 %)"
    forged = judged_reset(where=NEARER, device=device, cause=cause("policy_refusal"), time=1_700_000_000.0)
    assert answer_of(forged, HONEST, UNDECIDED) == [
        "1 of 3 resets is forged; 1 is genuine, 1 could not be judged.",
        "A device 1 hop away that looks like Linux netfilter REJECT (70 % sure) sent 1 of them in the name of "
        "203.0.113.1, at 2023-11-14 22:13:20 UTC.",
        "Probable cause of the forged resets: a firewall refuses new connections (1).",
    ]


def test_the_answer_claims_no_distance_and_no_certainty_that_is_not_there() -> None:
    likely = judged_reset(score=250, verdict="likely forged")
    assert answer_of(likely, HONEST)[:2] == [
        "1 of 2 resets is probably forged; 1 is genuine.",
        "A device at an unknown distance probably sent 1 of them in the name of 203.0.113.1, at 00:00:01 (no date).",
    ]
    assert answer_of(likely, judged_reset(), HONEST)[0] == "1 of 3 resets is forged, 1 more probably; 1 is genuine."


def test_the_answer_says_how_many_connections_ended() -> None:
    ended, late = judged_reset(ended_connection=True), judged_reset(ended_connection=False)
    totals = summary(ended, ended, late, judged_reset()).totals
    assert (totals.ended, totals.late) == (2, 1)
    assert answer_of(ended, ended, late, judged_reset())[1] == (
        "2 of the 4 ended or refused a connection; 1 came after its end or did not end it."
    )
    assert "It ended or refused a connection." in answer_of(ended)
    assert "It came after the end of its connection or did not end it." in answer_of(late)


def test_the_answer_about_a_single_reset_gives_its_cause() -> None:
    of_host = judged_reset(score=-400, **GENUINE | {"cause": cause("refused")})
    assert answer_of(of_host) == [
        f"The only reset is genuine: {cause('refused')}.",
        "203.0.113.1 sent it itself.",
    ]
    says = cause("load_balancer_code", window=9300, netscaler_code="idle timeout")
    assert answer_of(judged_reset(score=-400, **GENUINE | {"origin": "front-end", "cause": says})) == [
        f"The only reset is genuine: {says}."
    ]


def test_the_answer_without_forged_resets_resets_or_inputs() -> None:
    assert answer_of(HONEST, UNDECIDED)[0] == "None of the 2 resets looks forged; 1 is genuine, 1 could not be judged."
    assert answer_of(UNDECIDED) == [f"Who sent the only reset cannot be told: {UNDECIDED.row.reason}."]
    assert answer_of() == ["There is no TCP reset in 1 capture (100 packets)."]
    assert answer(summary(packets=None), IN_UTC) == ("There is no TCP reset in 1 capture.",)
    assert answer(summarise([], RULEBOOK, 10), IN_UTC) == ("Nothing could be read, so nothing can be said.",)
