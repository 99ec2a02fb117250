"""Each explanation of the default rulebook, and what came with them, on a small capture that needs it.

With it the verdict is right, without it wrong or weaker; and who only looks similar is found all the same.
"""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from scapy.layers.inet import IP
from support import forgers_by_hand, own_resets_by_hand  # noqa: F401 - they register their situations
from support.command_line import run
from support.flows_by_hand import written
from support.parity import compare, export, listed, postproc_rows, system_wireshark
from support.situations_by_hand import DEVICE_HOP_LIMIT, SITUATIONS
from support.translations_by_hand import VIRTUAL

from heuristics.engine_limits import MAX_SHARED_END
from heuristics.rulebook.model import Rulebook, load

GENUINE, LIKELY_GENUINE, UNCLEAR = "genuine", "likely genuine", "unclear"
FORGED, LIKELY_FORGED = "forged", "likely forged"
ACCUSED = {FORGED, LIKELY_FORGED}
DESYNC = "a fake reset of a program against censorship"


@cache
def exported(situation: str) -> pl.DataFrame:
    """The packets of a situation, as postproc reads them from tshark."""
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        return export(written(Path(folder) / "situation.pcap", SITUATIONS[situation]()), system_wireshark())


@cache
def rulebook_without(id_: str) -> Rulebook:
    """The default rulebook under an overlay that disables one rule or explanation."""
    table = "explanation" if id_ in {each.id for each in load().explanations} else "rule"
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        overlay = Path(folder) / "without.toml"
        overlay.write_text(f'[[{table}]]\nid = "{id_}"\nenabled = false\n', encoding="utf-8")
        return load(overlays=[overlay])


def judged(situation: str, *, without: str = "") -> dict[str, str]:
    """What postproc says of the last reset of a situation; `without` one rule or explanation."""
    rows = postproc_rows(exported(situation), rulebook_without(without) if without else load())
    return rows[max(frame for frame, row in rows.items() if "verdict" in row)]


def evidence(row: dict[str, str]) -> set[str]:
    return set(row["evidence"].split(",")) if "evidence" in row else set()


NEEDED = [
    ("fake_reset_of_a_client", "desync_fake", LIKELY_GENUINE, FORGED),
    ("fake_abort_of_a_client", "desync_fake", LIKELY_GENUINE, FORGED),
    ("fake_reset_of_a_client_over_ipv6", "desync_fake", LIKELY_GENUINE, FORGED),
    ("fake_reset_without_flow_label_at_the_client", "desync_fake", LIKELY_GENUINE, FORGED),
    ("fake_abort_with_numbers_of_the_past", "desync_fake", LIKELY_GENUINE, FORGED),
    ("data_from_60_and_reset_from_64", "two_initial_hop_limits", GENUINE, UNCLEAR),
    ("data_from_60_and_bare_reset_from_64", "two_initial_hop_limits", LIKELY_GENUINE, LIKELY_FORGED),
    ("abort_of_aix", "other_stack", LIKELY_GENUINE, UNCLEAR),
    ("silent_drop_of_a_server", "silent_drop", GENUINE, UNCLEAR),
    ("reset_that_is_not_translated", "untranslated_reset", LIKELY_GENUINE, UNCLEAR),
    ("refusal_by_masquerade", "untranslated_reset", LIKELY_GENUINE, UNCLEAR),
    ("refusal_of_an_undialled_address", "undialled_address", LIKELY_GENUINE, UNCLEAR),
    ("refusal_of_the_device_that_translates", "owner_of_translated_address", UNCLEAR, LIKELY_FORGED),
    ("answer_of_a_device_that_no_longer_translates", "owner_of_translated_address", LIKELY_GENUINE, LIKELY_FORGED),
    ("refusal_at_the_device_that_translates", "owner_of_translated_address", LIKELY_GENUINE, FORGED),
    ("refusal_by_the_owner_of_an_address", "owner_of_address", UNCLEAR, LIKELY_FORGED),
    ("block_page", "injected_data", LIKELY_FORGED, UNCLEAR),
    ("abort_of_a_host_with_one_counter", "id_counter", LIKELY_GENUINE, UNCLEAR),
    ("refusal_of_an_unasked_syn_ack", "refuses_syn_ack", LIKELY_GENUINE, UNCLEAR),
    ("abort_with_a_smaller_window", "abort_window_less", LIKELY_FORGED, UNCLEAR),
    ("abort_with_a_larger_window", "abort_window_jump", UNCLEAR, LIKELY_GENUINE),
    ("local_device_that_speaks_for_all", "nobody_so_near", UNCLEAR, LIKELY_GENUINE),
]


@pytest.mark.parametrize(("situation", "id_", "right", "weaker"), NEEDED)
def test_a_situation_that_needs_an_explanation_or_a_rule(situation: str, id_: str, right: str, weaker: str) -> None:
    row, other = judged(situation), judged(situation, without=id_)
    assert (row["verdict"], other["verdict"]) == (right, weaker)
    assert evidence(row) - evidence(other) == {id_}


def test_every_explanation_has_a_situation_that_needs_it() -> None:
    assert {each.id for each in load().explanations} <= {id_ for _, id_, _, _ in NEEDED}


@pytest.mark.parametrize(
    "situation",
    [
        "reset_of_a_client_after_its_first_data",
        "reset_of_a_client_before_its_data_from_elsewhere",
        "device_four_hops_nearer_than_linux",
        "device_four_hops_nearer_than_another_stack",
        "reset_that_is_no_silent_drop",
        "refusal_in_the_name_of_a_host_further_away",
        "refusal_beside_a_flow_that_is_no_counterpart",
        "reset_from_before_a_device_that_translates",
        "device_beside_a_kernel_that_resets_too",
    ],
)
def test_a_forger_that_looks_similar_is_found(situation: str) -> None:
    assert judged(situation)["verdict"] in ACCUSED


@pytest.mark.parametrize(
    "situation",
    ["abort_unlike_another_stack", "refusal_of_a_syn_ack_by_a_device", "refused_though_accepted"],
)
def test_a_forger_at_the_senders_distance_is_not_cleared(situation: str) -> None:
    assert judged(situation)["verdict"] == UNCLEAR


def test_a_device_that_copies_hop_limit_and_window_before_the_first_data_is_not_cleared() -> None:
    assert "genuine" not in judged("copied_reset_of_a_client_before_its_data")["verdict"]


def test_a_fake_of_the_client_comes_from_its_own_mac(tmp_path: Path) -> None:
    packets = SITUATIONS["fake_reset_without_flow_label_at_the_client"]()
    packets[3].src = "02:00:00:00:00:0c"
    raw = export(written(tmp_path / "neighbour.pcap", packets), system_wireshark())
    [verdict] = [row["verdict"] for row in postproc_rows(raw, load()).values() if "verdict" in row]
    assert "genuine" not in verdict


def test_a_device_that_answers_the_first_request_is_not_cleared() -> None:
    assert "genuine" not in judged("block_page_on_the_first_request")["verdict"]


def test_the_abort_of_a_host_by_a_shorter_way_is_not_accused() -> None:
    assert judged("abort_by_a_detour_of_two_hops")["verdict"] not in ACCUSED


def test_the_cause_is_that_of_the_explanation() -> None:
    assert judged("fake_reset_of_a_client")["cause"].startswith(DESYNC)
    assert not judged("fake_reset_of_a_client", without="desync_fake")["cause"].startswith(DESYNC)
    assert judged("silent_drop_of_a_server")["cause"] == "the host drops the connection silently (HAProxy silent-drop)"
    assert "it injected 1 packet before" in judged("block_page")["cause"]
    assert not judged("reset_of_a_client_after_its_first_data")["cause"].startswith(DESYNC)


def test_two_explanations_are_the_reason_of_an_unclear_verdict() -> None:
    assert judged("copied_reset_of_a_client_before_its_data")["reason"] == (
        "two explanations fit: the client itself sends a fake reset that must not arrive, to confuse a censor, "
        "or another device sent it; to decide: capture at the named sender as well"
    )


@pytest.mark.parametrize("situation", {id_: situation for situation, id_, _, _ in NEEDED}.values())
def test_the_weights_that_explain_shows_add_up(situation: str, tmp_path: Path) -> None:
    capture = written(tmp_path / "situation.pcap", SITUATIONS[situation]())
    story = json.loads(run("explain", capture, "--format", "json").stdout)
    shown = {each["rule"]: each["weight"] for each in (*story["against"], *story["in_favour"])}
    row = judged(situation)
    assert shown.keys() == evidence(row)
    assert load().verdict.prior + sum(shown.values()) == int(row["score"])


def test_a_kernel_may_have_another_hop_limit_than_its_service() -> None:
    row, device = judged("kernel_with_a_hop_limit_of_its_own"), judged("device_beside_a_kernel_that_resets_too")
    assert row["verdict"] not in ACCUSED
    assert "own_resets_too" in evidence(row) - evidence(device)
    assert (row["observed.own_bare_resets"], device["observed.own_bare_resets"]) == ("0", "1")


# Address translation.


def test_a_counterpart_has_the_same_numbers() -> None:
    names = ("sender_translated", "peer_translated", "untranslated", "host_translated")
    shown = {
        situation: [judged(situation)[f"observed.{name}"] for name in names]
        for situation in (
            "reset_that_is_not_translated",
            "reset_with_the_number_of_another_connection",
            "refusal_of_an_undialled_address",
            "reset_of_a_translated_connection",
            "refusal_beside_a_flow_that_is_no_counterpart",
        )
    }
    assert shown == {
        "reset_that_is_not_translated": ["yes", "no", "yes", "yes"],
        "reset_with_the_number_of_another_connection": ["no", "no", "no", "no"],
        "refusal_of_an_undialled_address": ["no", "yes", "yes", "no"],
        "reset_of_a_translated_connection": ["no", "yes", "no", "no"],
        "refusal_beside_a_flow_that_is_no_counterpart": ["no", "no", "no", "no"],
    }


def test_a_reset_that_is_translated_like_the_rest_is_no_refusal_of_an_undialled_address() -> None:
    assert "undialled_address" not in evidence(judged("reset_of_a_translated_connection"))


def test_where_many_flows_share_an_end_none_are_compared(tmp_path: Path) -> None:
    packets = SITUATIONS["reset_that_is_not_translated"]()
    for number in range(MAX_SHARED_END):
        for packet in packets[:2]:
            other = packet.copy()
            other[IP].src, other[IP].dst = (
                f"198.51.100.{100 + number}" if each == VIRTUAL else each for each in (other[IP].src, other[IP].dst)
            )
            packets.append(other)
    capture = written(tmp_path / "scan.pcap", packets)
    found = compare(capture, system_wireshark(), load())
    assert not found, listed(found)
    *_, row = postproc_rows(export(capture, system_wireshark()), load()).values()
    assert row["observed.sender_translated"] == "no"


# What is no baseline, and no sign that the sender went on.


def test_injected_data_do_not_make_a_hop_limit_the_senders() -> None:
    row = judged("block_page")
    assert int(row["hop_limit"]) == DEVICE_HOP_LIMIT
    assert (row["observed.match_packets"], row["observed.stray_packets"], row["observed.hop_gap"]) == ("1", "1", "5")
    assert row["observed.host_gap"] == "5"
    assert "hop_match" not in evidence(row)


def test_injected_data_after_an_honest_reset_are_no_sign_that_the_sender_went_on() -> None:
    honest, went_on = judged("data_injected_after_an_honest_abort"), judged("sender_goes_on_after_a_reset")
    assert (honest["verdict"], honest["observed.spoke_after"]) == (GENUINE, "no")
    assert (went_on["verdict"], went_on["observed.spoke_after"]) == (UNCLEAR, "yes")


@pytest.mark.parametrize(
    "situation", ["refusal_of_a_router_that_sends_ssdp", "refusal_of_a_host_whose_name_others_use"]
)
def test_ssdp_and_spoofed_syns_are_no_baseline(situation: str) -> None:
    row = judged(situation)
    assert row["verdict"] == UNCLEAR
    assert (row["observed.baseline_source"], row["observed.host_packets"]) == ("none", "0")


def test_answers_of_other_protocols_are_a_baseline() -> None:
    row = judged("refusal_in_the_name_of_a_host_further_away")
    assert (row["observed.baseline_source"], row["hop_baseline"]) == ("host", "44")


def test_spoofed_syns_are_counted_as_syns() -> None:
    assert judged("refusal_of_a_host_whose_name_others_use")["observed.syn_values"] == "1"
    assert judged("refusal_of_a_router_that_sends_ssdp")["observed.syn_values"] == "0"


def test_a_syn_that_was_refused_and_sent_again_is_accepted_later() -> None:
    later, at_once = judged("refused_and_later_accepted"), judged("refused_though_accepted")
    assert later["verdict"] == LIKELY_GENUINE
    assert "refuses_accepted" in evidence(at_once) - evidence(later)


def test_a_window_that_linux_may_offer_is_no_sign() -> None:
    row = judged("abort_with_the_usual_window")
    assert row["verdict"] == GENUINE
    assert not {"abort_window_less", "abort_window_jump"} & evidence(row)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_engines_agree(situation: str, tmp_path: Path) -> None:
    found = compare(written(tmp_path / f"{situation}.pcap", SITUATIONS[situation]()), system_wireshark(), load())
    assert not found, listed(found)
