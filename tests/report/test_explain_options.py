"""`rstorigin explain`: ICMP errors, observables, all resets of one sender, times, and what explanations take away."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether
from support.command_line import FORGED, LAB, capture, reset, run
from support.flows_by_hand import written
from support.situations_by_hand import fake_reset_of_a_client
from support.stories import EXAMPLES, story, told

from heuristics.observables.vocabulary import BY_NAME
from heuristics.rulebook.model import load
from heuristics.rulebook.statements import Explanation

RULEBOOK = load()
ICMP_CAPTURE = LAB / "04_icmp.client.pcap"


def test_an_icmp_error_has_a_story() -> None:
    content = story(ICMP_CAPTURE)  # the capture has no reset
    assert content["error"]["kind"] == "icmp"
    frames = json.loads(told("summarize", ICMP_CAPTURE, "--format", "json"))["icmp_errors"]
    for error in frames:
        one = story(ICMP_CAPTURE, "--frame", str(error["frame"]))
        assert one["sentence"] == error["evidence_text"][0]
        assert one["evidence"] == error["evidence"][0]
        assert one["rejection"] == error["rejection"]
        for form in ("text", "markdown"):
            text = told("explain", ICMP_CAPTURE, "--frame", str(error["frame"]), "--format", form)
            assert error["rejection"]["name"] in text
    refused = next(error for error in frames if error["evidence"] == ["prohibited"])
    content = story(ICMP_CAPTURE, "--frame", str(refused["frame"]))
    assert content["headline"].startswith("It was sent by a firewall or another device in between (192.0.2.1)")
    assert content["probe"].startswith("The rejected packet had hop limit ")
    for command in content["commands"]:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert re.search(rf"^(Frame {refused['frame']}:|{refused['frame']}\t)", done.stdout, re.MULTILINE)


def test_a_reset_comes_before_an_icmp_error_as_the_worst(tmp_path: Path) -> None:
    inside = IP(src="203.0.113.1", dst="192.0.2.1") / TCP(sport=80, dport=40000, flags="R")
    error = (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(src="198.51.100.1", dst="203.0.113.1")
        / ICMP(type=3, code=13)
        / inside
    )
    path = capture(tmp_path / "icmp.pcap", [error, reset()])
    assert story(path)["reset"]["frame"] == 2
    assert story(path, "--frame", "1")["error"]["frame"] == 1


def test_every_observable_is_shown_with_the_rules_that_read_it() -> None:
    content = story(FORGED, "--frame", "2")
    lines = {line["name"]: line for line in content["observables"]}
    assert list(lines) == list(BY_NAME)
    assert lines["hop_limit"]["value"] == 62
    assert "hop_gap" in lines["hop_gap"]["read_by"]  # by way of a definition
    fired = {rule for line in lines.values() for rule in line["fired"]}
    assert fired == {evidence["rule"] for evidence in (*content["against"], *content["in_favour"])}
    text = told("explain", FORGED, "--frame", "2", "--observables")
    assert re.search(r"^ip_id +39086$", text, re.MULTILINE)
    assert "*mirrored" in text
    assert "OBSERVABLES" not in told("explain", FORGED, "--frame", "2")
    assert "quoted_hop_limit" in told("explain", ICMP_CAPTURE, "--observables")


def test_all_resets_of_one_presumed_sender_are_listed() -> None:
    path = EXAMPLES / "firewall-refuses.pcap"
    content = story(path, "--frame", "24", "--all-of-sender")
    assert [row["frame"] for row in content["of_sender"]] == [24, 28, 56, 60]  # in the names of two hosts
    assert [row["frame"] for row in story(path, "--frame", "30", "--all-of-sender")["of_sender"]] == [30]
    assert story(path, "--frame", "24")["of_sender"] == []
    for form in ("text", "markdown"):
        text = told("explain", path, "--frame", "24", "--all-of-sender", "--format", form)
        assert "2001:db8:7:7::14" in text
        assert "sender (4)" in text.lower()


def test_times_are_those_of_the_printed_command() -> None:
    content = story(EXAMPLES / "firewall-refuses.pcap", "--frame", "56")
    done = subprocess.run(["bash", "-c", content["commands"][1]], capture_output=True, text=True, check=True)
    shown = {int(line.split("\t")[0]): float(line.split("\t")[1]) for line in done.stdout.splitlines()}
    steps = [step for step in content["ladder"] if "frame" in step]
    assert {step["frame"]: pytest.approx(step["time_us"] / 1e6, abs=2e-6) for step in steps} == shown
    assert min(shown.values()) > 0.1  # the flow is not the first of the capture


def test_what_an_explanation_takes_away_is_marked(tmp_path: Path) -> None:
    path = written(tmp_path / "fake.pcap", fake_reset_of_a_client())
    content = story(path)
    fake = RULEBOOK.evidence("desync_fake")
    assert isinstance(fake, Explanation)
    assert content["explanation"] == fake.title
    taken = {each["rule"] for each in content["against"] if each["explained"]}
    assert taken == {each["rule"] for each in content["against"]} & fake.explains
    assert taken
    assert "(taken away by the explanation)" in run("explain", path).stdout


def test_local_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-3")
    time.tzset()
    try:
        local = run("explain", FORGED, "--local").stdout
        utc = run("explain", FORGED).stdout
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert re.search(r"^when .* \+03$", local, re.MULTILINE)
    assert re.search(r"^when .* UTC$", utc, re.MULTILINE)
