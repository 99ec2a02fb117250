"""tshark is not believed: what it leaves out, makes up or breaks off is reported, and never kept."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from support.command_line import FORGED, LAB, rows, run, shell_script

from postproc.capture.prefilter.packet_count import packets_in

REAL = shutil.which("tshark")
TUNNELS = LAB / "04_icmp.client.pcap"  # ICMP errors, which only tshark can decode

# What a false tshark does with the capture ("$@" are the arguments), and what the message says of it.
FALSE = {
    "half of the rows": ('"$REAL" "$@" | head -n 2; exit 0', "tshark gave "),
    "half of a row": ('"$REAL" "$@" | head -c 300; exit 0', "tshark gave "),
    "nothing": ("exit 0", "tshark gave 0 packets"),
    "rows twice": ('"$REAL" "$@"; "$REAL" "$@"; exit 0', "printed what tshark never prints: frame numbers"),
    "a row left out": ('"$REAL" "$@" | sed 3d; exit 0', "printed what tshark never prints: frame numbers"),
    "garbage": (
        '"$REAL" "$@"; echo "dear reader"; exit 0',
        "printed what tshark never prints: a value of frame.number",
    ),
    "an endless line": (
        "tr '\\0' x < /dev/zero | head -c 3000000; exit 0",
        "printed what tshark never prints: has a line",
    ),
    "more columns": (
        '"$REAL" "$@"; seq -s "\t" 60; exit 0',
        "printed what tshark never prints: a line has more columns",
    ),
    "killed": ('"$REAL" "$@" | head -n 2; kill -9 $$', "tshark was killed by SIGKILL"),
    "crashed": ("kill -SEGV $$", "tshark was killed by SIGSEGV"),
    "failed": ('"$REAL" "$@" | head -n 2; echo "tshark: oh" >&2; exit 9', "tshark gave up: oh"),
}
HANGS = {
    "before anything": "sleep 60",
    "after some rows": '"$REAL" "$@" | head -n 2; sleep 60',
    "after the last row": '"$REAL" "$@"; exec sleep 60',
    "with its output closed": '"$REAL" "$@"; exec >&-; sleep 60',
}


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Of one capture, tshark has to read some packets, of the other none."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "some.pcap").write_bytes(TUNNELS.read_bytes())
    (folder / "easy.pcap").write_bytes(FORGED.read_bytes())
    return folder


def false_tshark(folder: Path, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes tshark a program that reads captures so."""
    text = f'REAL={REAL}\ncase "$*" in *-r*) ;; *) exec "$REAL" "$@" ;; esac\n{does}'
    program = shell_script(folder / "tshark", text)
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(program))


@pytest.mark.parametrize("option", ["--prefilter", "--no-prefilter"])
@pytest.mark.parametrize("false", FALSE)
def test_a_false_tshark_is_reported_and_not_kept(
    false: str, option: str, case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(case, "-j", "1", "--no-cache", option)
    does, message = FALSE[false]
    false_tshark(tmp_path, does, monkeypatch)
    result = run("summarize", case, "-j", "1", "--format", "json", option)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert any(line.startswith(f"{case / 'some.pcap'}: ") and message in line for line in lines), result.stderr
    problems = json.loads(result.stdout)["problems"]
    assert len(problems) == (1 if option == "--prefilter" else 2)
    false_tshark(tmp_path, 'exec "$REAL" "$@"', monkeypatch)  # the same tshark again, and now it works
    assert rows(case, "-j", "1", option) == expected


@pytest.mark.parametrize("hang", HANGS)
def test_a_tshark_that_hangs_is_ended(hang: str, case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    false_tshark(tmp_path, HANGS[hang], monkeypatch)
    began = time.monotonic()
    result = run("summarize", case, "-j", "1", "--tshark-timeout", "2", "--format", "json")
    assert time.monotonic() - began < 40
    assert result.exit_code == 1
    assert "tshark printed nothing for a long time, and was ended" in result.stderr
    assert "(--tshark-timeout SECONDS gives it more time)" in result.stderr
    assert {row["capture"] for row in json.loads(result.stdout)["resets"]} >= {"easy.pcap"}


def test_a_tshark_that_is_killed_once_is_run_once_more(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(case, "-j", "1", "--no-cache")
    once = tmp_path / "once"
    does = f'if mkdir "{once}" 2>/dev/null; then "$REAL" "$@" | head -n 2; kill -9 $$; fi; exec "$REAL" "$@"'
    for option in ("--prefilter", "--no-prefilter"):
        false_tshark(tmp_path, does, monkeypatch)
        assert rows(case, "-j", "1", "--no-cache", option) == expected
        assert once.exists()
        once.rmdir()


@pytest.mark.parametrize("form", ["tsv", "parquet"])
@pytest.mark.parametrize("false", [name for name in FALSE if name != "failed"])
def test_no_half_export_is_written(false: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    false_tshark(tmp_path, FALSE[false][0], monkeypatch)
    result = run("export", TUNNELS, "--format", form, "-o", out)
    assert (result.exit_code, out.exists()) == (2, False)
    assert str(TUNNELS) in result.stderr


def test_an_export_by_a_tshark_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    false_tshark(tmp_path, HANGS["after some rows"], monkeypatch)
    result = run("export", TUNNELS, "-o", tmp_path / "out", "--tshark-timeout", "1")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "printed nothing for a long time" in result.stderr


def test_a_slow_tshark_is_not_taken_for_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(TUNNELS)
    slowly = '"$REAL" "$@" | while IFS= read -r line; do sleep 0.02; printf "%s\\n" "$line"; done; exit 0'
    false_tshark(tmp_path, slowly, monkeypatch)
    assert rows(TUNNELS, "--tshark-timeout", "1.5") == expected


def test_packets_are_counted_without_tshark(tmp_path: Path) -> None:
    whole = packets_in(TUNNELS)
    assert (whole.count, whole.exact) == (run("export", TUNNELS).stdout.count("\n") - 1, True)
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(TUNNELS.read_bytes()[:-5])
    assert packets_in(cut).count in (0, whole.count - 1)
    assert not packets_in(cut).exact
    (tmp_path / "other.snoop").write_bytes(b"snoop\0\0\0" + bytes(16))
    assert not packets_in(tmp_path / "other.snoop").exact
