"""Every form of packet text, made by the real tool of all our captures, is judged like the capture it was made of.

Where a form lacks fields, it is judged like a fields export without them.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
from support.blanked_exports import HEADERS, blanked
from support.command_line import FORGED, LAB, SITUATIONS, run
from support.packet_text import needs_tcpdump

ALL = sorted((*LAB.glob("*.pcap"), *SITUATIONS.glob("*.pcap")))
TRAILERS = SITUATIONS / "f5-ethernet-trailer.pcap"  # without Ethernet trailers, F5's word for a reset is not there
NUMBERS = SITUATIONS / "diagnostic-payload.pcap"  # its resets state numbers, of which fields and text have none
SOME = [path for path in ALL if path.stat().st_size < 12_000 or "04_icmp.client" in path.name]
TSHARK, TCPDUMP = "tshark -n -r", "tcpdump -nn -tt -r"

Rows = dict[tuple[str, str], dict[str, str]]  # by capture and frame


def texts(folder: Path, command: str, options: str = "", paths: list[Path] = ALL) -> list[Path]:
    """What this command prints of each capture, each in a file of its own."""
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    made = []
    for path in paths:
        words = [*command.split(), str(path), *options.split()]
        printed = subprocess.run(words, capture_output=True, check=True, stdin=subprocess.DEVNULL, env=environment)
        made.append(folder / f"{path.name}.txt")
        made[-1].write_bytes(printed.stdout)
    return made


def judged(paths: list[Path], *without: str) -> Rows:
    """The rows of these inputs, but for some columns. Inputs that are made of one capture have equal names here."""
    result = run("summarize", *paths, "--format", "csv", "--no-reconcile")
    rows = csv.DictReader(io.StringIO(result.stdout))
    named = [row | {"capture": Path(row["capture"]).name.partition(".pcap")[0]} for row in rows]
    return {(row["capture"], row["frame"]): {k: v for k, v in row.items() if k not in without} for row in named}


@cache
def of_captures() -> Rows:
    return judged(ALL)


def but_for(rows: Rows, capture: Path, *without: str) -> Rows:
    """The rows, but those of one capture without some columns."""
    return {
        key: {name: value for name, value in row.items() if name not in without} if key[0] == capture.stem else row
        for key, row in rows.items()
    }


def of_resets(rows: Rows) -> Rows:
    """The rows of resets only."""
    return {key: row for key, row in rows.items() if row["kind"] == "rst"}


@pytest.mark.parametrize("options", ["-T json", "-V"])
def test_trees_and_details_hold_everything(tmp_path: Path, options: str) -> None:
    assert len(of_captures()) > 1800
    found = judged(texts(tmp_path, TSHARK, options))
    assert but_for(found, NUMBERS, "cause") == but_for(of_captures(), NUMBERS, "cause")


@pytest.mark.parametrize("options", ["-T ek", "-T pdml", "-T json --no-duplicate-keys"])
def test_other_trees_hold_the_same(tmp_path: Path, options: str) -> None:
    found = judged(texts(tmp_path, TSHARK, options, SOME))
    assert but_for(found, NUMBERS, "cause") == but_for(judged(SOME), NUMBERS, "cause")


@needs_tcpdump
@pytest.mark.parametrize(("options", "missing"), [("-X", TRAILERS), ("-xx -v", None)])
def test_bytes_hold_everything(tmp_path: Path, options: str, missing: Path | None) -> None:
    paths = [path for path in SOME if path != missing]
    assert judged(texts(tmp_path, f"tcpdump {options} -nn -tt -r", paths=paths)) == judged(paths)


def test_bytes_beside_a_packet_list_hold_everything(tmp_path: Path) -> None:
    """But for fractions of a microsecond, which a list rounds."""
    found = judged(texts(tmp_path, TSHARK, "-t e -P -x", SOME), "response_us", "rtt_us", "time")
    assert found == judged(SOME, "response_us", "rtt_us", "time")


@needs_tcpdump
@pytest.mark.parametrize("options", ["", "-e -# -S"])
def test_without_v_everything_else_counts(tmp_path: Path, options: str) -> None:
    """The text of a reset is printed with -v only, and quoted packets of ICMP errors are not."""
    paths = [path for path in ALL if path != TRAILERS]
    exports = [blanked(path, tmp_path, (*HEADERS, "tcp.reset_cause", *macs(options))) for path in paths]
    found = of_resets(judged(texts(tmp_path, f"{TCPDUMP[:-3]} {options} -r", paths=paths)))
    expected = of_resets(judged(exports))
    assert len(found) > 1800
    assert found.keys() == expected.keys()
    assert {key: row for key, row in found.items() if row != expected[key]} == {}


def macs(options: str) -> tuple[str, ...]:
    """The columns that tcpdump prints with -e only."""
    return () if "-e" in options else ("eth.src", "eth.dst")


def test_a_packet_list_shows_no_headers(tmp_path: Path) -> None:
    times = ("response_us", "rtt_us", "silence_us", "time")
    without = (*times, "stage", "suspicion", "cause", "evidence", "reason", "origin", "device")
    paths = [path for path in ALL if path != TRAILERS]
    exports = [blanked(path, tmp_path, (*HEADERS, "tcp.reset_cause", "eth.src", "eth.dst")) for path in paths]
    found = of_resets(judged(texts(tmp_path, TSHARK, "-t e", paths), *without))
    expected = of_resets(judged(exports, *without))
    different = {key: row["verdict"] for key, row in found.items() if row != expected[key]}
    assert found.keys() == expected.keys()
    assert different == {}


def test_no_honest_reset_is_accused_for_want_of_hop_limits(tmp_path: Path) -> None:
    accused = [key for key, row in judged(texts(tmp_path, TCPDUMP)).items() if "forged" in row["verdict"]]
    assert len(accused) > 100
    assert not [key for key in accused if "genuine" in of_captures()[key]["verdict"]]


@needs_tcpdump
def test_the_answer_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    [text] = texts(tmp_path, TCPDUMP, paths=[FORGED])
    result = run("summarize", text)
    assert "this text has no hop limits" in result.stderr
    assert "run tcpdump with -nnvv" in result.stderr
    assert result.exit_code == 1
    story = run("explain", text).stdout
    assert "Print the packets with hop limits (tcpdump -nnvv)" in story


def test_text_from_powershell(tmp_path: Path) -> None:
    [text] = texts(tmp_path, TSHARK, "-T json", paths=[FORGED])
    text.write_bytes(text.read_text().replace("\n", "\r\n").encode("utf-16"))
    assert judged([text]) == judged([FORGED])


def test_folders_hold_text_but_no_notes_and_no_copies(tmp_path: Path) -> None:
    [text] = texts(tmp_path, TSHARK, "-T json", paths=[FORGED])
    text.rename(tmp_path / "other.txt")
    packet = "IP 192.0.2.1.80 > 192.0.2.2.9: Flags [R], seq 7, win 0, length 0"
    (tmp_path / "notes.txt").write_text(f"We saw this:\n{packet}\n")
    (tmp_path / "same.pcap").write_bytes(FORGED.read_bytes())
    (tmp_path / "same.txt").write_bytes((tmp_path / "other.txt").read_bytes())
    found = {name for name, _ in judged([tmp_path])}
    assert found == {"same", "other.txt"}


def test_bytes_alone_lack_times_only(tmp_path: Path) -> None:
    paths = [path for path in SOME if path != NUMBERS]  # an export has no numbers, the bytes have
    exports = [blanked(path, tmp_path, ["frame.time_epoch"]) for path in paths]
    assert judged(texts(tmp_path, TSHARK, "-x", paths)) == judged(exports)
