"""A second run over a case reads only what changed. No damage to a cache can change a result."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import polars as pl
import pytest
from support.case_folders import PROGRAM, counting_tshark, environment, reads, small_case, tagged
from support.command_line import FORGED, GENUINE, run

from heuristics.rulebook.model import load
from postproc.batch.cache import Cache
from postproc.batch.cache_key import settings_key
from postproc.batch.job import Job
from postproc.capture.discovery import find_sources
from postproc.capture.tshark.program import find_tshark


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return small_case(tmp_path / "case")


@pytest.fixture
def tshark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = counting_tshark(tmp_path / "bin")
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(script))
    return script


def summary(case: Path, *more: str) -> str:
    result = run("summarize", case, "--format", "json", "-j", "1", *more)
    assert result.exit_code == 0
    assert result.stderr in ("", stored_in(case / ".rstorigin"))
    return result.stdout


def stored_in(folder: Path) -> str:
    """The message of the run that makes a cache."""
    hint = "(--no-cache stores none, --cache-dir stores them elsewhere)"
    return f"results are stored in {folder}, and the next run reads what changed {hint}\n"


def results(case: Path) -> list[Path]:
    return sorted((case / ".rstorigin" / "results").rglob("[0-9a-f]*.parquet"))


def test_a_second_run_reads_nothing_and_has_the_same_results(case: Path, tshark: Path) -> None:
    first = summary(case)
    before = reads(tshark)
    assert before > 0
    assert summary(case) == first
    assert reads(tshark) == before
    assert summary(case, "--no-cache") == first
    assert reads(tshark) == 2 * before


def overwritten(path: Path) -> None:
    """Damage a file but keep its stamp, so that only reading the file shows the damage."""
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_results_are_read_from_one_file(case: Path, tshark: Path) -> None:
    first = summary(case)
    (case / "more.pcap").write_bytes(tagged(FORGED))
    second = summary(case)
    before = reads(tshark)
    for path in results(case):
        overwritten(path)
    assert summary(case) == second
    (case / "more.pcap").unlink()
    assert summary(case) == first
    assert reads(tshark) == before


def test_only_what_changed_is_read_again(case: Path, tshark: Path) -> None:
    summary(case)
    before = reads(tshark)
    (case / "genuine.pcap").write_bytes(tagged(FORGED))
    assert [row["capture"] for row in json.loads(summary(case))["resets"]] == ["forged.pcap"] * 3 + ["genuine.pcap"] * 3
    assert reads(tshark) == before  # the cache has its content under another name
    (case / "forged.pcap").write_bytes(FORGED.read_bytes() + b"\0" * 8)
    assert run("summarize", case).exit_code == 1  # cut short after its last packet
    assert reads(tshark) > before


def test_the_result_of_a_touched_or_renamed_file_is_found(case: Path, tshark: Path) -> None:
    summary(case)
    before = reads(tshark)
    os.utime(case / "forged.pcap", ns=(1, 1))
    (case / "genuine.pcap").rename(case / "renamed.pcap")
    assert '"capture": "renamed.pcap"' in summary(case)
    assert reads(tshark) == before
    summary(case)
    assert len(results(case)) == 3  # the result of the old name is deleted


def test_another_rulebook_has_results_of_its_own(case: Path, tmp_path: Path, tshark: Path) -> None:
    first = summary(case)
    before = reads(tshark)
    mine = tmp_path / "mine.toml"
    mine.write_text("[verdict]\nforged = 9000\nlikely_forged = 8000\n", encoding="utf-8")
    assert '"verdict": "forged"' not in summary(case, "--rulebook", str(mine))
    assert reads(tshark) == 2 * before
    assert summary(case) == first
    assert reads(tshark) == 2 * before


def test_everything_that_has_a_say_is_in_the_key() -> None:
    rules, version = load(), (4, 0, 17)
    keys = {
        settings_key(rules, version, {"all_flows": False}),
        settings_key(rules, version, {"all_flows": True}),
        settings_key(rules, (4, 4, 0), {"all_flows": False}),
        settings_key(rules, None, {"all_flows": False}),
    }
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"\0" * 5000])
def test_a_damaged_cache_is_not_believed(case: Path, damage: bytes) -> None:
    first = summary(case)
    results(case)[0].write_bytes(damage)
    assert reported_once(case) == first
    assert len(results(case)) == 3


def reported_once(case: Path) -> str:
    """The summary of a case with one damaged result: there is a message, and in the next run none."""
    result = run("summarize", case, "--format", "json", "-j", "1")
    assert (result.exit_code, result.stderr) == (0, "1 stored result could not be read and had to be made anew\n")
    assert summary(case) == result.stdout
    return result.stdout


def test_a_result_of_other_columns_is_not_believed(case: Path) -> None:
    first = summary(case)
    pl.DataFrame({"path": ["forged.pcap"], "size": [1]}).write_parquet(results(case)[0])
    assert reported_once(case) == first


def test_a_cache_of_pipes_and_links_is_not_waited_for(case: Path, tmp_path: Path) -> None:
    first = summary(case)
    for path in [path for path in (case / ".rstorigin").rglob("*") if path.is_file()]:
        path.unlink()
        os.mkfifo(path)
    assert summary(case) == first
    outside = tmp_path / "outside"
    for path in [path for path in (case / ".rstorigin").rglob("*") if path.is_file()]:
        shutil.copy(path, outside)
        path.unlink()
        path.symlink_to(outside)
    assert Cache.open(case, results(case)[0].parent.name).rows == {}  # links are not followed
    assert summary(case) == first


def test_a_combined_file_that_would_fill_the_memory_is_a_miss(case: Path) -> None:
    first = summary(case)
    (combined,) = (case / ".rstorigin").rglob("together.*")
    combined.write_bytes(gzip.compress(b" " * 2**26))
    assert summary(case) == first


def test_what_was_read_in_part_is_read_again(case: Path, tshark: Path) -> None:
    (case / "cut.pcap").write_bytes(tagged(FORGED)[:-20])
    for _ in range(2):
        before = reads(tshark)
        result = run("summarize", case, "-j", "1", "--format", "csv")
        assert result.exit_code == 1
        assert "cut.pcap: the capture is cut short" in result.stderr
        assert reads(tshark) > before


def test_where_the_cache_cannot_be_written_a_warning_comes_and_all_is_judged(case: Path) -> None:
    (case / ".rstorigin").write_text("in the way", encoding="utf-8")
    result = run("summarize", case, "--format", "csv")
    assert result.exit_code == 0
    assert "results are not kept" in result.stderr
    assert str(case / ".rstorigin") in result.stderr
    assert len(result.stdout.splitlines()) == 7
    assert run("summarize", case, "--no-cache").stderr == ""


def test_the_cache_does_not_lead_out_of_the_case(case: Path, tmp_path: Path) -> None:
    (case / ".rstorigin").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert "is a symbolic link" in run("summarize", case).stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("link", ["results", "results/settings"])
def test_folders_outside_are_never_cleared(case: Path, tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    for number in range(7):
        (victim / f"{number:032x}").mkdir(parents=True)
    summary(case)
    (results_folder,) = {path.parent for path in results(case)}
    place = results_folder if "/" in link else results_folder.parent
    shutil.rmtree(place)
    place.symlink_to(victim)
    result = run("summarize", case, "-j", "1")
    assert "is a symbolic link" in result.stderr
    assert len(list(victim.iterdir())) == 7


def test_a_folder_that_is_not_ours_is_left_among_the_results(case: Path) -> None:
    for number in range(7):
        (case / ".rstorigin" / "results" / f"mine {number}").mkdir(parents=True)
    summary(case)
    assert len(list((case / ".rstorigin" / "results").iterdir())) == 8


def test_files_outside_are_never_written_to(case: Path, tmp_path: Path) -> None:
    summary(case)
    (case / "more.pcap").write_bytes(tagged(FORGED))
    files = [path for path in (case / ".rstorigin").rglob("*") if path.is_file()]
    for number, path in enumerate(files):
        outside = tmp_path / f"outside{number}"
        outside.write_bytes(b"mine")
        path.unlink()
        path.symlink_to(outside)
    summary(case)
    assert {path.read_bytes() for path in tmp_path.glob("outside*")} == {b"mine"}


def test_bits_that_flip_in_a_cache_cost_no_more_than_time(case: Path) -> None:
    for path, decodable in (("forged.pcap", FORGED), ("genuine.pcap", GENUINE)):  # judging these needs no tshark
        shutil.copy(decodable, case / path)
    shutil.rmtree(case / "deeper")
    first, random = summary(case), Random(4)
    for _ in range(25):
        for path in (*results(case), *(case / ".rstorigin").rglob("together.*")):
            content = bytearray(path.read_bytes())
            for _ in range(3):
                content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            path.write_bytes(content)
        assert run("summarize", case, "-j", "1", "--format", "json").exit_code == 0
    assert summary(case, "--no-cache") == first


def test_what_could_not_be_read_is_tried_again(case: Path) -> None:
    (case / "bad.pcap").write_bytes(b"\0no capture")
    for _ in range(2):
        result = run("summarize", case, "--format", "csv")
        assert result.exit_code == 1
        assert "bad.pcap" in result.stderr
        assert len(result.stdout.splitlines()) == 7
    (case / "bad.pcap").write_bytes(FORGED.read_bytes())
    assert len(run("summarize", case, "--format", "csv").stdout.splitlines()) == 10


def test_a_capture_that_changes_while_it_is_read_is_not_cached(case: Path) -> None:
    source = find_sources([case]).files[0]
    done = Job(load(), find_tshark())(source)
    os.utime(source.path, ns=(5, 5))
    cache = Cache.open(case, "key")
    cache.store(source, done)
    assert results(case) == []
    cache.store(source, Job(load(), find_tshark())(source))
    assert len(results(case)) == 1


def test_two_runs_at_once_do_not_disturb_each_other(case: Path) -> None:
    command = [*PROGRAM, "summarize", str(case), "--format", "json", "-j", "2"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(2)]
    outputs = [each.communicate(timeout=120)[0] for each in runs]
    assert [each.returncode for each in runs] == [0, 0]
    assert outputs[0] == outputs[1] == summary(case)
    assert len(results(case)) == 3
    leftovers = [path for path in (case / ".rstorigin").rglob("*") if path.is_file() and path.suffix == ".tmp"]
    assert leftovers == []


def test_only_results_of_the_latest_settings_stay(case: Path) -> None:
    for number in range(7):
        Cache.open(case, f"{number:032x}")
    kept = sorted(path.name for path in (case / ".rstorigin" / "results").iterdir())
    assert kept == [f"{number:032x}" for number in range(3, 7)]


def test_the_run_that_makes_a_cache_says_where(case: Path) -> None:
    assert run("summarize", case).stderr == stored_in(case / ".rstorigin")
    assert run("summarize", case).stderr == ""
    assert run("summarize", case, "--top", "1").stderr == ""
    shutil.rmtree(case / ".rstorigin")
    assert run("summarize", case, "--no-cache").stderr == ""
    assert not (case / ".rstorigin").exists()


def test_a_cache_elsewhere(case: Path, tmp_path: Path, tshark: Path) -> None:
    elsewhere = tmp_path / "caches"
    result = run("summarize", case, "--cache-dir", elsewhere, "--format", "json")
    (folder,) = elsewhere.iterdir()
    assert folder.name.startswith("case-")
    assert result.stderr == stored_in(folder / ".rstorigin")
    before = reads(tshark)
    again = run("summarize", case, "--cache-dir", elsewhere, "--format", "json")
    assert (again.stdout, again.stderr, reads(tshark)) == (result.stdout, "", before)
    assert not (case / ".rstorigin").exists()
    other = shutil.copytree(case, tmp_path / "other" / "case")
    run("reconcile", other, "--cache-dir", elsewhere)
    assert len(list(elsewhere.iterdir())) == 2
