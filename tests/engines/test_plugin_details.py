"""The plugin in the user interface: packet details, expert information, preferences, summary."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support import frames
from support.parity import CAPTURES, WHOLE_FILE, differences, export, listed, postproc_rows, run_plugin
from support.wiresharks import Wireshark, available

from generator.render import PLUGIN_NAME
from heuristics.protocol.tshark_fields import ACK, RST, SYN
from heuristics.rulebook.model import load

pytestmark = pytest.mark.versions

PLUGIN = Path(__file__).parents[2] / "plugins" / PLUGIN_NAME
REJECTED = CAPTURES / "lab" / "02_reject_syn_r1.client.pcap"  # eight forged resets; the hosts are five hops away
ICMP = CAPTURES / "lab" / "04_icmp.client.pcap"
EVERY_WIRESHARK = pytest.mark.parametrize("wireshark", available(), ids=str)


PCAP_HEADER = 24
CLIENT, SERVER = b"\xc0\x00\x02\x02", b"\xcb\x00\x71\x02"


def segment(seconds: float, flags: int, *, back: bool = False, sport: int = 40000, hop_limit: int = 0) -> frames.Record:
    """A segment between client and server (`back`: from the server), `seconds` after the first."""
    source, target = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    ports = (443, sport) if back else (sport, 443)
    data = frames.tcp(*ports, 1000, 1001 if flags & ACK else 0, flags, 500)
    packet = bytes(frames.ipv4(source, target, frames.TCP, data, ttl=hop_limit or (54 if back else 64)))
    return frames.Record(1_700_000_000 * 10**9 + round(seconds * 10**9), packet, len(packet))


def shown(wireshark: Wireshark, capture: Path, *options: str | Path) -> str:
    """The output of tshark for `capture`, with the plugin installed and no Lua error."""
    result = wireshark.tshark("-r", capture, *options, plugins=[PLUGIN])
    assert "_ws.lua" not in result.stdout
    assert "Lua" not in result.stderr
    assert "rstorigin:" not in result.stderr
    return result.stdout


def fields(wireshark: Wireshark, capture: Path, *names: str, options: tuple[str, ...] = ()) -> list[list[str]]:
    """The frame number and the rstorigin fields `names` of every judged packet, from the whole capture."""
    columns = [word for name in names for word in ("-e", f"rstorigin.{name}")]
    text = shown(
        wireshark, capture, "-2", "-Y", "rstorigin.verdict", *options, "-T", "fields", "-e", "frame.number", *columns
    )
    return [line.split("\t") for line in text.splitlines()]


@EVERY_WIRESHARK
def test_the_details_begin_with_verdict_and_place(wireshark: Wireshark) -> None:
    text = shown(wireshark, REJECTED, "-2", "-Y", "frame.number == 14 && tcp", "-O", "rstorigin")
    tree = text[text.index("[RST origin") :]
    first, *rest = tree.splitlines()
    assert re.fullmatch(
        r"\[RST origin: forged \(suspicion \d+ %\), sent from 0 hops away; its named sender is 5 hops away\]", first
    )
    lines = [line.strip() for line in rest]
    total = next(line for line in lines if line.startswith("[Evidence that another device sent it: "))
    weights = [int(match[1]) for line in lines if (match := re.match(r"\[([+]\d+) \w+: ", line))]
    assert weights
    assert total.endswith(f": {sum(weights):+d}]")
    assert lines.index("[Observables]") > lines.index(total)
    assert "[Hop baseline: 59]" in lines[lines.index("[Observables]") :]
    for line in lines:
        assert line == "" or line.startswith("["), f"not marked as generated: {line}"


@EVERY_WIRESHARK
@pytest.mark.parametrize("capture", [REJECTED, ICMP], ids=lambda path: path.name)
def test_the_frame_to_compare_with_is_the_senders_own_and_shows_the_baseline(
    wireshark: Wireshark, capture: Path
) -> None:
    columns = ("-T", "fields", "-e", "frame.number", "-e", "_ws.col.Source")
    sources = dict(line.split("\t") for line in shown(wireshark, capture, "-2", "-Y", "frame", *columns).splitlines())
    hop_limits = {
        frame: (hop_limit, verdict)
        for frame, hop_limit, verdict in (
            line.split("\t")
            for line in shown(
                wireshark,
                capture,
                "-2",
                "-Y",
                "rstorigin",
                *("-T", "fields", "-e", "frame.number"),
                *("-e", "rstorigin.hop_limit", "-e", "rstorigin.verdict"),
            ).splitlines()
        )
    }
    compared = [row for row in fields(wireshark, capture, "baseline_frame", "hop_baseline") if row[1]]
    assert compared
    for frame, other, baseline in compared:
        assert sources[other] == sources[frame]
        if other in hop_limits:  # other packets are neither TCP nor ICMP, and have no fields of ours
            assert hop_limits[other] == (baseline, "")


@EVERY_WIRESHARK
def test_expert_information_lists_the_forged_resets(wireshark: Wireshark) -> None:
    text = shown(wireshark, REJECTED, "-2", "-Y", "rstorigin.verdict", "-q", "-z", "expert")
    found = re.findall(r"^\s+(\d+)\s+Security\s+RSTORIGIN\s+(forged|likely forged): sent from", text, re.M)
    assert sum(int(number) for number, _ in found) == 8
    warnings = shown(wireshark, REJECTED, "-2", "-Y", "rstorigin.expert.forged", "-T", "fields", "-e", "frame.number")
    forged = [row[0] for row in fields(wireshark, REJECTED, "verdict") if row[1] == "forged"]
    assert warnings.split() == forged != []


@EVERY_WIRESHARK
def test_the_flow_of_a_forged_reset_can_be_filtered(wireshark: Wireshark) -> None:
    text = shown(
        wireshark, REJECTED, "-2", "-Y", 'rstorigin.flow_verdict == "forged"', "-T", "fields", "-e", "frame.number"
    )
    assert {"13", "14"} <= set(text.split())  # the SYN and its reset


@EVERY_WIRESHARK
def test_a_preference_moves_the_limit_of_a_verdict(wireshark: Wireshark) -> None:
    usual = fields(wireshark, REJECTED, "verdict", "suspicion", "score")
    assert {verdict for _, verdict, *_ in usual} == {"forged"}
    strict = fields(wireshark, REJECTED, "verdict", "suspicion", "score", options=("-o", "rstorigin.forged:99"))
    assert [row[2:] for row in strict] == [row[2:] for row in usual]
    lenient = fields(
        wireshark, REJECTED, "verdict", options=("-o", "rstorigin.likely_genuine:99", "-o", "rstorigin.genuine:99")
    )
    assert {verdict for _, verdict in lenient} == {"forged"}  # an accusation comes first
    nothing = fields(
        wireshark,
        CAPTURES / "lab" / "06_benign.client.pcap",
        "verdict",
        options=("-o", "rstorigin.forged:1", "-o", "rstorigin.likely_forged:1"),
    )
    before = fields(wireshark, CAPTURES / "lab" / "06_benign.client.pcap", "verdict", "suspicion")
    assert [verdict == "forged" for _, verdict in nothing] == [int(suspicion) >= 1 for *_, suspicion in before]


@pytest.mark.parametrize(("name", "value"), [("hop_tolerance", 4), ("hop_tolerance", 9), ("baseline_packets", 50)])
def test_a_preference_is_a_threshold_of_the_rulebook(name: str, value: int, tmp_path: Path) -> None:
    """Limits set in Wireshark, or in an overlay for both engines, give the same evidence and verdicts."""
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(f'[rulebook]\nname = "mine"\n[thresholds]\n{name} = {value}\n', encoding="utf-8")
    wireshark, usual, mine = available()[0], load(), load(overlays=[overlay])
    differ = False
    for capture in (REJECTED, CAPTURES / "lab" / "08_far_firewall.client.pcap"):
        asked = run_plugin(capture, wireshark, usual, (*WHOLE_FILE, "-o", f"rstorigin.{name}:{value}"))
        found = differences(capture.name, asked.rows, postproc_rows(export(capture, wireshark), mine))
        assert not found, listed(found)
        differ = differ or asked.rows != run_plugin(capture, wireshark, usual).rows
    assert differ


@EVERY_WIRESHARK
@pytest.mark.parametrize(
    ("choice", "ending"),
    [
        ("nothing", r"Len=0"),
        ("forged and likely forged", r"\[forged\]"),
        ("every verdict and where it was sent from", r"\[forged, sent from 0 hops away; .*\]"),
    ],
)
def test_a_preference_says_what_info_shows(wireshark: Wireshark, choice: str, ending: str) -> None:
    text = shown(wireshark, REJECTED, "-2", "-Y", "frame.number == 14 && tcp", "-o", f"rstorigin.info:{choice}")
    assert re.search(ending + r"\s*$", text)


@EVERY_WIRESHARK
@pytest.mark.parametrize("passes", [(), ("-2", "-Y", "tcp || icmp || icmpv6")], ids=["one_pass", "two_passes"])
@pytest.mark.parametrize("capture", [REJECTED, ICMP], ids=lambda path: path.name)
def test_the_summary_counts_what_the_fields_say(wireshark: Wireshark, capture: Path, passes: tuple[str, ...]) -> None:
    text = script_output(wireshark, "summary", capture, *passes)
    judged = fields(wireshark, capture, "verdict")
    verdicts = [verdict for _, verdict in judged]
    for verdict in set(verdicts):
        assert re.search(rf"^ +{verdicts.count(verdict)}  {verdict}$", text, re.MULTILINE), text
    frames = {frame for frame, verdict in judged if verdict in ("forged", "likely forged")}
    assert set(re.findall(r"^  frame (\d+): ", text, re.MULTILINE)) == frames


@EVERY_WIRESHARK
def test_the_plugin_tells_what_it_can_be_asked_for(wireshark: Wireshark) -> None:
    assert "lua_script1:summary" in script_output(wireshark, "help", REJECTED)
    refused = wireshark.tshark("-q", "-r", REJECTED, "-X", "lua_script1:nonsense", scripts=[PLUGIN])
    assert 'takes summary or help, not "nonsense"' in refused.stderr


def script_output(wireshark: Wireshark, word: str, capture: Path, *options: str) -> str:
    """The output of the plugin for `lua_script1` = `word`. It is all output of tshark -q."""
    quiet = () if "-2" in options else ("-q",)
    result = wireshark.tshark("-r", capture, *quiet, *options, "-X", f"lua_script1:{word}", scripts=[PLUGIN])
    assert "Lua" not in result.stderr
    text = result.stdout
    return text[text.index("\nRST origin: ") :] if "-2" in options else text


@pytest.mark.parametrize("silence", [0.5, 90.0])
def test_a_verdict_is_provisional_until_its_flow_has_long_been_silent(tmp_path: Path, silence: float) -> None:
    packets = [segment(0.0, SYN), segment(0.1, RST | ACK, back=True), segment(0.1 + silence, SYN, sport=40001)]
    capture = tmp_path / "silence.pcap"
    capture.write_bytes(frames.pcap(packets, frames.RAW))
    ((_, state),) = fields(available()[0], capture, "state")
    assert state.startswith("provisional" if silence < 60 else "final")


def test_a_capture_that_grows_is_judged_as_it_comes(tmp_path: Path) -> None:
    """A live capture through a pipe: the verdict is printed before the capture ends."""
    capture = frames.pcap([segment(0.0, SYN), segment(0.04, SYN | ACK, back=True), segment(0.041, ACK)], frames.RAW)
    reset = frames.pcap([segment(0.05, RST | ACK, back=True, hop_limit=62)], frames.RAW)[PCAP_HEADER:]
    plugin = tmp_path / PLUGIN.name
    plugin.write_bytes(PLUGIN.read_bytes())
    with subprocess.Popen(
        ["tshark", "-l", "-i", "-", "-X", f"lua_script:{plugin}", *("-T", "fields", "-e", "rstorigin.verdict")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as tshark:
        assert tshark.stdin is not None
        assert tshark.stdout is not None
        tshark.stdin.write(capture + reset)
        tshark.stdin.flush()
        lines = [tshark.stdout.readline() for _ in range(4)]  # the pipe is still open
        assert tshark.poll() is None
        tshark.stdin.close()
        assert tshark.wait(30) == 0
    assert [line.strip() for line in lines[:3]] == [b""] * 3
    assert lines[3].strip() != b""


def test_old_flows_are_let_go_but_never_their_resets(tmp_path: Path) -> None:
    packets = [segment(0.0, SYN), segment(0.1, SYN | ACK, back=True)]
    packets += [segment(1.0 + number, SYN, sport=41000 + number) for number in range(6)]
    packets.append(segment(9.0, RST | ACK, back=True))
    capture = tmp_path / "flows.pcap"
    capture.write_bytes(frames.pcap(packets, frames.RAW))
    for most, source in ((100, "flow"), (4, "host")):
        options = ("-o", f"rstorigin.flows:{most}")
        assert fields(available()[0], capture, "baseline_source", options=options) == [["9", source]]
