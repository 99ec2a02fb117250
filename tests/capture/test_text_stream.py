"""Text is read alike, however it is packed and encoded: packets, exports, logs and traces."""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from support.command_line import CAPTURES, FORGED, run
from support.session_logs import CAPTURE, WRITERS, sessions
from support.wiresharks import available

from postproc.capture.text_stream import text_stream
from postproc.runtime.errors import CaptureError

TRACES = CAPTURES / "kernel-traces"
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lz4.frame.compress,
}
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "utf-8": bytes,
    "utf-8 with BOM": lambda text: codecs.BOM_UTF8 + text,
    "utf-16-le": lambda text: codecs.BOM_UTF16_LE + text.decode().encode("utf-16-le"),
    "utf-16-be": lambda text: codecs.BOM_UTF16_BE + text.decode().encode("utf-16-be"),
}
EVERY = [
    pytest.param(pack, encode, id=f"{packing}, {encoding}")
    for packing, pack in PACKINGS.items()
    for encoding, encode in ENCODINGS.items()
]


@pytest.fixture(scope="module")
def texts() -> dict[str, bytes]:
    """One text of each kind of packets, and an export."""
    tshark = available()[0].tshark
    return {kind: tshark("-n", "-r", FORGED, "-T", kind).stdout.encode() for kind in ("json", "ek", "pdml")} | {
        "details": tshark("-n", "-r", FORGED, "-V").stdout.encode(),
        "export": run("export", FORGED).stdout_bytes,
    }


def verdicts(path: Path) -> list[tuple[str, str]]:
    result = run("summarize", path, "--no-cache", "--format", "jsonl")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert found, result.stderr
    return [(row["frame"], row["verdict"]) for row in found]


@pytest.mark.parametrize(("pack", "encode"), EVERY)
def test_packets_and_exports(
    pack: Callable[[bytes], bytes], encode: Callable[[bytes], bytes], texts: dict[str, bytes], tmp_path: Path
) -> None:
    expected = verdicts(FORGED)
    for kind, text in texts.items():
        path = tmp_path / f"{kind}.txt"
        path.write_bytes(pack(encode(text)))
        assert verdicts(path) == expected, kind


@pytest.mark.parametrize(("pack", "encode"), EVERY)
def test_logs_and_traces(pack: Callable[[bytes], bytes], encode: Callable[[bytes], bytes], tmp_path: Path) -> None:
    log, trace = tmp_path / "log", tmp_path / "trace"
    log.write_bytes(pack(encode("\n".join(WRITERS["PAN-OS, CSV"][1](sessions())).encode())))
    trace.write_bytes(pack(encode((TRACES / "perf.txt").read_bytes())))
    shown = run("reconcile", "--no-cache", "--log", log, CAPTURE).stdout
    assert "18 sessions; 18 have packets" in shown
    shown = run("reconcile", "--no-cache", "--kernel", trace, TRACES / "perf.pcap").stdout
    assert shown.startswith("10 resets: 8 sent by the kernel")


@pytest.mark.parametrize("packing", ["gz", "zst", "lz4"])
@pytest.mark.parametrize("kind", ["json", "ek", "pdml", "details", "export"])
def test_a_packed_text_that_is_cut_short_is_one_problem(
    packing: str, kind: str, texts: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "cut"
    packed = PACKINGS[packing](texts[kind] * 20)
    path.write_bytes(packed[: len(packed) * 9 // 10])
    result = run("summarize", path, "--no-cache")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{path}: ")
    assert "bug" not in result.stderr


@pytest.mark.parametrize("packing", ["gz", "zst", "lz4"])
def test_damage_inside_is_an_error_that_names_the_file(packing: str, tmp_path: Path) -> None:
    packed = bytearray(PACKINGS[packing](b"".join(b"line %d\n" % number for number in range(40_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = bytes(range(200, 240))
    path = tmp_path / "damaged"
    path.write_bytes(packed)
    with (
        text_stream(path, "make it anew") as stream,
        pytest.raises(CaptureError, match=r"damaged: (cannot be decompressed|the compressed file is cut short)"),
    ):
        b"".join(iter(partial(stream.read, 10_000), b""))


def test_half_a_character_at_the_end_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "half"
    path.write_bytes(codecs.BOM_UTF16_LE + "IP\n".encode("utf-16-le") + b"\x41")
    with text_stream(path) as stream:
        assert (stream.readline(), stream.readline(), stream.readline()) == (b"IP\n", "\ufffd".encode(), b"")
