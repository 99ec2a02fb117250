"""case.toml: its keys, and the messages for one with mistakes."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from support.case_folders import small_case
from support.command_line import run

from postproc.case.case_file import CaseError, CaseFile, load_case

WHOLE = """
name = "Branch office"
notes = '''
Two lines
'''
networks = ["192.0.2.0/24", "2001:db8::/32"]
rulebook = "rules.toml"

[[point]]
name = "client side"
captures = ["client/*", "*.client.pcap"]
hosts = ["192.0.2.2", "2001:db8:1::2"]
complete = true
"""


def written(folder: Path, text: str) -> Path:
    (folder / "case.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_case_without_case_toml_gives_no_message(tmp_path: Path) -> None:
    assert load_case(tmp_path) == CaseFile()


def test_everything_it_may_say(tmp_path: Path) -> None:
    case = load_case(written(tmp_path, WHOLE))
    assert (case.name, case.notes, case.rulebook) == ("Branch office", "Two lines\n", "rules.toml")
    assert list(case.networks) == [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
    point = case.point_of("deep/02.client.pcap")
    assert point is not None
    assert point.complete
    assert case.point_of("02.server.pcap") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nmae = 'x'", ["unknown key 'nmae'", "did you mean 'name'?"]),
        ("name = 3", ["name: 3 is wrong", "must be text"]),
        ("name = '\x7f'", ["not TOML"]),
        ('name = "\\u001b"', ["name", "printable"]),
        ("networks = ['192.0.2.1/24']", ["networks: '192.0.2.1/24' is wrong", '"192.0.2.0/24"']),
        ("networks = 'x'", ["networks", "write a list in brackets"]),
        ("[[point]]\nname = 'a'", ["[[point]] number 1: captures: is missing"]),
        ("[[point]]\nname = 'a'\ncaptures = []", ["captures", "name at least one"]),
        (
            "[[point]]\nname='a'\ncaptures=['x']\n[[point]]\nname='b'\ncaptures=['y']\nhosts=['b']",
            ["[[point]] number 2: hosts: 'b' is wrong", '"192.0.2.1"'],
        ),
        ("[[point]]\nname='a'\ncaptures=['x']\nhost=1", ["unknown key 'host'", "did you mean 'hosts'?"]),
        ("point = 3", ["point: 3 is wrong"]),
        ("x", ["not TOML"]),
        ("a = " + "[" * 3000, ["not TOML"]),
    ],
)
def test_a_mistake_is_reported_with_file_key_and_fix(tmp_path: Path, text: str, message: list[str]) -> None:
    with pytest.raises(CaseError) as error:
        load_case(written(tmp_path, text))
    assert str(error.value).startswith(str(tmp_path / "case.toml"))
    assert all(part in str(error.value) for part in message), str(error.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    case = small_case(tmp_path / "case")
    result = run("summarize", written(case, "name = 1\nnotes = 2\nother = 3\n"))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 3


def test_its_rulebook_is_laid_over_the_default_and_ones_own_over_that(tmp_path: Path) -> None:
    case = written(small_case(tmp_path / "case"), 'rulebook = "rules.toml"\n')
    (case / "rules.toml").write_text("[verdict]\nforged = 9000\nlikely_forged = 8000\n", encoding="utf-8")
    assert "forged," not in run("summarize", case, "--format", "csv").stdout
    mine = tmp_path / "mine.toml"
    mine.write_text("[verdict]\nforged = 450\nlikely_forged = 200\n", encoding="utf-8")
    assert ",forged," in run("summarize", case, "--rulebook", mine, "--format", "csv").stdout


def test_a_missing_rulebook_is_reported(tmp_path: Path) -> None:
    case = written(small_case(tmp_path / "case"), 'rulebook = "rules.toml"\n')
    result = run("summarize", case)
    assert result.exit_code == 2
    assert f"{case / 'rules.toml'}: cannot be read" in result.stderr


def test_a_case_file_is_for_one_case(tmp_path: Path) -> None:
    case = written(small_case(tmp_path / "one"), 'name = "one"\n')
    result = run("summarize", case, small_case(tmp_path / "two"))
    assert result.exit_code == 2
    assert "summarize it by itself" in result.stderr


def test_a_point_without_captures_is_reported(tmp_path: Path) -> None:
    case = small_case(tmp_path / "case")
    point = '[[point]]\nname = "{}"\ncaptures = ["{}"]\n'
    text = point.format("there", "forged.*") + point.format("nowhere", "forged.pcpa")
    (case / "case.toml").write_text(text, encoding="utf-8")
    told = run("summarize", case, "-j", "1").stderr
    assert "nowhere: no capture has such a name: forged.pcpa" in told
    assert told.count("no capture has such a name") == 1
