"""Devices that look like the sender, and senders that look like a device: each beside the other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from support import forgers_by_hand
from support.flows_by_hand import written
from support.parity import compare, export, listed, postproc_rows, system_wireshark
from support.situations_by_hand import SITUATIONS

from heuristics.rulebook.model import load

ACCUSED, CLEARED = ("forged", "likely forged"), ("genuine", "likely genuine")


def resets(situation: str) -> list[dict[str, str]]:
    """What postproc says of the resets of a situation; the plugin says the same."""
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as folder:
        capture = written(Path(folder) / "situation.pcap", SITUATIONS[situation]())
        found = compare(capture, system_wireshark(), load())
        assert not found, listed(found)
        rows = postproc_rows(export(capture, system_wireshark()), load())
    return [row for _, row in sorted(rows.items()) if "verdict" in row]


def test_two_hops_before_a_host_its_address_may_have_an_owner() -> None:
    *_, refused = resets("refusal_by_the_owner_of_an_address")
    assert (refused["verdict"], refused["observed.place_interrupts"]) == ("unclear", "no")
    assert "the device that owns this address" in refused["reason"]


def test_who_resets_open_connections_from_there_is_no_owner() -> None:
    *_, refused = resets("refusal_by_a_device_that_resets_open_connections")
    assert refused["observed.place_interrupts"] == "yes"
    assert refused["verdict"] in ACCUSED


def test_a_page_that_comes_last_is_not_the_senders_if_it_started_from_elsewhere() -> None:
    *_, reset = resets("block_page_that_the_server_never_answers")
    assert (reset["observed.stray_packets"], reset["verdict"] in ACCUSED) == ("1", True)


def test_after_a_change_of_route_the_last_packets_are_the_senders() -> None:
    *_, reset = resets("abort_by_a_detour_at_the_end")
    assert (reset["observed.stray_packets"], reset["verdict"] in CLEARED) == ("0", True)


def test_linux_does_not_abort_what_it_has_no_socket_for() -> None:
    *_, reset = resets("abort_after_the_kernel_knew_no_socket")
    assert "abort_again_linux" in reset["evidence"].split(",")
    assert reset["verdict"] in ACCUSED


@pytest.mark.parametrize("number", range(4))
def test_a_shaper_is_named_for_each_of_its_pairs(number: int) -> None:
    reset = resets("two_pairs_of_a_shaper")[number]
    assert (reset["observed.burst_span"], reset["verdict"] in ACCUSED) == (str(forgers_by_hand.SHAPED), True)
    assert reset["device"].startswith("peer-to-peer shaper")


def test_one_packet_on_several_interfaces_is_one_reset() -> None:
    seen = resets("refusal_on_three_interfaces")
    assert [row["hop_limit"] for row in seen] == ["52", "51", "50"]
    assert {(row["observed.burst_size"], row["observed.resets_before"]) for row in seen} == {("1", "0")}
    assert not {row["verdict"] for row in seen} & set(ACCUSED)
