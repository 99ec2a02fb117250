"""A capture gives the same fields in every way: by tshark, by exports in any form, with any settings and payload."""

from __future__ import annotations

import gzip
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from support.command_line import FORGED, GENUINE, SITUATIONS, capture, reset, run, verdicts

from heuristics.protocol.tshark_fields import FIELDS
from postproc.capture.file_type import FileType, file_type_of
from postproc.capture.tshark import tsv_reader
from postproc.capture.tshark.column_reader import read_capture
from postproc.capture.tshark.fields_export import print_command
from postproc.capture.tshark.program import PREFERENCES, find_tshark
from postproc.capture.tshark.tsv_reader import FieldsText
from postproc.runtime.errors import CaptureError

HOSTILE = [
    b"tab\there",
    b"line\nend\r\nof",
    b'quote " and , comma',
    b"\xff\xfe\x80",
    b"\x1b[31mred",
    b"nul\0after",
    b"back\\slash\\t",
    "\u202edlrow".encode(),
    b"\x0b\x0c\x08\x7f\xc2\x85\xe2\x80\xa8",
    b"1\t2\t3\t4\n5\t6\t7",
    b"BIG-IP: [0x2d4c2d7:6] Flow expired",
    b"",
]


@pytest.fixture
def tsv(tmp_path: Path) -> Path:
    """The export of a capture with a forged reset."""
    path = tmp_path / "export.tsv"
    assert run("export", FORGED, "-o", path).exit_code == 0
    return path


def test_an_export_goes_to_stdout_with_its_header_line() -> None:
    result = run("export", FORGED)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split("\t") == list(FIELDS)
    assert len(lines) == 1 + 12


def test_the_printed_command_makes_the_same_export(tsv: Path) -> None:
    shown = run("export", FORGED, "--print-command").stdout
    assert shown == f"{print_command(FORGED)}\n"
    made = subprocess.run(shown, shell=True, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert made.stdout == tsv.read_bytes()


def test_the_printed_command_is_safe_in_a_shell() -> None:
    assert "'a; rm b.pcap'" in print_command(Path("a; rm b.pcap"))
    assert "./-r.pcap" in print_command(Path("-r.pcap"))


def reordered(text: str) -> bytes:
    """The columns in reverse order, with one of the plugin's and one of the user's among them."""
    table = pl.read_csv(io.StringIO(text), separator="\t", quote_char=None, infer_schema=False)
    table = table.with_columns(pl.lit("forged").alias("rstorigin.verdict"), pl.lit('"').alias("http.host"))
    return table.select(reversed(table.columns)).write_csv(separator="\t", quote_style="never").encode()


@pytest.mark.parametrize(
    "written",
    [
        str.encode,
        reordered,
        lambda text: gzip.compress(text.encode()),
        lambda text: text.encode("utf-16"),  # `>` in Windows PowerShell 5
        lambda text: b"\xef\xbb\xbf" + text.encode(),  # -E bom=y
        lambda text: text.replace("\n", "\r\n").encode(),  # tshark on Windows
    ],
    ids=["plain", "reordered", "gzip", "utf-16", "bom", "crlf"],
)
def test_an_export_is_judged_like_its_capture(tsv: Path, written: Callable[[str], bytes]) -> None:
    tsv.write_bytes(written(tsv.read_text(encoding="utf-8")))
    assert verdicts(tsv) == verdicts(FORGED)
    assert len(verdicts(tsv)) == 3


def test_a_parquet_export_is_judged_like_its_capture(tmp_path: Path) -> None:
    path = tmp_path / "export.parquet"
    assert run("export", SITUATIONS / "nat-expires-sessions.pcap", "--format", "parquet", "-o", path).exit_code == 0
    assert verdicts(path) == verdicts(SITUATIONS / "nat-expires-sessions.pcap")
    assert len(verdicts(path)) == 5


def test_an_export_needs_no_tshark(tsv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert run("summarize", tsv).exit_code == 0


def test_reading_in_small_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pl.concat(read_capture(GENUINE, find_tshark(), []))
    monkeypatch.setattr(tsv_reader, "PIECE", 100)
    pieces = list(read_capture(GENUINE, find_tshark(), []))
    assert len(pieces) > 1
    assert pl.concat(pieces).equals(whole)


def test_a_hostile_payload_shifts_no_column(tmp_path: Path) -> None:
    path = capture(tmp_path / "hostile.pcap", [reset(payload, port=1000 + i) for i, payload in enumerate(HOSTILE)])
    frame = pl.concat(read_capture(path, find_tshark(), [])).sort(pl.col("frame.number").cast(int))
    assert frame["frame.number"].to_list() == [str(number + 1) for number in range(len(HOSTILE))]
    assert frame["tcp.srcport"].to_list() == [str(1000 + number) for number in range(len(HOSTILE))]
    assert frame["tcp.len"].to_list() == [str(len(payload)) for payload in HOSTILE]
    assert {row["src"] for row in verdicts(path)} == {"192.0.2.1"}


def test_the_users_preferences_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ethernet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    tcp = TCP(sport=1000, dport=443, flags="PA", seq=5)
    v4, v6 = IP(src="192.0.2.1", dst="203.0.113.1", tos=72), IPv6(src="2001:db8::1", dst="2001:db8::2")
    packets = [
        *fragment(ethernet / v4 / tcp / Raw(b"x" * 3000), 1400),
        *fragment6(ethernet / v6 / IPv6ExtHdrFragment(id=9) / tcp / Raw(b"y" * 3000), 1400),
        ethernet / IP(src="192.0.2.1", dst="203.0.113.1", len=0) / tcp / Raw(b"segmented by the card"),
        ethernet / IPv6(src="2001:db8::1", dst="2001:db8::2", plen=0) / tcp / Raw(b"segmented by the card"),
        reset(b"cause"),
    ]
    path = capture(tmp_path / "all.pcap", packets)
    expected = run("export", path).stdout
    off = [preference.replace("TRUE", "X").replace("FALSE", "TRUE").replace("X", "FALSE") for preference in PREFERENCES]
    off += [
        "frame.generate_epoch_time:FALSE",
        "tcp.analyze_sequence_numbers:FALSE",
        "tcp.relative_sequence_numbers:FALSE",
        "tcp.check_checksum:TRUE",
    ]
    settings = tmp_path / "wireshark"
    settings.mkdir()
    (settings / "preferences").write_text("\n".join(off).replace(":", ": "), encoding="utf-8")
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(settings))
    bare = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "tcp.flags", "-e", "ip.dsfield"]
    with_settings = subprocess.run(bare, capture_output=True, text=True, check=True).stdout
    monkeypatch.delenv("WIRESHARK_CONFIG_DIR")
    assert with_settings != subprocess.run(bare, capture_output=True, text=True, check=True).stdout  # they were read
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(settings))
    assert run("export", path).stdout == expected


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", FileType.EMPTY),
        (b"\xd4\xc3\xb2\xa1\x02\0", FileType.CAPTURE),
        (b"\xa1\xb2\xc3\xd4\0\x02", FileType.CAPTURE),
        (b"\x4d\x3c\xb2\xa1\x02\0", FileType.CAPTURE),  # nanoseconds
        (b"\x34\xcd\xb2\xa1\x02\0", FileType.CAPTURE),  # modified
        (b"\x0a\x0d\x0d\x0a\x1c\0", FileType.CAPTURE),
        (b"snoop\0\0\0\0\0\0\x02", FileType.CAPTURE),
        (gzip.compress(b"\xd4\xc3\xb2\xa1\x02\0", mtime=0), FileType.CAPTURE),
        (gzip.compress(b"frame.number\tip.src\n1\t\n", mtime=0), FileType.EXPORT),
        (gzip.compress(gzip.compress(b"\xd4\xc3\xb2\xa1\x02\0", mtime=0), mtime=0), FileType.UNKNOWN),
        (b"ip.src\tframe.number\n", FileType.EXPORT),
        ("frame.number\n".encode("utf-16"), FileType.EXPORT),
        (b"PAR1\0\0", FileType.PARQUET),
        (b"\x28\xb5\x2f\xfd\0\0\0", FileType.UNKNOWN),
        (b"# Notes\n", FileType.TEXT),
        (b"\x89PNG\0\0", FileType.UNKNOWN),
    ],
)
def test_the_content_decides_the_file_type(tmp_path: Path, content: bytes, kind: FileType) -> None:
    path = tmp_path / "anything.txt"
    path.write_bytes(content)
    assert file_type_of(path) is kind


def test_a_file_that_decompresses_to_itself_is_of_unknown_type(tmp_path: Path) -> None:
    nested = b"\xd4\xc3\xb2\xa1\x02\0"
    for _ in range(1200):
        nested = gzip.compress(nested)
    path = tmp_path / "nested.gz"
    path.write_bytes(nested)
    assert file_type_of(path) is FileType.UNKNOWN


def test_a_netscaler_trace_is_a_capture() -> None:
    assert file_type_of(SITUATIONS / "netscaler-policy.cap") is FileType.CAPTURE


@given(st.binary(max_size=300))
def test_any_text_after_a_header_is_read_or_refused(content: bytes) -> None:
    text = FieldsText(io.BytesIO("\t".join(FIELDS).encode() + b"\n" + content), "file", "remedy")
    try:
        frames = list(text.frames())
    except CaptureError:
        return
    assert all(frame.columns == list(FIELDS) for frame in frames)


def test_the_printed_command_shows_no_control_character() -> None:
    printed = print_command(Path("\x1b[31mred.pcap"))
    assert printed.isprintable()
    assert r"$'\x1b[31mred.pcap'" in printed
