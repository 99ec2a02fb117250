"""Copies a few packets of a capture, with the blocks that describe them, to a capture of their own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import IO

from postproc.copies.blocks import CUT_SHORT, Block, copy_parts


def cut(capture: Path, frames: Collection[int], target: IO[bytes]) -> None:
    """Write the packets with these frame numbers as pcapng. Reads no further than the last of them.

    Raises CaptureError for a file that is neither pcap nor pcapng or cannot be read.
    """
    left = len(frames)
    for part in copy_parts(capture, frames):
        if not isinstance(part, Block) or part.kind == CUT_SHORT:
            continue
        if part.frame and part.frame not in frames:
            continue
        target.write(part.data)
        left -= part.frame > 0
        if not left:
            break
