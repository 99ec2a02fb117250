"""Case folders for tests, and running the program on them as a user does."""

from __future__ import annotations

import os
import shutil
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from support.command_line import FORGED, GENUINE, LAB, shell_script

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "from postproc.__main__ import main; main()")


def tagged(capture: Path) -> bytes:
    """`capture`, a pcap file, with one more packet in a VLAN, which only tshark can decode."""
    content = capture.read_bytes()
    order = "<" if content[0] in (0xD4, 0x4D) else ">"
    frame = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + b"\x81\0\0\x05" + b"\x08\x06" + bytes(46)
    return content + struct.pack(f"{order}IIII", 1_700_000_000, 0, len(frame), len(frame)) + frame


def small_case(folder: Path) -> Path:
    """A case of three captures, one of them in a folder and without a reset."""
    (folder / "deeper").mkdir(parents=True)
    (folder / "forged.pcap").write_bytes(tagged(FORGED))
    (folder / "genuine.pcap").write_bytes(tagged(GENUINE))
    (folder / "deeper" / "quiet.pcap").write_bytes(tagged(LAB / "02_reject_syn_r1.server.pcap"))
    return folder


def environment(**more: str) -> Mapping[str, str]:
    """An environment in which our packages are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), **more}


def counting_tshark(folder: Path) -> Path:
    """A tshark that notes every capture that it reads in the file `reads` beside it."""
    real = shutil.which("tshark")
    text = f'case "$*" in *-r*) echo "$*" >> "{folder}/reads" ;; esac\nexec "{real}" "$@"'
    return shell_script(folder / "tshark", text)


def reads(tshark: Path) -> int:
    """How many captures the counting tshark has read."""
    notes = tshark.with_name("reads")
    return len(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else 0
