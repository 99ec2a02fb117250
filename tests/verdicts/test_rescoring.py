"""A verdict that other captures change concludes its place from what its row shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.judged_by_hand import judged_reset

from heuristics.rulebook.model import load
from postproc.verdicts.rescoring import rescore


def test_the_place_follows_from_the_row_also_where_a_condition_asks_for_more(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.toml"
    overlay.write_text(
        '[[where]]\nid = "bursts"\nwhen = "burst_size >= 2 and spoke_after"\nsay = "a burst"\n', encoding="utf-8"
    )
    rulebook = load(overlays=[overlay])
    unclear = judged_reset(score=0, words=(), verdict="unclear", origin="unknown", evidence=())
    rule = replace(rulebook.rule("case_gap"), weight=1000)
    rescored = rescore(unclear, [rule], {"distance": 1, "case_packets": 9, "case_distance": 5}, rulebook)
    assert rescored.row.verdict == "forged"
    assert rescored.row.where == "sent from about 1 hop away; the sender it names is about 5 hops away"
    assert rescored.words == ("sent from 1 hop away; 9 packets of the host in other captures came from 5 hops away",)
