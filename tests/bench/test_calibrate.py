"""Weights are fitted to labelled captures, within what public captures allow; undecidable is what the labels say."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command_line import LAB, SITUATIONS

from bench.weights import calibrate
from bench.weights.fit import FALSE_ACCUSATION_COST, MOST, fit, most_weight, sample_weights
from bench.weights.labelled import MIMIC, NEXT_TO_SENDER, Label, read_labelled
from bench.weights.real_resets import genuine_observations, readable
from bench.weights.scores import Case, our_scores
from heuristics.rulebook.model import load
from postproc.capture.tshark.program import find_tshark

FEW = ("01_closed_port.client", "02_reject_syn_r1.client", "03_reject_midstream_r1.client", "06_benign.client")
FORGED = Label(
    capture="a.pcap",
    frame=1,
    kind="rst",
    vantage="client",
    mechanism="nft_reject_syn",
    truth="middlebox",
    refuses_syn=True,
    hops=5,
    node_hops=4,
    sender_absent=False,
)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few labelled captures."""
    folder = tmp_path_factory.mktemp("few")
    for name in FEW:
        for ending in ("pcap", "labels.json"):
            (folder / f"{name}.{ending}").symlink_to(LAB / f"{name}.{ending}")
    return folder


def real_resets(folder: Path, *rows: dict[str, object]) -> Path:
    """A table of public resets with these rows; what a row does not say is ordinary."""
    usual = {
        "truth": "genuine", "ip_version": 4, "flags": "0x14", "hop_limit": 55, "baseline_packets": 3,
        "baseline_hop_limits": "55", "ip_id": 7, "baseline_ip_ids": "4;5;6", "df": 1, "baseline_df": 1, "window": 0,
        "payload_len": 0, "seq_minus_expected": 0, "ack_minus_expected": 0, "options_len": 0,
        "foreign_mac": 0, "resets_from_sender": 1,
    }  # fmt: skip
    table = folder / "real-resets.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, usual)
        writer.writeheader()
        writer.writerows([{**usual, **row} for row in rows])
    return table


def test_a_syn_refused_one_hop_before_the_server_is_undecidable() -> None:
    assert FORGED.undecidable == NEXT_TO_SENDER
    assert replace(FORGED, node_hops=3).undecidable == ""
    assert replace(FORGED, refuses_syn=False).undecidable == ""
    assert replace(FORGED, node_hops=None).undecidable == ""
    assert replace(FORGED, truth="endpoint").undecidable == ""


def test_an_in_path_mimic_is_undecidable_and_one_beside_the_path_is_not() -> None:
    mimic = replace(FORGED, mechanism="hop_copying_in_path", refuses_syn=False, node_hops=0)
    assert mimic.undecidable == MIMIC
    assert replace(mimic, mechanism="hop_copying_on_side").undecidable == ""


def test_what_one_capture_cannot_decide_is_left_out_of_recall_but_not_of_accusations() -> None:
    far = replace(FORGED, node_hops=0)
    sender_absent = replace(far, mechanism="iptables_reject_syn", sender_absent=True)
    honest = replace(FORGED, mechanism="closed_port", truth="endpoint")
    verdicts = {FORGED: "unclear", far: "forged", sender_absent: "unclear", honest: "likely forged"}
    scores = our_scores([Case(label, verdict, "", False) for label, verdict in verdicts.items()])
    assert scores.forged_recall == 0.5  # of two mechanisms, the one whose sender nothing else shows was missed
    assert scores.forged_recall_present == 1.0
    assert scores.forged_recall_all == 0.25
    assert scores.genuine_recall == 0.0
    assert scores.precision == 0.5
    assert [case.label for case in scores.false_accusations] == [honest]


@pytest.mark.parametrize(
    ("name", "hops", "node_hops"),
    [("02_reject_syn_r1.client", {5}, {0}), ("03_reject_midstream_r1.server", {5}, {4})],
)
def test_where_the_device_sits_is_seen_from_the_capture_point(name: str, hops: set[int], node_hops: set[int]) -> None:
    capture = read_labelled(LAB / f"{name}.labels.json", find_tshark())
    forged = [label for label in capture.labels if label.forged]
    assert forged
    assert {label.hops for label in forged} == hops
    assert {label.node_hops for label in forged} == node_hops


def test_what_nobody_was_seen_to_send_is_no_measure(tmp_path: Path) -> None:
    name = "02_reject_syn_r1.client"
    told = json.loads((LAB / f"{name}.labels.json").read_text())
    (tmp_path / told["capture"]).symlink_to((LAB / told["capture"]).resolve())
    told["events"][0] |= {"origin": "middlebox", "node": "unknown"}
    (tmp_path / f"{name}.labels.json").write_text(json.dumps(told))
    labels = read_labelled(tmp_path / f"{name}.labels.json", find_tshark()).labels
    assert [label.frame for label in labels] == [event["frame"] for event in told["events"][1:]]


def test_mechanisms_count_alike_and_a_false_accusation_ten_times() -> None:
    groups = ["a", "a", "a", "b", "c", "c"]
    forged = [True, True, True, True, False, False]
    counted = sample_weights(groups, forged)
    assert counted[:3].sum() == pytest.approx(counted[3])
    assert counted[4:].sum() == pytest.approx(FALSE_ACCUSATION_COST * counted[:4].sum())


def test_a_sign_of_forgeries_gets_weight_and_one_of_both_gets_little() -> None:
    forged = np.array([True] * 50 + [False] * 50)
    telling = np.where(forged, 1.0, 0.0)
    telling[:5] = 0.0
    common = np.ones(100)
    clearing = 1.0 - telling
    sample = sample_weights(list(forged), list(forged))
    weights = fit(
        np.stack([telling, common, clearing], axis=1), forged, sample, -70, [(0, MOST), (0, MOST), (-MOST, 0)]
    )
    assert weights[0] > 250
    assert weights[1] < 20
    assert weights[2] < -100


def test_no_weight_leaves_its_bounds() -> None:
    forged = np.array([True, True, False, False])
    against = np.array([[0.0], [0.0], [1.0], [1.0]])
    sample = np.ones(4)
    assert fit(against, forged, sample, -70, [(0, MOST)]) == [0]
    assert fit(1 - against, forged, sample, -70, [(0, 40)]) == [40]


def test_a_rule_that_misfires_may_weigh_less() -> None:
    assert most_weight(0, 10_000) == MOST
    assert most_weight(35, 471) < most_weight(1, 471) <= MOST
    assert most_weight(0, 24) == 214  # 0.05 ** (1 / 24) is 0.883: up to 11.7 % may be false
    assert most_weight(24, 24) == 0


def test_the_table_of_public_resets_is_read_as_observables(tmp_path: Path) -> None:
    rulebook = load()
    rows: list[dict[str, object]] = [
        {"hop_limit": 60, "baseline_hop_limits": "55;56", "df": 0},
        {"truth": "forged"},
        {"ip_id": "", "baseline_ip_ids": "None", "df": "", "baseline_df": "0;1", "baseline_packets": 0,
         "baseline_hop_limits": "", "flags": "0x4", "seq_minus_expected": "", "ip_version": 6},
        {"seq_minus_expected": -40},
        {"seq_minus_expected": -40, "resets_from_sender": 2},
    ]  # fmt: skip
    seen = genuine_observations(real_resets(tmp_path, *rows), rulebook.thresholds)
    assert len(seen) == 4
    assert seen[0]["hop_gap"] == 4
    assert readable(rulebook.rule("hop_gap"), seen[2])
    assert (seen[2]["seq_ahead"], seen[2]["resets_before"]) == (-40, 0)
    assert seen[3]["resets_before"] is None  # perhaps it is the second
    assert seen[0]["id_step"] == seen[0]["own_id_step"] == 1
    assert rulebook.rule("df_clear").holds(seen[0])
    assert readable(rulebook.rule("df_clear"), seen[0])
    assert not readable(rulebook.rule("df_clear"), seen[1])  # nothing is said of this one's bits
    assert not readable(rulebook.rule("causality"), seen[0])  # the table has no times
    assert readable(rulebook.rule("new_mac"), seen[2])
    assert not rulebook.rule("new_mac").holds(seen[2])
    assert seen[1]["hop_gap"] is None
    assert seen[1]["syn_only"]


def test_calibrating_writes_a_rulebook_that_loads_and_a_table_with_every_rule(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal, table = tmp_path / "proposal.toml", tmp_path / "weights.md"
    misfires = real_resets(tmp_path, *[{"ip_id": 9000, "flags": "0x4"}] * 60, *[{}] * 60)  # half with a foreign IP ID
    arguments = [
        few,
        "--stacks",
        few,
        "--real-resets",
        misfires,
        "--public",
        SITUATIONS / "expected.csv",
        "-o",
        proposal,
        "--table",
        table,
    ]
    monkeypatch.setattr("sys.argv", ["calibrate", *map(str, arguments)])
    calibrate.main()
    before, after = load(), load(overlays=[proposal])
    for old, new in zip(before.rules, after.rules, strict=True):
        assert old.weight * new.weight >= 0, old.id
        assert f"| `{old.id}` " in table.read_text()
    (refused,) = [line for line in table.read_text().splitlines() if line.startswith("| `refused_from_this_link` ")]
    stacks = len({label.mechanism for each in few.glob("*.json") for label in _resets_of(each)})
    assert refused.split("|")[5].strip().endswith(f" / {stacks}")
    assert after.rule("ip_id_foreign").weight <= most_weight(60, 120)
    assert after.rule("hop_gap_host").weight > 0


def _resets_of(labels: Path) -> list[Label]:
    return [label for label in read_labelled(labels, find_tshark()).labels if label.kind == "rst"]


def test_calibrating_without_a_forged_reset_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["calibrate", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        calibrate.main()
    assert ended.value.code == 2
    assert "no forged reset among the 0 labelled ones" in capsys.readouterr().err
