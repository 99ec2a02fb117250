"""Zip archives: their captures are inputs like files; what is hostile or damaged in one is reported and harmless."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.command_line import FORGED, GENUINE, run, verdicts, without_cache_message

from postproc.capture import archive, local_copy
from postproc.capture.discovery import find_sources
from postproc.runtime.errors import CaptureError

CAPTURE = GENUINE.read_bytes()
_CENTRAL, _FLAGS, _METHOD, _SIZE = (
    b"PK\x01\x02",
    8,
    10,
    24,
)  # of an entry of the central directory (APPNOTE.TXT, 4.3.12)


def zipped(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name), content, method)
    return path


def patched(path: Path, field: int, value: bytes) -> Path:
    """The archive with `value` at `field` of every entry of its central directory."""
    content = bytearray(path.read_bytes())
    place = content.find(_CENTRAL)
    while place >= 0:
        content[place + field : place + field + len(value)] = value
        place = content.find(_CENTRAL, place + 1)
    path.write_bytes(content)
    return path


def captures(*arguments: str | Path) -> tuple[int, set[str], str]:
    """The exit status, the captures in which `summarize` finds resets, and the messages but that about the cache."""
    result = run("summarize", *arguments, "--format", "json")
    found = {row["capture"] for row in json.loads(result.stdout)["resets"]} if result.stdout else set()
    return result.exit_code, found, without_cache_message(result.stderr)


def test_captures_in_an_archive_are_judged_as_files_are(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x/forged.bin": FORGED.read_bytes(), "y.pcap": CAPTURE, "readme.txt": b"hi"})
    assert captures(path) == (0, {f"{path}/x/forged.bin", f"{path}/y.pcap"}, "")
    assert verdicts(path) == verdicts(FORGED, GENUINE)


def test_one_member_may_be_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x/forged.pcap": FORGED.read_bytes(), "y.pcap": CAPTURE})
    assert captures(path / "y.pcap") == (0, {f"{path}/y.pcap"}, "")
    assert f"Frame 2 of {path}/x/forged.pcap" in run("explain", path / "x" / "forged.pcap", "--frame", "2").stdout
    missing = run("summarize", path / "z.pcap")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert f"{path}/z.pcap: is not in the archive {path}" in missing.stderr


def test_explain_needs_one_capture(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x.pcap": FORGED.read_bytes(), "y.pcap": CAPTURE})
    result = run("explain", path)
    assert result.exit_code == 2
    assert f"{path}: holds 2 captures (name one of them: {path}/x.pcap, {path}/y.pcap)" in result.stderr
    alone = zipped(tmp_path / "b.zip", {"x.pcap": FORGED.read_bytes()})
    assert f"{alone}/x.pcap" in run("explain", alone).stdout


def test_an_archive_in_a_case_is_read_and_its_results_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = tmp_path / "case"
    case.mkdir()
    shutil.copyfile(GENUINE, case / "z.pcap")
    zipped(case / "report.docx", {"word/document.xml": b"<xml/>"})
    path = zipped(case / "a.zip", {"x.pcap": FORGED.read_bytes(), "y.pcap": CAPTURE})
    first = captures(case)
    assert first == (0, {"a.zip/x.pcap", "a.zip/y.pcap", "z.pcap"}, "")
    with monkeypatch.context() as patch:
        patch.setattr(local_copy.archive, "unpack", None)  # calling it would fail
        assert captures(case) == first
    zipped(path, {"x.pcap": CAPTURE, "y.pcap": CAPTURE})
    assert [row["verdict"] for row in verdicts(case)] == 3 * [row["verdict"] for row in verdicts(GENUINE)]


def test_names_in_an_archive_are_never_paths(tmp_path: Path) -> None:
    names = ["../../up.pcap", "/tmp/absolute.pcap", "..\\back.pcap", "C:\\drive.pcap", "a\nb\x1b[31m.pcap", "=1+1.pcap"]
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "a.zip", dict.fromkeys(names, CAPTURE))
    before = {each: each.stat().st_mtime_ns for each in tmp_path.rglob("*")}
    status, found, messages = captures(path)
    assert (status, messages) == (0, "")
    assert len(found) == len(names)
    assert {each: each.stat().st_mtime_ns for each in tmp_path.rglob("*")} == before
    for format_ in ("table", "csv"):
        assert all(line.isprintable() for line in run("summarize", path, "--format", format_).stdout.split("\n"))


def test_hidden_members_are_passed_over(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"__MACOSX/._y.pcap": b"x", ".git/z.pcap": CAPTURE, "y.pcap": CAPTURE})
    assert captures(path) == (0, {f"{path}/y.pcap"}, "")


def test_the_second_of_two_members_with_one_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("y.pcap", b"nothing")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("y.pcap", CAPTURE)
    assert captures(path) == (0, {f"{path}/y.pcap"}, "")


def test_too_many_files(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{number}.pcap": b"" for number in range(archive.MOST_FILES + 1)})
    status, _, messages = captures(path)
    assert status == 2
    assert f"{path}: holds 10,001 files, more than 10,000 (unpack it, and name the folder)" in messages


def test_too_many_bytes(tmp_path: Path) -> None:
    path = patched(zipped(tmp_path / "a.zip", {f"{n}.pcap": CAPTURE for n in range(9)}), _SIZE, b"\xff\xff\xff\xef")
    status, _, messages = captures(path)
    assert status == 2
    assert f"{path}: unpacks to 36,238,786,551 bytes, more than 32,000,000,000 (unpack it" in messages


def test_no_more_is_unpacked_than_the_archive_promises(tmp_path: Path) -> None:
    zeros = CAPTURE[:24] + bytes(50_000_000)
    path = patched(zipped(tmp_path / "a.zip", {"y.pcap": zeros}), _SIZE, (1000).to_bytes(4, "little"))
    target = tmp_path / "out"
    with pytest.raises(CaptureError, match="is a damaged zip archive"):
        archive.unpack(path, "y.pcap", target, "a.zip")
    assert target.stat().st_size <= 1000
    status, _, messages = captures(path)
    assert status in (1, 2)
    assert f"{path}/y.pcap: is" in messages


OBSTACLES = {
    "encrypted": (_FLAGS, b"\x01\x00", "is encrypted"),
    "bzip2": (_METHOD, b"\x0c\x00", "is compressed by another method than deflate"),
    "unknown": (_METHOD, b"\x63\x00", "is compressed by another method than deflate"),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_member_that_cannot_be_read_is_reported(tmp_path: Path, obstacle: str) -> None:
    field, value, message = OBSTACLES[obstacle]
    case = tmp_path / "case"
    case.mkdir()
    shutil.copyfile(GENUINE, case / "z.pcap")
    patched(zipped(case / "a.zip", {"y.pcap": CAPTURE, "readme.txt": b"hi"}), field, value)
    status, found, messages = captures(case)
    assert (status, found) == (1, {"z.pcap"})
    assert messages == f"{case}/a.zip/y.pcap: {message} (unpack it, and name the file)\n"


def test_of_a_member_that_is_named_only_its_own_obstacle_is_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"inner.zip": zipped(tmp_path / "b.zip", {}).read_bytes(), "y.pcap": CAPTURE})
    assert captures(path / "y.pcap") == (0, {f"{path}/y.pcap"}, "")
    status, _, messages = captures(path / "inner.zip")
    assert (status, messages) == (2, f"{path}/inner.zip: is an archive itself (unpack it, and name the file)\n")


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("y.pcap", CAPTURE)
    path = zipped(tmp_path / "a.zip", {"inner.zip": inner.getvalue(), "y.pcap": CAPTURE})
    status, found, messages = captures(path)
    assert (status, found) == (1, {f"{path}/y.pcap"})
    assert f"{path}/inner.zip: is an archive itself" in messages


@pytest.mark.parametrize("length", [60, 200, -30])
def test_a_damaged_archive(tmp_path: Path, length: int) -> None:
    path = zipped(tmp_path / "a.zip", {"y.pcap": CAPTURE})
    path.write_bytes(path.read_bytes()[:length])
    status, _, messages = captures(path)
    assert status == 2
    assert f"{path}: is a damaged zip archive, or none: " in messages
    assert "Traceback" not in messages


def test_an_archive_without_captures(tmp_path: Path) -> None:
    for path in (zipped(tmp_path / "a.zip", {"readme.txt": b"hi"}), zipped(tmp_path / "empty.zip", {})):
        status, _, messages = captures(path)
        assert status == 2
        assert f"{path}: is a zip archive that holds no captures or exports to read" in messages
    assert find_sources([tmp_path]).files == ()


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"\u00e4.pcap": CAPTURE})
    path.write_bytes(path.read_bytes().replace("\u00e4.pcap".encode(), b"\xff\xff.pcap"))
    status, _, messages = captures(path)
    assert status == 2
    assert f"{path}: is a damaged zip archive, or none" in messages


def test_a_member_without_a_name_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 28 : directory + 30] = bytes(2)  # the length of the name
    content[directory + 30 : directory + 32] = b"\1\0"  # its letter counts as an extra field
    path.write_bytes(content)
    result = run("summarize", path, "--no-cache")
    assert result.exit_code in (1, 2)
    assert "nameless.zip: is a damaged zip archive, or none: " in result.stderr
