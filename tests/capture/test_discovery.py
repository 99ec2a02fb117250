"""The paths that a user names become input files: in order, once each, with unambiguous names."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from support.case_folders import small_case
from support.command_line import FORGED, GENUINE, run, without_cache_message

from postproc.capture.discovery import find_sources
from postproc.capture.file_type import FileType, file_type_of


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case folder with captures at two depths, and other files."""
    folder = tmp_path / "case"
    for name in ("b.pcap", "a.pcap", "site/c.pcap", ".hidden.pcap", ".rstorigin/cache.pcap", "site/.old/d.pcap"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FORGED, path)
    (folder / "notes.txt").write_text("notes\n")
    (folder / "labels.json").write_text("{}\n")
    return folder


def names(*paths: Path) -> list[str]:
    return [source.name for source in find_sources(paths).files]


def test_a_folder_is_searched_at_any_depth_by_name(case: Path) -> None:
    assert names(case) == ["a.pcap", "b.pcap", "site/c.pcap"]


def test_files_keep_their_order_and_their_names(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    assert names(Path("site/c.pcap"), Path("a.pcap")) == ["site/c.pcap", "a.pcap"]


def test_a_hidden_file_that_is_named_is_read(case: Path) -> None:
    assert names(case / ".hidden.pcap") == [str(case / ".hidden.pcap")]


def test_content_counts_and_not_the_extension(case: Path) -> None:
    shutil.copyfile(GENUINE, case / "z.bin")
    (case / "fields.log").write_text("frame.number\tip.src\n")
    assert names(case) == ["a.pcap", "b.pcap", "fields.log", "z.bin", "site/c.pcap"]


def test_what_is_called_a_capture_is_an_input_whatever_it_holds(case: Path) -> None:
    (case / "broken.pcap").write_text("not a capture\n")
    (case / "empty.pcapng.gz").write_bytes(b"")
    kinds = {source.name: source.file_type for source in find_sources([case]).files}
    assert kinds["broken.pcap"] is FileType.TEXT
    assert kinds["empty.pcapng.gz"] is FileType.EMPTY


def test_a_file_is_read_once_however_it_is_reached(case: Path) -> None:
    (case / "link.pcap").symlink_to(case / "a.pcap")
    assert names(case / "a.pcap", case, case) == [str(case / "a.pcap"), "b.pcap", "site/c.pcap"]


def test_links_may_lead_in_circles(case: Path) -> None:
    (case / "site" / "up").symlink_to(case)
    (case / "self.pcap").symlink_to(case / "self.pcap")
    found = find_sources([case])
    assert [source.name for source in found.files] == ["a.pcap", "b.pcap", "site/c.pcap"]
    assert len(found.problems) == 1
    assert "self.pcap" in found.problems[0].file


def test_a_linked_folder_is_entered(case: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copyfile(GENUINE, elsewhere / "d.pcap")
    (case / "more").symlink_to(elsewhere)
    assert names(case) == ["a.pcap", "b.pcap", "more/d.pcap", "site/c.pcap"]


def test_files_of_the_same_name_in_two_folders_get_different_names(case: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copyfile(GENUINE, other / "a.pcap")
    assert names(case, other) == [str(case / "a.pcap"), "b.pcap", "site/c.pcap", str(other / "a.pcap")]


def test_pipes_and_devices_in_a_folder_are_passed_over(case: Path) -> None:
    before = names(case)
    os.mkfifo(case / "pipe.pcap")
    (case / "linked.pcap").symlink_to("pipe.pcap")
    (case / "zero.pcap").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(case / "socket.pcap"))
        found = find_sources([case])
    assert (sorted(source.name for source in found.files), found.problems) == (sorted(before), ())


def test_files_of_the_kernel_are_not_waited_for(tmp_path: Path) -> None:
    """Some of them, as /proc/kmsg, block until the kernel has something to tell. Their size is 0."""
    (tmp_path / "kernel.pcap").symlink_to("/proc/version")
    assert file_type_of(tmp_path / "kernel.pcap") is FileType.EMPTY


@pytest.mark.parametrize(
    ("made", "message"), [(None, "does not exist"), ("folder", "holds no captures"), ("pipe", "is not a file")]
)
def test_what_cannot_be_an_input_is_reported(tmp_path: Path, made: str | None, message: str) -> None:
    path = tmp_path / "thing"
    if made == "folder":
        path.mkdir()
    elif made == "pipe":
        os.mkfifo(path)
    found = find_sources([path])
    assert found.files == ()
    assert [message in problem.reason and str(path) == problem.file for problem in found.problems] == [True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_reported(case: Path) -> None:
    (case / "a.pcap").chmod(0)
    found = find_sources([case])
    assert "Permission denied" in found.problems[0].reason
    assert [source.name for source in found.files] == ["b.pcap", "site/c.pcap"]


def test_names_that_are_no_utf8_cost_no_other_capture(tmp_path: Path) -> None:
    case = small_case(tmp_path / "case")
    odd = case / os.fsdecode(b"d\xff")
    odd.mkdir()
    (odd / os.fsdecode(b"bad\xff\xfe.pcap")).write_bytes(FORGED.read_bytes())
    for more in ((), (), ("--no-cache", "--out", tmp_path / "tables")):
        result = run("summarize", case, "-j", "1", "--format", "csv", *more)
        assert (result.exit_code, without_cache_message(result.stderr)) == (0, "")
        assert result.stdout.count("d\\xff/bad\\xff\\xfe.pcap") == 3


def test_our_own_tables_in_a_case_are_no_captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = small_case(tmp_path / "case")
    monkeypatch.chdir(case)
    for _ in range(2):
        result = run("summarize", ".", "-j", "1", "--out", "tables")
        assert (result.exit_code, without_cache_message(result.stderr)) == (0, "")
    (case / "tables" / "more.pcap").write_bytes(FORGED.read_bytes())
    assert len(find_sources([case]).files) == 4
