"""How far a file has been read is seen from outside the code that reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import until

from postproc.runtime.read_position import ReadPosition

pytestmark = pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="needs /proc")

READS_HALF = "import sys; file = open(sys.argv[1], 'rb', buffering=0); file.read(500); sys.stdin.read()"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "capture.pcap"
    path.write_bytes(bytes(1000))
    return path


def test_our_own_reading(file: Path) -> None:
    position = ReadPosition(file)
    assert (position.bytes_read(), position.done()) == (0, 0)
    with file.open("rb", buffering=0) as opened:
        opened.read(400)
        assert (position.bytes_read(), position.done()) == (400, 0.2)
        opened.read()
        assert (position.bytes_read(), position.done()) == (1000, 0.5)
    assert (position.bytes_read(), position.done()) == (1000, 0.5)
    with file.open("rb", buffering=0) as opened:
        opened.read(200)
        assert (position.bytes_read(), position.done()) == (200, 0.6)
        opened.read()
        assert (position.bytes_read(), position.done()) == (1000, 1)


def test_the_reading_of_a_child(file: Path) -> None:
    position = ReadPosition(file)
    child = subprocess.Popen([sys.executable, "-c", READS_HALF, str(file)], stdin=subprocess.PIPE)
    until(lambda: position.bytes_read() == 500, "the position of the child")
    child.communicate()
    assert position.bytes_read() == 500


def test_files_without_bytes_and_files_that_go_away(file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.touch()
    assert ReadPosition(empty).done() == 0.5
    position = ReadPosition(file)
    file.unlink()
    assert position.bytes_read() == 0
