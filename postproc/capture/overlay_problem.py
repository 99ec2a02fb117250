"""The problem of a capture with an overlay that nobody opened: nothing can be said of the resets inside."""

from __future__ import annotations

from pathlib import Path

from heuristics.errors import Problem
from postproc.runtime.text import plural

_NAMES = {"vxlan": "VXLAN", "geneve": "Geneve", "gtp": "GTP-U"}
_NOT_OPENED = "that nobody opened, so resets inside are not seen"


def unopened_overlay(capture: Path, port: int, protocol: str, count: int, of_port: int) -> Problem:
    """`count` of `of_port` packets to a UDP port look like `protocol`, which is what Wireshark calls it."""
    reason = f"UDP port {port} looks like {_NAMES[protocol]} ({count:,} of {plural(of_port, 'packet')}) {_NOT_OPENED}"
    return Problem(str(capture), "", "", reason, f"add -d udp.port=={port},{protocol}")


def is_unopened_overlay(problem: Problem) -> bool:
    """Whether this is a problem of `unopened_overlay`."""
    return problem.reason.endswith(_NOT_OPENED)
