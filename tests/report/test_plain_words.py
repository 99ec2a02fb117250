"""What a first reader misreads: who is the client, what is in between, what a sentence and a table say of one value."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.command_line import FORGED, LAB, run
from support.judged_by_hand import judged_reset
from support.stories import EXAMPLES

from postproc.report.presumed_senders import service_of

LOAD_BALANCER = EXAMPLES / "load-balancer-idle-timeout.pcap"
REFUSES = EXAMPLES / "firewall-refuses.pcap"


def test_a_front_end_may_speak_in_the_name_of_the_client() -> None:
    content = json.loads(run("explain", LOAD_BALANCER, "--format", "json").stdout)
    assert content["headline"] == "It was sent by a load balancer or proxy in the name of the client 192.0.2.40."
    assert not any("in front of" in each["sentence"] for each in content["in_favour"])
    (row,) = (line for line in run("summarize", LOAD_BALANCER).stdout.splitlines() if line.startswith("a front-end"))
    assert re.search(r"\b1 +1 +3268\b", row)  # names and clients are one host


def test_a_packet_shows_the_hop_limit_that_a_sentence_names() -> None:
    content = json.loads(run("explain", LOAD_BALANCER, "--format", "json").stdout)
    assert "the sender's own packets have hop limit 251, too" in [each["sentence"] for each in content["in_favour"]]
    assert [column["title"] for column in content["comparison"]["columns"]][2] == "same hop limit"
    line = next(line for line in content["comparison"]["lines"] if line["field"] == "hop limit")
    assert line["values"] == ["251", "52", "251"]
    assert line["note"] == "differs; as in frame 1"


@pytest.mark.parametrize(
    ("sport", "dport", "end_reason", "one_sided", "service"),
    [
        (10734, 30120, "tcp-rst-from-client", True, ("203.0.113.1", 30120)),
        (10734, 30120, "tcp-rst-from-client", False, ("192.0.2.1", 10734)),  # both ends reset: the lower port
        (30120, 10734, "tcp-rst-from-server", False, ("192.0.2.1", 30120)),
        (443, 50000, "tcp-rst-from-client", True, ("192.0.2.1", 443)),  # the client's reset is not among these rows
    ],
)
def test_the_client_is_who_opened_the_connection(
    sport: int, dport: int, end_reason: str, one_sided: bool, service: tuple[str, int]
) -> None:
    row = judged_reset().row
    ends = {"src": "203.0.113.1", "sport": sport, "dst": "192.0.2.1", "dport": dport}
    assert service_of(replace(row, **ends, end_reason=end_reason), one_sided=one_sided) == service


@pytest.mark.parametrize(
    ("capture", "frame", "who"),
    [
        (FORGED, 2, "something in between."),
        (LAB / "07c_gfw_like_r1.client.pcap", 31, "another device."),  # its place is unknown
        (LAB / "07c_gfw_like_r1.client.pcap", 59, "another device."),  # as far away as the host
    ],
)
def test_only_what_is_nearer_is_in_between(capture: Path, frame: int, who: str) -> None:
    story = json.loads(run("explain", capture, "--frame", str(frame), "--format", "json").stdout)
    assert story["headline"].endswith(f"but by {who}")


def test_a_distance_is_said_once_about_a_suspicious_reset() -> None:
    item = run("summarize", REFUSES, "--top", "1").stdout.partition("MOST SUSPICIOUS")[2].partition("HOSTS NAMED")[0]
    assert item.count("hops away;") == 1


def test_the_hop_of_the_device_that_rejects_is_explained() -> None:
    content = json.loads(run("explain", LAB / "04_icmp.client.pcap", "--format", "json").stdout)
    assert content["probe"].endswith(
        "It had travelled 1 hop, which lies beyond this capture point: the rejecting device itself."
    )


def test_a_name_that_is_not_utf_8_is_shown(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.pcap")
    Path(name).write_bytes(FORGED.read_bytes())
    for arguments in (["explain", name], ["summarize", name]):
        result = run(*arguments)
        assert "caf\\xe9.pcap" in result.stdout
        assert "\\udce9" not in result.stdout


def test_a_report_of_nothing_is_not_written(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Dear reader,\n")
    result = run("report", note, "-o", tmp_path / "report.html")
    assert result.exit_code == 2
    assert "no report is written: nothing could be read" in result.stderr
    assert "tcpdump -nnvv" in result.stderr  # text of packets is read too
    assert not (tmp_path / "report.html").exists()
