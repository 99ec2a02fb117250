"""How a capture begins: time of the first frame, and the link layer, for the plugin to find its packets again."""

from __future__ import annotations

from pathlib import Path

from postproc.capture.prefilter.link_layer import ETHERNET, LINUX_COOKED, NULL, RAW
from postproc.capture.prefilter.pcap_reader import DeferredError, open_capture
from postproc.capture.tshark.program import Tshark
from postproc.handover.verdict_file import CaptureStart
from postproc.runtime.clock import seconds_to_us
from postproc.runtime.errors import CaptureError

_LINKS = {ETHERNET: "ethernet", NULL: "null", RAW: "raw", LINUX_COOKED: "cooked"}


def capture_start(path: Path, tshark: Tshark) -> CaptureStart:
    """How the capture at `path` begins. Raises CaptureError where it has no first frame."""
    file = open_capture(path)
    if file is not None:
        try:
            for piece in file.pieces():
                return CaptureStart(int(piece.time_us[0]), _LINKS.get(file.link_type, ""))
        except DeferredError:
            pass
    return CaptureStart(_first_time_us(path, tshark))


def _first_time_us(path: Path, tshark: Tshark) -> int:
    with tshark.run(
        [*tshark.preferences(), "-r", str(path), "-c", "1", "-T", "fields", "-e", "frame.time_epoch"]
    ) as run:
        time = run.stdout.read().decode("ascii", "replace").strip()
    try:
        return seconds_to_us(time)
    except ValueError:
        raise CaptureError(str(path), "has no packets", "name a capture with packets") from None
