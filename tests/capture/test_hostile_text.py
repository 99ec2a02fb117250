"""Text from strangers is read as far as it goes, and what is wrong with it is said; nothing grows without end."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import FORGED, GENUINE, run, verdicts
from support.packet_text import needs_tcpdump, tcpdump, written

from postproc.capture.text import nmap_trace
from postproc.capture.text.packet_logs.filterlog import FILTERLOG
from postproc.capture.text.packet_logs.netfilter import NETFILTER
from postproc.capture.text.reading import Reading
from postproc.capture.text.text_reader import read_text
from postproc.capture.text.tshark import details, rows
from postproc.runtime.errors import CaptureError


def tshark(capture: Path, *options: str) -> str:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    command = ["tshark", "-n", "-r", str(capture), *options]
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout.decode()


def error_of(text: str, folder: Path) -> str:
    with pytest.raises(CaptureError) as raised:
        list(read_text(written(folder, text), None, []))
    return str(raised.value)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    text = tshark(FORGED, "-T", "pdml").replace("?>", f"?>{bomb}", 1)
    assert "declares a document type" in error_of(text, tmp_path)


@pytest.mark.parametrize("form", ["json", "pdml", "ek"])
def test_a_tree_that_is_cut_short_is_read_up_to_there(tmp_path: Path, form: str) -> None:
    text = tshark(GENUINE, "-T", form)
    path = written(tmp_path, text[: len(text) * 3 // 4])
    result = run("summarize", path)
    assert result.exit_code == 1
    assert "cut short" in result.stderr
    whole = {row["frame"]: row["src"] for row in verdicts(GENUINE)}
    found = {row["frame"]: row["src"] for row in verdicts(path)}
    assert found.items() <= whole.items()


def test_a_value_that_no_packet_has_is_named(tmp_path: Path) -> None:
    text = tshark(FORGED, "-T", "json").replace('"ip.ttl": "', '"ip.ttl": "9', 1)
    assert "a value of ip.ttl is '9" in error_of(text, tmp_path)


def test_nesting_without_end(tmp_path: Path) -> None:
    json_text = '[{"_source": {"layers": ' + "[" * 200_000
    path = written(tmp_path, json_text)
    assert run("summarize", path).exit_code == 1
    path = written(tmp_path, '{"layers": {"a": ' * 100_000 + "\n")
    assert run("summarize", path).exit_code == 1


@pytest.mark.parametrize("beginning", ["IP 192.0.2.1.80 > 192.0.2.2.9: Flags [R], seq 7, win 0, length 0\n", ""])
def test_a_line_without_end_is_refused_early(tmp_path: Path, beginning: str) -> None:
    path = tmp_path / "endless.txt"
    with path.open("wb") as file:
        file.write(beginning.encode() + b"IP 192.0.2.1.80 > 192.0.2.2.9: ")
        file.truncate(1_000_000_000)  # the rest is a hole, which takes no room
        file.seek(8192)
        file.write(b"x")
    with pytest.raises(CaptureError, match="has a line of more than"):
        list(read_text(path, None, []))


@needs_tcpdump
def test_of_mixed_forms_the_most_frequent_is_read(tmp_path: Path) -> None:
    text = tcpdump(GENUINE, "-nn -v -tt") + tshark(FORGED, "-t", "e").lstrip().partition("\n")[0] + "\n"
    result = run("summarize", written(tmp_path, text))
    assert "1 line not understood" in result.stderr
    assert len(verdicts(tmp_path / "packets.txt")) == len(verdicts(GENUINE))


def test_a_binary_file_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "packets.txt"
    path.write_bytes(random.Random(1).randbytes(100_000))
    result = run("summarize", path)
    assert result.exit_code != 0
    assert "not a capture" in result.stderr


LINES = st.lists(st.text(max_size=200), max_size=5)
SEEDS = st.sampled_from(
    [
        "[1.000001] IN=e OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=40 TTL=9 ID=1 PROTO=TCP SPT=1 DPT=2 WINDOW=0 ACK RST ",
        "filterlog: 5,,,1,a,match,block,in,4,0x0,,64,0,0,DF,6,tcp,40,192.0.2.1,192.0.2.2,443,5,0,R,1,,0,,",
        "SENT (0.1290s) TCP 192.0.2.1:5 > 192.0.2.2:80 S ttl=59 id=1 iplen=44  seq=1 win=1 <mss 1460>",
        "1 0.0 192.0.2.1 → 192.0.2.2 TCP 54 8035 → 37754 [RST] Seq=1 Win=1 Len=0",
        "Frame 1: 54 bytes on wire\nInternet Protocol Version 4, Src: 192.0.2.1, Dst: 192.0.2.2\n    Time to Live: 9",
    ]
)


@given(SEEDS, st.integers(0, 160), st.text(max_size=30), LINES)
def test_whatever_a_line_holds_it_is_read_or_counted(seed: str, at: int, inserted: str, lines: list[str]) -> None:
    text = [*lines, *(seed[:at] + inserted + seed[at:]).splitlines(), *lines]
    for form in (NETFILTER, FILTERLOG, nmap_trace, rows, details):
        reading = Reading()
        found = list(form.rows(text, text, reading))
        assert len(found) >= reading.read
        assert all(row["frame.number"] for row in found)
        list(reading.problems())
