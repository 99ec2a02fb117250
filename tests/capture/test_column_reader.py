"""The columns that we read equal what `tshark -T fields` prints, on every capture and Wireshark that we have."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import polars as pl
import pytest
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from support.command_line import capture, reset
from support.parity import captures, export
from support.public_captures import SKIPPED
from support.random_captures import random_capture
from support.wiresharks import Wireshark, available

from heuristics.protocol.tshark_fields import FIELDS, PAYLOAD_BYTES
from postproc.capture.packet_table import normalise
from postproc.capture.tshark.column_reader import F5_LENGTH, TEXT_FIELDS, arguments, read_capture
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.capture.tshark.tsv_reader import FieldsText

NAMES = (*(name for name in FIELDS if name not in TEXT_FIELDS), F5_LENGTH)


def by_columns(path: Path, wireshark: Wireshark) -> pl.DataFrame:
    """The columns of `path`, without the fields that only a packet with text has."""
    placeholder = Path("CAPTURE")
    words = arguments(placeholder, Tshark(Path("tshark"), wireshark.version[:3]))
    result = wireshark.tshark(*(path if word == str(placeholder) else word for word in words))
    text = FieldsText(io.BytesIO(result.stdout.encode()), str(path), "", names=NAMES)
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(NAMES, pl.String())), *text.frames(NAMES)])


def check(path: Path, wireshark: Wireshark) -> None:
    """Both ways give the same packets table. In columns, hexadecimal numbers have fewer digits."""
    nothing = [pl.lit(None, pl.String).alias(name) for name in (*TEXT_FIELDS, PAYLOAD_BYTES)]
    fields = export(path, wireshark).with_columns(nothing)
    shown = by_columns(path, wireshark).with_columns(nothing)
    assert shown.height == fields.height
    assert normalise(shown).equals(normalise(fields))


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
@pytest.mark.parametrize("path", [*captures(), *SKIPPED], ids=lambda path: path.name)
def test_columns_are_fields(path: Path, wireshark: Wireshark) -> None:
    check(path, wireshark)


@pytest.mark.versions
@pytest.mark.parametrize("wireshark", available(), ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_columns_are_fields_on_random_captures(seed: int, wireshark: Wireshark, tmp_path: Path) -> None:
    path = tmp_path / f"seed{seed}.pcap"
    path.write_bytes(random_capture(Random(seed), 150, 3, 4 if seed % 2 else 10**9))
    check(path, wireshark)


def fields(path: Path) -> pl.DataFrame:
    """The packets table of `path` by `tshark -T fields`."""
    return normalise(export(path, available()[0]))


def test_what_a_column_cannot_show_is_read_again(tmp_path: Path) -> None:
    deep = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for number in range(60):  # 60 addresses of 39 characters: more than a column holds
        deep /= IPv6(src=f"2001:db8:1111:1111:1111:1111:1111:{0x1000 + number:x}", dst="2001:db8::1", hlim=200 - number)
    packets = [reset(b"no more\tof\nthis"), reset(), reset(b"x" * 5000, port=81), deep]
    path = capture(tmp_path / "again.pcap", packets)
    found = pl.concat(read_capture(path, find_tshark(), []))
    assert normalise(found).equals(fields(path))
    assert max(len(text) for text in found["ipv6.src"].drop_nulls()) > 2048
    assert found.sort("frame.number")["tcp.reset_cause"][0] == r"no more\tof\nthis"


def test_resets_with_text_are_read_again_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postproc.capture.tshark.tsv_reader.PIECE", 100)
    path = capture(
        tmp_path / "text.pcap", [reset(b"text" if number % 2 else b"", 1000 + number) for number in range(20)]
    )
    found = pl.concat(read_capture(path, find_tshark(), []))
    assert normalise(found).equals(fields(path))
    assert found["tcp.reset_cause"].drop_nulls().to_list() == ["text"] * 10
