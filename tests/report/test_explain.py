"""`rstorigin explain`: the story of one reset, without a word on stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, capture, fake_tshark, reset, run
from support.stories import EXAMPLES, ROOT, fields, program, story, told

from heuristics.rulebook.model import load
from heuristics.rulebook.names import VOCABULARY
from postproc.capture.tshark.program import Tshark
from postproc.report.capture_advice import advise
from postproc.report.pyshark_details import read_details
from postproc.runtime.text import shell_word

BURST = SITUATIONS / "device-resets-after-abort.pcap"
REJECT = LAB / "02_reject_syn_r1.client.pcap"
FORMATS = ("text", "markdown", "json")
STORIES = [
    (FORGED, 2),
    (BURST, 39),
    (REJECT, 14),
    (REJECT, 32),
    (SITUATIONS / "nat-expires-sessions.pcap", 34),
    (SITUATIONS / "netscaler-policy.cap", None),
]


def teredo(source: str, target: str, hop_limit: int, **tcp: Any) -> Packet:
    """TCP in IPv6 in UDP in IPv4, from `source`."""
    outer = IP(src="192.0.2.1" if source < target else "192.0.2.2", dst="192.0.2.3", ttl=100)
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return frame / outer / UDP(sport=3544, dport=3544) / IPv6(src=source, dst=target, hlim=hop_limit) / TCP(**tcp)


def conversation(packets: int) -> list[Packet]:
    """A handshake, `packets` of data from the server and then a reset in its name from elsewhere."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    up = {"sport": 40000, "dport": 80}
    down = {"sport": 80, "dport": 40000}
    to, back = IP(src="192.0.2.1", dst="203.0.113.1", ttl=64), IP(src="203.0.113.1", dst="192.0.2.1", ttl=54)
    opening = [
        ether / to / TCP(**up, flags="S", seq=1),
        ether / back / TCP(**down, flags="SA", seq=1000, ack=2, options=[("MSS", 1460), ("NOP", None), ("WScale", 7)]),
        ether / to / TCP(**up, flags="A", seq=2, ack=1001),
    ]
    data = [ether / back / TCP(**down, flags="A", seq=1001 + i, ack=2) / Raw(b"x") for i in range(packets)]
    forged = IP(src="203.0.113.1", dst="192.0.2.1", ttl=63)
    frames = [*opening, *data, ether / forged / TCP(**down, flags="R", seq=1001 + packets)]
    for number, frame in enumerate(frames):
        frame.time = 1_700_000_000 + number / 100
    return frames


@pytest.mark.parametrize(("path", "frame"), STORIES, ids=lambda value: getattr(value, "stem", value))
def test_stories_of_real_resets(path: Path, frame: int | None) -> None:
    chosen = ["--worst"] if frame is None else ["--frame", str(frame)]
    result = program("explain", path, *chosen)
    assert (result.returncode, result.stderr) == (0, "")
    for text in (result.stdout, *(told("explain", path, *chosen, "--format", form) for form in ("markdown", "json"))):
        assert "\t" not in text
        assert len(text) > 1000


def test_a_story_goes_to_stdout_or_to_a_file(tmp_path: Path) -> None:
    shown = told("explain", FORGED)
    written = run("explain", FORGED, "-o", tmp_path / "story")
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "story").read_text(encoding="utf-8") == shown


@pytest.mark.parametrize(("path", "frame"), STORIES[:-1], ids=lambda value: getattr(value, "stem", value))
def test_filters_and_commands_select_the_reset(path: Path, frame: int) -> None:
    content = story(path, "--frame", str(frame))
    for display_filter, whole in ((content["packet_filter"], True), (content["flow_filter"], False)):
        command = ["tshark", "-r", str(path), "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert str(frame) in found
        assert len(found) == 1 or not whole
    for command in content["commands"]:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert re.search(rf"^(Frame {frame}:|{frame}\t)", done.stdout, re.MULTILINE)


def test_the_story_says_where_it_was_sent_from() -> None:
    content = story(REJECT, "--frame", "32")
    assert content["place"].startswith("Sent from this very link (0 hops away); 2001:db8:5::2 is about 5 hops away")
    assert content["headline"] == "It was not sent by 2001:db8:5::2, but by something in between."
    assert content["reset"]["device"].startswith("Linux netfilter REJECT")


def test_evidence_adds_up_to_the_score() -> None:
    for path, frame in STORIES[:-1]:
        content = story(path, "--frame", str(frame))
        weights = [evidence["weight"] for evidence in (*content["against"], *content["in_favour"])]
        assert content["prior"] + sum(weights) == content["score"]
        assert all(evidence["weight"] > 0 for evidence in content["against"])


def test_reset_and_baseline_stand_side_by_side() -> None:
    content = story(BURST, "--frame", "39")
    assert [column["frame"] for column in content["comparison"]["columns"]] == [39, 31]
    hop_limit = fields(content)["hop limit"]
    assert (hop_limit["values"], hop_limit["differs"], hop_limit["note"]) == (["251", "122"], True, "differs")
    assert fields(content)["source MAC"]["values"] == ["02:00:00:00:06:01"] * 2
    assert not fields(content)["source MAC"]["differs"]
    assert fields(content)["IP ID"]["note"] == "differs"  # ip_id_foreign_abort rests on it
    assert "honest" in fields(content)["window"]["note"]


def test_what_is_copied_from_the_other_direction_is_shown() -> None:
    content = story(FORGED, "--frame", "2")
    assert [column["frame"] for column in content["comparison"]["columns"]] == [2, 4, 1]
    assert fields(content)["IP ID"]["values"] == ["39086", "0", "39086"]
    assert fields(content)["IP ID"]["note"].endswith("as in frame 1")


def test_the_worst_is_the_highest_score() -> None:
    worst = story(FORGED)
    assert worst["reset"]["frame"] == story(FORGED, "--worst")["reset"]["frame"] == 2
    assert story(GENUINE)["reset"]["verdict"] in ("genuine", "likely genuine")
    assert "was sent by" in story(GENUINE)["headline"] or "probably sent by" in story(GENUINE)["headline"]


def test_long_flows_are_shortened(tmp_path: Path) -> None:
    path = capture(tmp_path / "long.pcap", conversation(1500))
    content = story(path)
    ladder = content["ladder"]
    assert len(ladder) < 30
    shown = [step for step in ladder if "frame" in step]
    assert len(shown) + sum(step.get("packets_left_out", 0) for step in ladder) == 1504
    assert [step["frame"] for step in shown][:3] == [1, 2, 3]
    assert shown[-1]["note"] == "this reset"
    text = run("explain", path).stdout
    assert re.search(r"\.\.\. +1,491 more packets", text)


def test_the_ladder_names_both_ends(tmp_path: Path) -> None:
    content = story(capture(tmp_path / "short.pcap", conversation(2)))
    assert [(end["letter"], end["role"]) for end in content["ends"]] == [
        ("A", "opened the connection"),
        ("B", "named as the sender of the reset"),
    ]
    assert [(step["sender"], step["flags"], step["hop_limit"]) for step in content["ladder"]] == [
        ("A", ["SYN"], 64),
        ("B", ["SYN", "ACK"], 54),
        ("A", ["ACK"], 64),
        ("B", ["ACK"], 54),
        ("B", ["ACK"], 54),
        ("B", ["RST"], 63),
    ]


def test_the_header_inside_a_tunnel_counts(tmp_path: Path) -> None:
    here, there = "2001:0:1::1", "2001:0:1::2"
    up, down = {"sport": 40000, "dport": 80}, {"sport": 80, "dport": 40000}
    packets = [
        teredo(here, there, 64, **up, flags="S", seq=1),
        teredo(there, here, 54, **down, flags="SA", seq=9, ack=2, options=[("MSS", 1440)]),
        teredo(here, there, 64, **up, flags="A", seq=2, ack=10),
        teredo(there, here, 54, **down, flags="A", seq=10, ack=2),
        teredo(there, here, 63, **down, flags="R", seq=10),
    ]
    content = story(capture(tmp_path / "teredo.pcap", packets), "--frame", "5")
    assert fields(content)["hop limit"]["values"] == ["63", "54"]
    assert fields(content)["headers"]["values"] == ["eth ip udp teredo ipv6 tcp"] * 2
    assert "ipv6.hlim" in content["commands"][1]


def test_a_host_seen_only_by_its_pings(tmp_path: Path) -> None:
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ping = ether / IP(src="192.0.2.1", dst="203.0.113.1", ttl=57) / ICMP(type=0)
    content = story(capture(tmp_path / "ping.pcap", [ping, reset()]))
    assert content["reset"]["baseline_source"] == "host"
    assert [column["title"] for column in content["comparison"]["columns"]] == ["this reset", "baseline, same host"]
    assert fields(content)["window"]["values"] == ["8192", None]


def test_nothing_to_compare_with(tmp_path: Path) -> None:
    path = capture(tmp_path / "alone.pcap", [reset()])
    content = story(path)
    assert len(content["comparison"]["columns"]) == 1
    assert "how far away 192.0.2.1 is, this capture does not show" in content["place"]
    assert "no other packet of its named sender" in run("explain", path).stdout
    assert any("ping the named sender" in advice for advice in content["advice"])


def test_a_frame_that_is_no_reset(tmp_path: Path) -> None:
    result = program("explain", FORGED, "--frame", "10")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"{FORGED}: frame 10 is no TCP reset and no ICMP error (the nearest: 2, 11, 12)\n"
    assert "there is no frame 1000 among 12 packets" in run("explain", FORGED, "--frame", "1000").stderr


@pytest.mark.parametrize("format_", FORMATS)
def test_no_reset_is_no_failure(tmp_path: Path, format_: str) -> None:
    path = capture(tmp_path / "quiet.pcap", conversation(3)[:-1])
    said = "null\n" if format_ == "json" else f"There is no TCP reset and no ICMP error in {path} (6 packets).\n"
    shown = told("explain", path, "--format", format_)
    assert shown.replace("\\", "") == said  # Markdown escapes the underscores of the path
    asked = run("explain", path, "--frame", "2")
    assert asked.exit_code == 2
    assert "frame 2 is no TCP reset and no ICMP error (there is none in this capture)" in asked.stderr


def test_a_capture_cut_short_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(BURST.read_bytes()[:-10])
    result = program("explain", path, "--frame", "38", "--format", "json")
    assert result.returncode == 1
    assert re.fullmatch(rf"{re.escape(str(path))}: the capture is cut short .*\n", result.stderr)
    assert fields(json.loads(result.stdout))["source MAC"]["values"][0] == "02:00:00:00:06:01"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([FORGED, "--frame", "2", "--worst"], "exclude each other"),
        ([SITUATIONS], "is a folder"),
        (["nowhere.pcap"], "nowhere.pcap: does not exist"),
        ([ROOT / "README.md"], "is a text file, not a capture"),
        ([FORGED, "-o", FORGED], "is an input and would be overwritten"),
        ([FORGED, "--rulebook", "nowhere.toml"], "nowhere.toml: cannot be read"),
    ],
)
def test_wrong_usage_is_told(arguments: Sequence[str | Path], said: str) -> None:
    result = run("explain", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_rulebook_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("[verdict]\nforged = 9000\nlikely_forged = 8000\n", encoding="utf-8")
    assert story(FORGED, "--frame", "2", "--rulebook", mine)["reset"]["verdict"] == "unclear"


HOSTILE = "a\x1b[31m`|<b>$(id)'\u202e\n## x\\.pcap"


@pytest.mark.parametrize("format_", FORMATS)
def test_hostile_names_and_payloads_do_no_harm(tmp_path: Path, format_: str) -> None:
    payload = "\x1b[2J`|<script>\n# \u202eevil</packet>]]>&".encode() + bytes([0xFF, 0x00]) + b"y" * 500
    path = capture(tmp_path / HOSTILE, [reset(payload)])
    result = program("explain", path, "--format", format_)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(character.isprintable() or character == "\n" for character in result.stdout)
    assert "\n## x" not in result.stdout
    assert "y" * 200 not in result.stdout
    if format_ == "markdown":
        outside = re.sub(r"```sh\n.*?```", "", result.stdout, flags=re.DOTALL)
        assert "<" not in re.sub(r"```text\n.*?```", "", outside, flags=re.DOTALL)
    if format_ == "json":
        for command in json.loads(result.stdout)["commands"][1:]:
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
            assert done.stdout.startswith("1\t")


@pytest.mark.parametrize("name", ["-x.pcap", "a b.pcap", "it's.pcap", HOSTILE, "caf\udce9.pcap", "*.pcap"])
def test_the_command_names_any_file(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    capture(tmp_path / "plain.pcap", [reset()]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    words = ("explain", f"./{name}", "--format", "json")
    content = json.loads(run(*words).stdout if name.isascii() else program(*words).stdout)
    assert fields(content)["source MAC"]["values"] == ["02:00:00:00:00:01"]
    done = subprocess.run(["bash", "-c", content["commands"][1]], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1\t")


def test_shell_words() -> None:
    assert shell_word("plain.pcap") == "plain.pcap"
    assert shell_word("it's") == "'it'\"'\"'s'"
    assert shell_word("a\n'\\\x1b\u202e") == r"$'a\x0a\'\\\x1b\xe2\x80\xae'"


def test_no_foreign_configuration_is_read(tmp_path: Path) -> None:
    """pyshark takes a `config.ini` of the current folder for its own."""
    (tmp_path / "config.ini").write_text("[other]\nkey = value\n", encoding="utf-8")
    start = "import os, sys; os.chdir(sys.argv.pop(1)); from postproc.__main__ import main; main()"
    command = [sys.executable, "-c", start, str(tmp_path), "explain", str(FORGED), "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert result.stderr == ""
    assert "source MAC" in fields(json.loads(result.stdout))


def test_pyshark_runs_the_tshark_that_was_found(tmp_path: Path) -> None:
    named = tmp_path / "another-name"
    named.symlink_to(shutil.which("tshark") or "")
    result = program("explain", FORGED, "--format", "json", RSTORIGIN_TSHARK=str(named), PATH="/nowhere")
    assert (result.returncode, result.stderr) == (0, "")
    assert "source MAC" in fields(json.loads(result.stdout))


def test_the_story_is_told_without_pyshark_s_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Tshark(fake_tshark(tmp_path / "bin", "no packets"), (4, 0, 0))
    assert read_details(FORGED, [1, 2], broken) == {}
    monkeypatch.setattr("postproc.report.pyshark_details.read_details", lambda *_: {})
    result = run("explain", FORGED, "--frame", "2")
    assert result.exit_code == 0
    assert "Not in these packets, or not to be read: source MAC, destination MAC" in result.stdout


def test_fields_that_a_capture_cannot_have(tmp_path: Path) -> None:
    path = capture(tmp_path / "raw.pcap", [IP(src="192.0.2.1", dst="203.0.113.1", ttl=60) / TCP(flags="R")])
    assert story(path)["comparison"]["lacking"] == ["source MAC", "destination MAC"]


def test_every_advice_can_be_given() -> None:
    observation = {name: {"int": 0, "bool": False, "str": ""}[str(kind)] for name, kind in VOCABULARY.items()} | {
        "ip_version": 4,
        "verdict": "unclear",
        "origin": "unknown",
    }
    rulebook = load()
    usual = advise(rulebook, observation)
    assert "named sender itself" in usual[-1]
    given = {
        *advise(rulebook, observation | {"hop_limit": None, "distance": None}),
        *advise(rulebook, observation | {"baseline_source": "none"}),
        *advise(rulebook, observation | {"baseline_source": "host", "host_packets": 2, "host_share": 100}),
        *advise(rulebook, observation | {"baseline_source": "host", "host_packets": 9, "host_share": 50}),
        *advise(rulebook, observation | {"response_us": None, "sender_is_initiator": None}),
        *advise(rulebook, observation | {"rtt_us": None, "rtt_confirmed": None}),
        *advise(rulebook, observation | {"hop_gap": 1}),
        *advise(rulebook, observation | {"hop_gap": None, "flow_packets": 0, "host_gap": 1}),
        *advise(rulebook, observation | {"origin": "middlebox", "distance": 1, "baseline_distance": 9}),
    }
    assert len(given | set(usual)) == len(rulebook.advices)


def test_the_readme_shows_real_output() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(Frame 24 of .*?)```", text, re.DOTALL)
    assert shown
    result = run("explain", EXAMPLES / "firewall-refuses.pcap", "--frame", "24")
    lines = [line.replace(f"{EXAMPLES}/", "") for line in result.stdout.splitlines()]
    assert [line for line in shown[1].splitlines() if line not in lines] == []


def test_evidence_names_rules_of_the_rulebook() -> None:
    assert {evidence["rule"] for evidence in story(FORGED)["against"]} <= {rule.id for rule in load().rules}
