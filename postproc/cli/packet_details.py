"""Further fields of a few packets of a capture, without letting tshark read all of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from postproc.capture.tshark.program import Tshark
from postproc.copies.cut import cut
from postproc.report.field_comparison import HEADERS, Details
from postproc.runtime.errors import CaptureError
from postproc.runtime.temp_files import temporary_folder


def packet_details(capture: Path, frames: Sequence[int], program: Tshark | None) -> dict[int, Details]:
    """Further fields of these packets, by frame number. Text, which needs no tshark, has none.

    tshark reads a copy of these packets, and the whole capture only where that does not do: as for fragments.
    """
    if program is None:
        return {}
    # Slow to import: pyshark takes longer than everything else, and no other command needs it.
    from postproc.report.pyshark_details import read_details

    copied = sorted({1, *frames})  # times count from frame 1
    with suppress(CaptureError, OSError), temporary_folder() as folder:
        copy = Path(folder) / "frames.pcapng"
        with copy.open("wb") as file:
            cut(capture, copied, file)
        numbers = {frame: number for number, frame in enumerate(copied, 1)}
        read = read_details(copy, [numbers[frame] for frame in frames], program)
        found = {frame: read.get(numbers[frame], {}) for frame in frames}
        if all("tcp" in details.get(HEADERS, "").split() for details in found.values()):
            return found
    return read_details(capture, frames, program)
