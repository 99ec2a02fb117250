"""Whatever is wrong with an input or an output: a message that says what, where and what to do; the rest is done."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from support.command_line import FORGED, GENUINE, LAB, capture, fake_tshark, reset, rows, run

from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.tshark import tsv_reader

CUT = FORGED.read_bytes()[:-20]


def test_a_missing_file(tmp_path: Path) -> None:
    result = run("summarize", tmp_path / "none.pcap")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path / 'none.pcap'}: does not exist (name a capture" in result.stderr


def test_a_folder_without_captures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes\n")
    result = run("summarize", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path}: holds no captures or exports (name a capture" in result.stderr


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty (capture again"),
    "text": (b"Dear reader,\nthis is not a capture.\n", "is a text file, not a capture (name a pcap"),
    "json": (b'{"a": 1}\n', "is a text file, not a capture (name a pcap"),
    "noise": (bytes(range(256)) * 4, "is not a capture that tshark can read (name a pcap"),
    "only-magic": (CUT[:4], "is cut short before its first packet ends (copy"),
    "damaged": (CUT[:32] + b"\xff\xff\xff\x7f" + CUT[36:], "is damaged before its first packet ends (copy"),
    "cut-gzip": (gzip.compress(CUT)[:60], "cut short"),
}


@pytest.mark.parametrize(
    ("command", "broken"),
    [
        *(("summarize", broken) for broken in BROKEN),
        *(("export", broken) for broken in BROKEN if broken != "json"),  # tshark takes it for one packet
    ],
)
def test_a_file_that_is_no_capture(tmp_path: Path, command: str, broken: str) -> None:
    content, message = BROKEN[broken]
    path = tmp_path / "broken.pcap"
    path.write_bytes(content)
    result = run(command, path)
    assert result.exit_code == {"summarize": 1, "export": 2}[command]
    assert f"{path}: {message}" in result.stderr or (broken == "cut-gzip" and message in result.stderr)
    assert "Traceback" not in result.stderr


def test_a_capture_packed_as_tshark_does_not_unpack(tmp_path: Path) -> None:
    shutil.copy(FORGED, tmp_path)
    (tmp_path / "packed.pcap.xz").write_bytes(lzma.compress(CUT))
    result = run("summarize", tmp_path)
    assert result.exit_code == 1
    assert "packed.pcap.xz: is not a capture that tshark can read (unpack it first" in result.stderr
    assert "Read: 1 capture, " in result.stdout
    assert "1 capture could not be read." in result.stdout


def test_a_truncated_capture_is_judged_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(CUT)
    result = run("summarize", path, "--format", "json")
    assert result.exit_code == 1
    assert f"{path}: the capture is cut short in the middle of a packet; packets read before that: 11" in result.stderr
    content = json.loads(result.stdout)
    assert [row["frame"] for row in content["resets"]] == [2, 11]
    assert content["totals"]["packets"] == 11
    assert "cut short" in content["problems"][0]["reason"]


def test_a_truncated_capture_is_exported_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(CUT)
    result = run("export", path)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1 + 11
    assert "packets read before that: 11" in result.stderr


def test_one_broken_capture_among_many(tmp_path: Path) -> None:
    shutil.copyfile(FORGED, tmp_path / "a.pcap")
    (tmp_path / "b.pcap").write_text("not a capture\n")
    shutil.copyfile(GENUINE, tmp_path / "c.pcap")
    result = run("summarize", tmp_path, tmp_path / "none", "--format", "json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert {row["capture"] for row in content["resets"]} == {"a.pcap", "c.pcap"}
    assert [Path(problem["file"]).name for problem in content["problems"]] == ["none", "b.pcap"]
    assert content["totals"]["captures"] == 2


def lines(*rows_: dict[str, str], header: tuple[str, ...] = FIELDS, separator: str = "\t") -> str:
    table = [header, *([row.get(name, "") for name in header] for row in rows_)]
    return "".join(separator.join(row) + "\n" for row in table)


PACKET = {"frame.number": "1", "frame.time_epoch": "1.5", "ip.src": "192.0.2.1", "ip.dst": "192.0.2.2", "ip.ttl": "64"}
NO_TTL = tuple(name for name in FIELDS if name not in ("ip.ttl", "tcp.flags"))
EXPORTS: dict[str, tuple[str, str]] = {
    "missing columns": (lines(PACKET, header=NO_TTL), "the export lacks ip.ttl, tcp.flags"),
    "commas": (lines(PACKET, separator=","), "its columns are separated by commas"),
    "semicolons": (lines(PACKET, separator=";"), "its columns are separated by semicolons"),
    "more columns in a line": (lines(PACKET) + "\t" * 40 + "\n", f"a line has more columns than the {len(FIELDS)}"),
    "quoted values": (lines({name: f'"{value}"' for name, value in PACKET.items()}), "a value of frame.number is"),
    "another aggregator": (lines(PACKET | {"ip.ttl": "64;60"}), "a value of ip.ttl is '64;60'"),
    "no address": (lines(PACKET | {"ip.src": "<script>"}), "a value of ip.src is '<script>'"),
    "no frame number": (lines(PACKET | {"frame.number": ""}), "a value of frame.number is ''"),
    "no hop limit": (lines(PACKET | {"ip.ttl": "300"}), "a value of ip.ttl is '300', in line 2"),
    "no nested hop limit": (lines(PACKET | {"icmp.type": "3", "ip.ttl": "64,abc"}), "a value of ip.ttl is '64,abc'"),
    "no port": (lines(PACKET | {"udp.srcport": "99999999999"}), "a value of udp.srcport is '99999999999'"),
    "an endless header": ("\t".join(FIELDS) + "\tx" * 2**20 + "\n", "has a line of more than 1,048,576 bytes"),
}


@pytest.mark.parametrize("wrong", EXPORTS)
def test_an_export_made_otherwise_is_refused_with_the_right_command(tmp_path: Path, wrong: str) -> None:
    content, message = EXPORTS[wrong]
    path = tmp_path / "export.tsv"
    path.write_text(content, encoding="utf-8")
    result = run("summarize", path)
    assert result.exit_code == 1
    assert f"{path}: {message}" in result.stderr
    assert "rstorigin export CAPTURE -o FILE, or tshark -r CAPTURE -n" in result.stderr


@pytest.mark.parametrize("piece", [tsv_reader.PIECE, 200])
def test_two_exports_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(tsv_reader, "PIECE", piece)
    path = tmp_path / "export.tsv"
    path.write_text(lines(*[PACKET | {"icmp.type": "3"}] * 40_000), encoding="utf-8")
    result = run("summarize", path)
    assert result.exit_code == 1
    assert f"{path}: frame numbers repeat: two exports in one file? (summarize them as two files)" in result.stderr


def test_a_line_without_end(tmp_path: Path) -> None:
    path = tmp_path / "export.tsv.gz"
    path.write_bytes(gzip.compress(lines(PACKET).encode() + b"1" * 3 * tsv_reader.PIECE))
    result = run("summarize", path)
    assert result.exit_code == 1
    assert f"{path}: has a line of more than 1,048,576 bytes" in result.stderr


def test_an_export_without_its_last_line_end_is_read_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "export.tsv"
    run("export", FORGED, "-o", path)
    path.write_bytes(path.read_bytes()[:-30])
    result = run("summarize", path, "--format", "json")
    assert result.exit_code == 1
    assert "the export is cut short in the middle of a line" in result.stderr
    assert json.loads(result.stdout)["totals"]["packets"] == 11


def test_an_export_without_times_says_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "export.tsv"
    path.write_text(lines(PACKET | {"frame.time_epoch": ""}), encoding="utf-8")
    result = run("summarize", path)
    assert result.exit_code == 1
    assert "no packet has a time" in result.stderr


def test_parquet_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "export.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    result = run("summarize", path)
    assert result.exit_code == 1
    assert f"{path}: is not a Parquet file that can be read" in result.stderr


def test_no_tshark_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("postproc.capture.tshark.program._usual_places", list)
    for command in ("summarize", "export"):
        result = run(command, FORGED)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "tshark is not on PATH; install Wireshark 4.0 or newer" in result.stderr
    assert "tshark is not on PATH" in run("--version").stdout


def test_a_tshark_that_is_named_but_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(tmp_path / "none"))
    result = run("summarize", FORGED)
    assert result.exit_code == 2
    assert f"no tshark at {tmp_path / 'none'}, which $RSTORIGIN_TSHARK names" in result.stderr


def test_a_tshark_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = fake_tshark(tmp_path / "old", "TShark (Wireshark) 3.6.2 (Git v3.6.2 packaged as 3.6.2-2)")
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(old))
    result = run("summarize", FORGED)
    assert result.exit_code == 2
    assert f"tshark 3.6.2 ({old}) is too old: rstorigin needs 4.0.0; install Wireshark" in result.stderr


def test_a_program_that_is_no_tshark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RSTORIGIN_TSHARK", str(fake_tshark(tmp_path / "odd", "hello")))
    result = run("summarize", FORGED)
    assert result.exit_code == 2
    assert "does not say which tshark it is" in result.stderr


def test_a_rulebook_with_mistakes(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[verdict]\nforged = 'much'\n")
    for command in (["summarize", FORGED], ["plugin", "generate", "-o", tmp_path]):
        result = run(*command, "--rulebook", bad)
        assert result.exit_code == 2
        assert "bad.toml" in result.stderr
    assert not (tmp_path / "rstorigin.lua").exists()


def test_wrong_usage() -> None:
    assert run("summarize").exit_code == 2
    assert run("summarize", FORGED, "--format", "xml").exit_code == 2
    assert run("export", FORGED, "--format", "parquet").exit_code == 2


OUTPUTS: list[Callable[[Path], tuple[str | Path, ...]]] = [
    lambda out: ("summarize", FORGED, "-o", out),
    lambda out: ("export", FORGED, "-o", out),
    lambda out: ("plugin", "generate", "-o", out / "folder"),
]


@pytest.mark.parametrize("command", OUTPUTS)
def test_an_output_that_cannot_be_written(tmp_path: Path, command: Callable[[Path], tuple[str | Path, ...]]) -> None:
    (tmp_path / "file").write_text("in the way\n")
    result = run(*command(tmp_path / "file" / "out"))
    assert result.exit_code == 2
    assert re.search(r"cannot be (written|made): Not a directory \(choose another place with -o\)", result.stderr)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    result = run("summarize", FORGED, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "Permission denied" in result.stderr


def test_an_output_that_is_a_folder_or_an_input(tmp_path: Path) -> None:
    source = tmp_path / "a.pcap"
    shutil.copyfile(FORGED, source)
    (tmp_path / "link.pcap").symlink_to(source)
    for command, out, message in (
        ("summarize", tmp_path, "is a folder"),
        ("summarize", source, "is an input"),
        ("export", tmp_path / "link.pcap", "is an input"),
    ):
        result = run(command, source, "-o", out)
        assert result.exit_code == 2
        assert message in result.stderr
    assert source.read_bytes() == FORGED.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcap", "link.pcap"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("format_", ["tsv", "parquet"])
def test_an_export_to_a_full_disk(format_: str) -> None:
    result = run("export", FORGED, "--format", format_, "-o", "/dev/full")
    assert result.exit_code == 2
    assert "/dev/full: cannot be written: " in result.stderr


def test_a_failed_export_leaves_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "export.tsv"
    out.write_text("old\n")
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(BROKEN["damaged"][0])
    assert run("export", broken, "-o", out).exit_code == 2
    assert out.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.pcap", "export.tsv"]


@pytest.mark.parametrize(
    "name", ["=cmd|x.pcap", "a\nb\x1b[31m.pcap", "-r.pcap", "|`<b>`.pcap", "\udcff.pcap", "[red]a.pcap"]
)
@pytest.mark.parametrize("format_", ["table", "markdown", "csv", "jsonl", "json"])
def test_hostile_file_names(tmp_path: Path, name: str, format_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(FORGED, name)
    Path("b\x1b[31m.pcap").write_text("broken\n")
    result = run("summarize", "--format", format_, "--", name, "b\x1b[31m.pcap")
    assert result.exit_code == 1
    assert all(line.isprintable() for line in (result.stdout + result.stderr).split("\n"))
    assert "b\\x1b[31m.pcap: is a text file" in result.stderr
    if format_ == "json":
        assert {row["capture"] for row in json.loads(result.stdout)["resets"]} == {name.replace("\udcff", "\\xff")}


def test_hostile_payloads_reach_no_output(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [reset(b"\x1b[31m\t\n<script>"), reset(b"\xff|`", 81)])
    for format_ in ("table", "markdown", "csv", "jsonl", "json"):
        result = run("summarize", path, "--format", format_)
        assert result.exit_code == 0
        assert "script" not in result.stdout
        assert all(line.isprintable() for line in result.stdout.split("\n"))


def test_a_large_folder_keeps_its_order(tmp_path: Path) -> None:
    """The largest come first in it, so that on two processes others are done before them."""
    for number in range(40):
        (tmp_path / f"{number:02}.pcap").write_bytes(FORGED.read_bytes())
    shutil.copyfile(LAB / "05_tcpkill_r1.server.pcap", tmp_path / "00.pcap")
    names = [row["capture"] for row in rows(tmp_path, "-j", "2", "--no-reconcile")]
    assert len(set(names)) == 40
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("ip.src", value) for value in ("999.1.1.1", "1.2.3.4.5", "4294967296", ".......", "192.0.2.01")),
        *(("ip.dst", value) for value in ("192.0.2.256", "192.0.2.1,192.0.2")),
        *(("ipv6.src", value) for value in ("1::2::3", ":::::::::", "ffff", "::ffff:999.1.1.1", "::1,1::2::3")),
        *(("tcp.seq_raw", value) for value in ("4294967296", "9999999999", "-1", "01")),
        *(("ip.id", value) for value in ("0x10000", "0xffffffff")),
        *(("frame.time_epoch", value) for value in ("9" * 12, "1e9", "nan", "1.5.2")),
        *(("tcp.srcport", value) for value in ("65536", "http")),
        *(("ip.ttl", "256"), ("ipv6.flow", "0x100000"), ("frame.number", "0"), ("ip.dsfield", "0x100")),
    ],
)
@pytest.mark.parametrize("form", ["tsv", "parquet"])
def test_a_row_with_a_wrong_value_is_left_out_and_counted(column: str, value: str, form: str, tmp_path: Path) -> None:
    table = [line.split("\t") for line in exported()]
    place = table[0].index(column)
    for row in (table[4], table[6]):
        row[place] = value
    path = tmp_path / f"export.{form}"
    path.write_text("".join("\t".join(row) + "\n" for row in table), encoding="utf-8")
    if form == "parquet":
        schema = dict.fromkeys(FIELDS, pl.String())
        pl.read_csv(path.read_bytes(), separator="\t", quote_char=None, schema=schema).write_parquet(path)
    result = run("summarize", path, "--format", "json")
    assert result.exit_code == 1
    where = "in line 5" if form == "tsv" else "in row 4"
    assert f"{path}: 2 rows left out: a value of {column} is '{value}', {where} (make it anew" in result.stderr
    content = json.loads(result.stdout)
    assert content["totals"]["packets"] == len(table) - 1 - 2
    assert len(content["resets"]) > 0


@cache
def exported() -> list[str]:
    return run("export", GENUINE).stdout.splitlines()
