"""The summary counts right, begins with the most suspicious, and ends in one sentence that anyone understands."""

from __future__ import annotations

from support.judged_by_hand import GENUINE, UNCLEAR, judged_reset

from heuristics.errors import Problem
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.report.summary import Summary, summarise
from postproc.verdicts.result_row import JudgedReset

RULEBOOK = load()
HONEST = judged_reset(score=-400, words=("as ever",), **GENUINE)
UNDECIDED = judged_reset(score=0, words=(), evidence=(), **UNCLEAR)


def summary(*resets: JudgedReset, packets: int | None = 100, top: int = 10) -> Summary:
    return summarise([CaptureResult("a.pcap", packets, resets, ())], RULEBOOK, top)


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


def test_packets_that_were_not_counted_are_not_made_up() -> None:
    assert summary(HONEST, packets=None).totals.packets is None


def test_senders_show_every_value_once_and_the_worst_come_first() -> None:
    other = judged_reset(score=-400, **GENUINE | {"src": "198.51.100.1", "hop_baseline": None, "sender_distance": None})
    found = summary(other, HONEST, judged_reset(), judged_reset())
    assert [sender.address for sender in found.senders] == ["203.0.113.1", "198.51.100.1"]
    first, second = found.senders
    assert (first.resets, first.suspicion) == (3, 99)
    assert first.hop_baselines == (59,)
    assert first.hop_deltas == (0, 4)
    assert first.distances == (1, 5)
    assert first.sender_distances == (5,)
    assert (second.hop_baselines, second.sender_distances) == ((), ())


def test_the_most_suspicious_are_picked_by_score_and_honest_ones_never() -> None:
    resets = [judged_reset(score=score, frame=score, src=f"192.0.2.{score // 100}") for score in (300, 500, 400)]
    assert [alike.reset.row.frame for alike in summary(HONEST, *resets, UNDECIDED, top=2).suspicious] == [500, 400]
    assert len(summary(HONEST, *resets, UNDECIDED).suspicious) == 4


def test_resets_that_are_alike_are_one_group() -> None:
    first, second = judged_reset(score=500, frame=7), judged_reset(score=500, frame=9)
    other = judged_reset(score=400, frame=8, src="192.0.2.77")
    suspicious = summary(second, other, first).suspicious
    assert [(alike.reset.row.frame, alike.others) for alike in suspicious] == [(9, (7,)), (8, ())]


def test_the_conclusion_names_the_distances() -> None:
    assert summary(judged_reset(), HONEST, UNDECIDED).conclusion == (
        "1 of 3 resets did not come from the host named as sender: frame 7 of a.pcap was sent from 1 hop away "
        "while 203.0.113.1 is 5 hops away; 1 could not be decided."
    )


def test_the_conclusion_gives_the_strongest_evidence_where_distances_say_nothing() -> None:
    assert summary(judged_reset(distance=5)).conclusion == (
        "1 of 1 reset did not come from the host named as sender: frame 7 of a.pcap (acknowledges bytes too soon)."
    )


def test_a_likely_forgery_is_called_probable() -> None:
    likely = judged_reset(score=250, verdict="likely forged")
    assert summary(likely, HONEST).conclusion.startswith("1 of 2 resets probably did not come from the host named")
    assert "1 of 3 resets did not come from the host named as sender (1 more probably did not): frame 7" in (
        summary(likely, judged_reset(), HONEST).conclusion
    )


def test_the_conclusion_without_forged_resets_resets_or_inputs() -> None:
    assert summary(HONEST, UNDECIDED).conclusion == (
        "None of 2 resets looks forged: 1 fit the host they name; 1 could not be decided."
    )
    assert summary(UNDECIDED).conclusion.startswith("For none of 1 reset ")
    assert summary().conclusion == "There is no TCP reset in 1 capture (100 packets)."
    assert summary(packets=None).conclusion == "There is no TCP reset in 1 capture."
    assert summarise([], RULEBOOK, 10).conclusion == "Nothing could be read, so nothing can be said."
