"""What fuzzed inputs are made from: our own captures, and what else is in the repository."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from support import frames
from support.command_line import FORGED, GENUINE, LAB, SITUATIONS, run
from support.rulebook_files import BASE, NEW_RULE
from support.session_logs import WRITERS, sessions

from heuristics.rulebook.model import load
from postproc.batch.job import judge_source
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType
from postproc.capture.tshark.program import find_tshark
from postproc.handover.capture_start import capture_start
from postproc.handover.verdict_file import verdict_lines

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "rstorigin.lua"
CASE = """\
name = "Branch office"
notes = \"\"\"Two
lines\"\"\"
networks = ["192.0.2.0/24", "2001:db8::/32"]
rulebook = "rules.toml"
[[point]]
name = "server"
captures = ["*.server.pcap"]
hosts = ["192.0.2.1", "2001:db8::1"]
complete = true
"""


@cache
def captures() -> Sequence[bytes]:
    """Small captures, as pcap of both byte orders and as pcapng with options, names and statistics."""
    paths = [FORGED, GENUINE, LAB / "04_icmp.client.pcap", LAB / "10_server_ttl128.client.pcap"]
    paths += sorted(SITUATIONS.glob("*.pcap"))[:12]
    contents = [content for path in paths if len(content := path.read_bytes()) < 40_000]
    return [*contents, *(_as_pcapng(content) for content in contents[:4])]


def _as_pcapng(content: bytes) -> bytes:
    """A pcap as pcapng, each packet with options."""
    order = "<" if content[0] in (0xD4, 0x4D) else ">"
    (link,) = struct.unpack_from(f"{order}I", content, 20)
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(2, b"a machine") + _option(0, b"")
    interface = struct.pack("<HHI", link, 0, 0) + _option(2, b"eth0") + _option(9, b"\x06") + _option(0, b"")
    blocks = [frames.pcapng_block(0x0A0D0D0A, section), frames.pcapng_block(1, interface)]
    at = 24
    while at + 16 <= len(content):
        seconds, parts, captured, wire = struct.unpack_from(f"{order}IIII", content, at)
        time = seconds * 1_000_000 + parts
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, captured, wire)
        packet = content[at + 16 : at + 16 + captured].ljust((captured + 3) // 4 * 4, b"\0")
        options = _option(2, b"\1\0\0\0") + _option(1, b"a comment") + _option(0, b"")
        blocks.append(frames.pcapng_block(6, head + packet + options))
        at += 16 + captured
    return b"".join(
        [*blocks, frames.pcapng_block(5, struct.pack("<III", 0, 0, 0) + _option(4, bytes(8)) + _option(0, b""))]
    )


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value.ljust((len(value) + 3) // 4 * 4, b"\0")


@cache
def exports() -> Sequence[bytes]:
    """Fields exports, one of them compressed."""
    contents = [run("export", path).stdout.encode() for path in (FORGED, LAB / "04_icmp.client.pcap")]
    return [*contents, gzip.compress(contents[0])]


@cache
def texts() -> Sequence[bytes]:
    """Text that tcpdump printed."""
    folder = ROOT / "tests" / "captures"
    found = [path.read_bytes() for path in sorted(folder.rglob("*.txt"))]
    line = (
        b"2023-11-14 22:13:20.000000 IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 60)\n"
        b"    192.0.2.1.40000 > 192.0.2.2.80: Flags [S], cksum 0x1 (correct), seq 1000, win 64240, options [mss 1460,"
        b"sackOK,TS val 1 ecr 0,nop,wscale 7], length 0\n"
        b"2023-11-14 22:13:20.100000 IP6 (flowlabel 0x12345, hlim 60, next-header TCP (6) payload length: 20) "
        b"2001:db8::1.80 > 2001:db8::2.40000: Flags [R.], cksum 0x1 (correct), seq 0, ack 1001, win 0, length 0\n"
    )
    return [*found[:10], line]


@cache
def overlays() -> Sequence[bytes]:
    """Rulebooks and parts of them."""
    files = sorted((ROOT / "heuristics" / "rulebook" / "default").glob("*.toml"))
    return [(BASE + NEW_RULE).encode(), NEW_RULE.encode(), *(path.read_bytes() for path in files)]


@cache
def expressions() -> Sequence[bytes]:
    """Conditions over the names that tests of the language use."""
    return [
        b"a >= 0x10 and s in {'x'}",
        b"not (a + b * 2 < -3 or known(a)) and b in (1, 2, 3)",
        b"min(a, b) == max(1, b) and abs(a - b) > 4 or p",
        b"1 < a <= 5 and s != 'it''s' and len(s) == 2",
    ]


@cache
def cases() -> Sequence[bytes]:
    """Files case.toml."""
    return [CASE.encode(), b'networks = ["10.0.0.0/8"]\n']


@cache
def archives() -> Sequence[bytes]:
    """Zip archives: stored and deflated, with folders, an archive within, and names that lead elsewhere."""
    inner = _zipped({"a.pcap": FORGED.read_bytes()}, zipfile.ZIP_STORED)
    names = {"../up.pcap": GENUINE.read_bytes(), "folder/": b"", "folder/notes.txt": b"none", "inner.zip": inner}
    export = {"e.tsv": exports()[0], "e.tsv.gz": exports()[2], "empty.pcap": b""}
    return [inner, _zipped(names, zipfile.ZIP_DEFLATED), _zipped(export, zipfile.ZIP_DEFLATED)]


def _zipped(contents: Mapping[str, bytes], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


@cache
def logs() -> Sequence[bytes]:
    """Session logs of every format that we know."""
    return ["\n".join(write(sessions())[:40]).encode() for _, write in WRITERS.values()]


@cache
def traces() -> Sequence[bytes]:
    """Kernel traces of several tools."""
    return [path.read_bytes() for path in sorted((ROOT / "tests" / "captures" / "kernel-traces").glob("*.txt"))]


@cache
def verdict_files() -> Sequence[bytes]:
    """The file of verdicts of FORGED, as `rstorigin open` writes it."""
    result = judge_source(Source(FORGED, "a\tname\\", FileType.CAPTURE), load(), find_tshark(), all_flows=True)
    lines = verdict_lines(result, capture_start(FORGED, find_tshark()), load(), "a summary\nof lines")
    return ["".join(lines).encode()]


@cache
def cached() -> Sequence[bytes]:
    """The files of a cache: a result, and the combined file."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(FORGED, folder)
        run("summarize", folder, "-j", "1")
        found = Path(folder).glob(".rstorigin/results/*/*")
        return [path.read_bytes() for path in sorted(found)]
