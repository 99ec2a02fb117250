"""What is no log, damaged, mixed or hostile, and column maps with mistakes: an error that says where, or a count."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import FORGED, run
from support.session_logs import CAPTURE, CONNTRACK_LOG, EXAMPLE, WRITERS, panos_export, sessions

from postproc.runtime.errors import CaptureError
from postproc.session_log.beginnings import Beginnings
from postproc.session_log.column_map import ColumnMapError, known_formats, load_map, parsed
from postproc.session_log.log_time import Clock, durations_us, times_us
from postproc.session_log.recognise import recognised
from postproc.session_log.records import records_of
from postproc.session_log.sessions import sessions_of
from postproc.session_log.text_lines import Lines, text_lines

HOSTILE = [
    *("a" * 3_000_000, 'a="' * 500_000, "x=" * 500_000, "\\" * 1_000_000),
    *("[" * 1_000_000, '{"a":' * 200_000, "," * 1_000_000),
]
PANOS = WRITERS["PAN-OS, CSV"][1](sessions())
MAP = (EXAMPLE / "conntrack.toml").read_text(encoding="utf-8")


def log(folder: Path, content: str | bytes) -> Path:
    path = folder / "sessions.log"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def reconcile(path: Path, *options: str) -> tuple[int, str, str]:
    result = run("reconcile", "--no-cache", "--log", path, *options, CAPTURE)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n  \n", "is empty"),
        ("Dear all,\nthe firewall resets.\n", "no known format of session logs; it begins: Dear all"),
        (CAPTURE.read_bytes(), "is a binary file"),
        (b"\x1f\x8b\x08\0\0\0", "the compressed file is cut short"),
    ],
)
def test_what_is_no_log_is_refused(content: str | bytes, said: str, tmp_path: Path) -> None:
    path = log(tmp_path, content)
    status, out, error = reconcile(path)
    assert (status, out) == (2, "")
    assert said in error
    assert str(path) in error


def test_no_such_file(tmp_path: Path) -> None:
    status, _, error = reconcile(tmp_path / "nowhere.log")
    assert status == 2
    assert "nowhere.log: cannot be read: No such file" in error


def test_lines_of_another_format_are_counted_and_reported(tmp_path: Path) -> None:
    mixed = [*PANOS[:5], "a line of something else", *WRITERS["FortiGate"][1](sessions())[:2], *PANOS[5:]]
    status, out, error = reconcile(log(tmp_path, "\n".join(mixed)), "--format", "json")
    assert status == 1
    assert "3 lines not understood as Palo Alto Networks PAN-OS, traffic log; the first is line 6" in error
    content = json.loads(out)
    assert content["not_understood"] == {"lines": 3, "first_line": 6}
    assert content["sessions"] == len(PANOS)


def test_other_records_of_the_log_are_no_problem(tmp_path: Path) -> None:
    threat = PANOS[0].replace("TRAFFIC,end", "THREAT,vulnerability")
    start = PANOS[0].replace("TRAFFIC,end", "TRAFFIC,start")
    status, out, _ = reconcile(log(tmp_path, "\n".join([threat, start, *PANOS])), "--format", "json")
    assert status == 0
    assert json.loads(out)["other_records"] == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_and_compression(encoding: str, tmp_path: Path) -> None:
    plain = reconcile(log(tmp_path, "\n".join(PANOS)), "--format", "csv")
    text = "\r\n".join(PANOS).encode(encoding)
    assert reconcile(log(tmp_path, text), "--format", "csv") == plain
    assert reconcile(log(tmp_path, gzip.compress(text)), "--format", "csv") == plain


def test_a_log_cut_short_in_its_compression(tmp_path: Path) -> None:
    status, _, error = reconcile(log(tmp_path, gzip.compress("\n".join(PANOS * 50).encode())[:-20]))
    assert status == 2
    assert "the compressed file is cut short" in error


def test_addresses_in_brackets_with_zones_and_in_long_form(tmp_path: Path) -> None:
    lines = WRITERS["FortiGate"][1](sessions())
    odd = [
        line.replace("srcip=2001:db8:9:1::1e", "srcip=[2001:0DB8:0009:0001:0:0:0:001E%eth0]").replace(
            "srcip=192.0.2.30", "srcip=::ffff:192.0.2.30"
        )
        for line in lines
    ]
    assert odd != lines
    plain = reconcile(log(tmp_path, "\n".join(lines)), "--format", "csv")
    assert reconcile(log(tmp_path, "\n".join(odd)), "--format", "csv") == plain


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    rule = "=cmd|' /C calc'!A0\x1b[31m | <b>"
    lines = []
    for line in PANOS:
        cells = next(csv.reader([line]))
        cells[11] = rule
        lines.append(",".join(f'"{cell}"' for cell in cells))
    path = log(tmp_path, "\n".join(lines))
    table = reconcile(path)[1]
    assert "\\x1b[31m" in table
    assert "\x1b" not in table
    markdown = reconcile(path, "--format", "markdown")[1]
    assert "&lt;b&gt;" in markdown
    assert "<b>" not in markdown
    rows = list(csv.DictReader(io.StringIO(reconcile(path, "--format", "csv")[1])))
    assert {row["rule"] for row in rows} == {"'" + rule.replace("\x1b", "\\x1b")}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_line_takes_no_long_time(text: str, tmp_path: Path) -> None:
    path = log(tmp_path, "\n".join([*PANOS, text]))
    began = time.monotonic()
    for name in known_formats():
        with text_lines(path) as batches:
            for lines in batches:
                column_map = load_map(name)
                sessions_of(records_of(column_map).read(lines), column_map, Clock(), Beginnings())
    assert time.monotonic() - began < 60


def test_memory_stays_small_whatever_the_length_of_a_line(tmp_path: Path) -> None:
    path = log(tmp_path, b"x" * 30_000_000 + b"\nnext\n")
    with text_lines(path) as batches:
        lengths = [len(text) for lines in batches for text in lines.texts]
    assert lengths[0] < 6_000_000
    assert lengths[1:] == [4]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60), max_size=20))
def test_any_text_is_counted_line_by_line(texts: list[str]) -> None:
    filled = sum(bool(text.strip()) and not text.startswith("#") for text in texts)
    for name in known_formats():
        column_map = load_map(name)
        batch = sessions_of(records_of(column_map).read(Lines(1, texts)), column_map, Clock(), Beginnings())
        assert batch.sessions.height + batch.other + len(batch.not_understood) <= len(texts)
        if not column_map.comment and not column_map.columns:
            assert batch.sessions.height + batch.other + len(batch.not_understood) >= filled - texts.count("")


@given(st.text(max_size=40))
def test_any_text_as_a_time(text: str) -> None:
    import polars as pl

    series = pl.Series([text, None], dtype=pl.String)
    assert times_us(series, Clock())[1] is None
    assert durations_us(series)[1] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ('syntax = "pattern"', 'syntax = "xml"'),
            "syntax: 'xml': 'delimited', 'pairs', 'json' or 'pattern'",
        ),
        (('src = "src"\n', ""), "map.toml: fields.src: is missing"),
        (('src = "src"', 'src = "from"'), "fields.src: no pattern has a group named 'from'"),
        (('src = "src"', "src = 8"), "fields.src: positions are for syntax = 'delimited' only"),
        (('sport = "sport"', 'sprt = "sport"'), "map.toml: fields.sprt: unknown key (did you mean 'sport'?)"),
        (("title", "titel"), "map.toml: titel: unknown key (did you mean 'title'?)"),
        (("fin = [", "finn = ["), "map.toml: ends.finn: is no end of a session (the ends are: 'reset by src'"),
        (("(?P<src>", "(?P<src"), "patterns.0: "),
        (("(?P<src>", "(?P<src"), "not a regular expression"),
        (('start = "start"\nend = "stop"\n', ""), "fields needs start or end"),
        (("[fields]", 'only = ["x"]\n[fields]'), "only needs fields.kind"),
        (("title = ", "title = = "), "map.toml: not TOML: "),
    ],
)
def test_mistakes_in_a_column_map_are_named(change: tuple[str, str], said: str) -> None:
    text = MAP.replace(*change, 1)
    assert text != MAP
    with pytest.raises(ColumnMapError) as raised:
        parsed("map.toml", text.encode())
    assert said in str(raised.value)


def test_an_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(ColumnMapError, match="did you mean 'cisco-asa'"):
        load_map("cisco-as")
    status, _, error = reconcile(CONNTRACK_LOG, "--log-format", "netscreen")
    assert status == 2
    assert "known formats: aws-vpc-flow, cisco-asa" in error


def test_every_known_map_is_good_and_recognises_no_other_log(tmp_path: Path) -> None:
    for name in known_formats():
        assert load_map(name).title
    with pytest.raises(CaptureError):
        recognised(log(tmp_path, FORGED.name))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--log-timezone", "Mars/Base"), "no time zone 'Mars/Base'"),
        (("-o", str(CONNTRACK_LOG)), "is an input and would be overwritten"),
    ],
)
def test_options_that_cannot_be(options: tuple[str, ...], said: str) -> None:
    status, out, error = reconcile(CONNTRACK_LOG, *options)
    assert (status, out) == (2, "")
    assert said in error


def test_options_of_a_log_need_a_log() -> None:
    result = run("reconcile", CAPTURE, EXAMPLE / "server.pcap", "--fail-on", "contradicted")
    assert result.exit_code == 2
    assert "--log" in result.stderr


def test_fail_on_contradicted() -> None:
    own = ("--log-format", str(EXAMPLE / "conntrack.toml"), "--fail-on", "contradicted")
    assert reconcile(CONNTRACK_LOG, *own)[0] == 3
    assert reconcile(CONNTRACK_LOG, "--fail-on", "contradicted")[0] == 0


def test_a_wrong_time_below_a_header_stays_with_its_line(tmp_path: Path) -> None:
    lines = panos_export(sessions())
    lines[1] = lines[1].replace("/30 21:", "/30 xx:")
    status, out, error = reconcile(log(tmp_path, "\n".join(lines)), "--format", "json")
    assert status == 0, error
    assert json.loads(out)["sessions"] == len(lines) - 1
