"""No room for temporary files: the capture that needs it is reported, and nothing else is lost.

A limit on the size of files stands for the full disk: it takes no root, and writing fails in the same places.
"""

from __future__ import annotations

import csv
import io
import resource
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.case_folders import PROGRAM, environment, small_case
from support.command_line import FORGED, LAB, run, without_cache_message

from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture import spill
from postproc.capture.discovery import Source
from postproc.capture.file_type import file_type_of
from postproc.capture.tshark.program import find_tshark

PORTS = LAB / "01_closed_port.client.pcap"  # a reset in every flow
MESSAGES = 1000  # bytes: enough for the messages of tshark, less than any table takes
RULEBOOK, TSHARK = load(), find_tshark()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """In the block, no file can grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def summarized(case: Path, temporary: Path, size: int, *options: str) -> subprocess.CompletedProcess[str]:
    """`rstorigin summarize CASE` in a process of its own, which can write no file beyond `size` bytes."""
    temporary.mkdir(exist_ok=True)
    with files_of_at_most(size):  # the process inherits the limit
        return subprocess.run(
            [*PROGRAM, "summarize", str(case), "--format", "csv", *options],
            capture_output=True,
            text=True,
            check=False,
            env=environment(TMPDIR=str(temporary)),
        )


def large(path: Path) -> Path:
    """FORGED with as many decodable packets as packets in a VLAN: the copy for tshark has 200 KB."""
    plain = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + b"\x08\x06" + bytes(46)
    odd = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + b"\x81\0\0\x05" + b"\x08\x06" + bytes(1000)
    records = [struct.pack("<IIII", 1_700_000_000, 0, len(frame), len(frame)) + frame for frame in (plain, odd)]
    path.write_bytes(FORGED.read_bytes() + b"".join(records) * 200)
    return path


def captures_in(rows: str) -> list[str]:
    return sorted({row["capture"] for row in csv.DictReader(io.StringIO(rows))})


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_there_is_no_room_for_costs_no_other_capture(tmp_path: Path, processes: str) -> None:
    case, temporary = small_case(tmp_path / "case"), tmp_path / "tmp"
    largest = large(case / "large.pcap")
    done = summarized(case, temporary, 100_000, "-j", processes)
    reason = f"no temporary file can be written in {temporary}: File too large"
    problem = f"{largest}: {reason} (make room there, or set TMPDIR to another folder)\n"
    assert without_cache_message(done.stderr) == problem
    assert (done.returncode, captures_in(done.stdout)) == (1, ["forged.pcap", "genuine.pcap"])
    assert not list(temporary.iterdir())
    again = summarized(case, temporary, resource.RLIM_INFINITY, "-j", processes)  # the failed capture is judged again
    assert (again.returncode, again.stderr) == (0, "")
    assert captures_in(again.stdout) == ["forged.pcap", "genuine.pcap", "large.pcap"]


def test_without_room_in_the_case_no_result_is_cached(tmp_path: Path) -> None:
    case = small_case(tmp_path / "case")
    done = summarized(case, tmp_path / "tmp", MESSAGES)
    assert (done.returncode, captures_in(done.stdout)) == (0, ["forged.pcap", "genuine.pcap"])
    assert "results are not kept" in done.stderr
    assert "File too large (make room there, or use --no-cache)" in done.stderr
    assert not [path for path in (case / ".rstorigin").rglob("*") if path.is_file()]


def test_a_comparison_that_there_is_no_room_for_is_a_problem(tmp_path: Path) -> None:
    case, temporary = tmp_path / "case", tmp_path / "tmp"
    case.mkdir()
    for side in ("client", "server"):
        (case / f"{side}.pcap").write_bytes((LAB / f"03_reject_midstream_r1.{side}.pcap").read_bytes())
    assert summarized(case, temporary, resource.RLIM_INFINITY, "--no-reconcile").returncode == 0
    done = summarized(case, temporary, MESSAGES)  # results are kept: only the comparison needs room
    reason = f"2 pairs of captures could not be compared: no temporary file can be written in {temporary}: "
    assert reason in done.stderr
    assert (done.returncode, captures_in(done.stdout)) == (1, ["client.pcap", "server.pcap"])


def judged(path: Path, *, prefilter: bool) -> CaptureResult:
    return judge_source(Source(path, path.name, file_type_of(path)), RULEBOOK, TSHARK, prefilter=prefilter)


def check_reported(found: CaptureResult, path: Path, place: str) -> None:
    (problem,) = found.problems
    assert not found.readable
    assert problem.file == str(path)
    assert problem.reason.startswith(f"no temporary file can be written in {place}: ")
    assert "TMPDIR" in problem.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"_IN_MEMORY": 20},  # packets that are read
        {"_FLOWS_AT_ONCE": 2, "_PACKETS_AT_ONCE": 5},  # the packets of spilled flows, while they come
        {"_FLOWS_AT_ONCE": 2},  # the last of these packets, after reading
    ],
    ids=str,
)
def test_packets_that_there_is_no_room_for(settings: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(spill, name, value)
    assert judged(PORTS, prefilter=False).readable
    with files_of_at_most(MESSAGES):
        found = judged(PORTS, prefilter=False)
    check_reported(found, PORTS, tempfile.gettempdir())


@pytest.mark.parametrize("prefilter", [True, False])
def test_a_temporary_folder_that_is_gone(prefilter: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    check_reported(judged(PORTS, prefilter=prefilter), PORTS, str(tmp_path / "gone"))


def test_of_an_export_the_place_without_room_is_named(tmp_path: Path) -> None:
    out = tmp_path / "export.parquet"
    with files_of_at_most(MESSAGES):
        result = run("export", PORTS, "--format", "parquet", "-o", out)
    assert result.exit_code == 2
    assert f"no temporary file can be written in {tempfile.gettempdir()}: File too large" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["-o", "--out"])
def test_outputs_without_room_leave_the_old_ones(option: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("summarize", FORGED, "--format", "json", option, out).exit_code == 0
    before = [(path, path.is_file() and path.read_bytes()) for path in sorted(tmp_path.rglob("*"))]
    with files_of_at_most(MESSAGES):
        result = run("summarize", FORGED, "--format", "json", option, out)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{out}: cannot be written: ")
    assert [(path, path.is_file() and path.read_bytes()) for path in sorted(tmp_path.rglob("*"))] == before
