"""Ways of reading one capture that must give the same: the fast path, tshark alone, and the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from support.parity import differences, export, postproc_rows, run_plugin, system_wireshark
from support.random_captures import NEVER, random_capture

from fuzz import seeds
from fuzz.mutate import mutated, mutated_packets
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture.discovery import Source
from postproc.capture.file_type import file_type_of
from postproc.capture.tshark.program import find_tshark
from postproc.runtime.errors import CaptureError

RULEBOOK, TSHARK = load(), find_tshark()
_ENGINES_EVERY = 3  # one in so many inputs is also given to the plugin, which takes longer
_SHOWN = 5


def capture_of(random: Random) -> tuple[bytes, bool]:
    """An odd capture, and whether the file around its packets is sound."""
    seed = random.choice(seeds.captures())
    match random.randrange(4):
        case 0:
            return mutated(seeds.captures(), random), False
        case 1:
            return random_capture(random, 150, random.choice((NEVER, 2, 5)), random.choice((NEVER, 3))), True
        case _ if seed[:4] != b"\n\r\r\n":
            return mutated_packets(seed, random), True
        case _:
            return seed, True


def disagreements(path: Path, *, engines: bool) -> Iterator[str]:
    """What differs between the ways of reading the capture at `path`; with `engines` the plugin is one of them."""
    fast, slow = (_judged(path, prefilter=prefilter) for prefilter in (True, False))
    if isinstance(fast, str) or isinstance(slow, str):
        if fast != slow:
            yield f"the fast path: {str(fast)[:300]}; tshark: {str(slow)[:300]}"
        return
    for name in ("packets", "problems", "readable", "capture_point", "resets", "errors", "flows"):
        if getattr(fast, name) != getattr(slow, name):
            yield f"{name} differ: {_first(getattr(fast, name), getattr(slow, name))}"
    if engines and fast.readable:
        yield from _between_engines(path)


def check_one(random: Random, folder: Path, number: int) -> tuple[Path, list[str]]:
    """Make a capture and compare. Returns where it is, and what differs."""
    content, sound = capture_of(random)
    path = folder / "capture.pcap"
    path.write_bytes(content)
    return path, list(disagreements(path, engines=sound and number % _ENGINES_EVERY == 0))


def _judged(path: Path, *, prefilter: bool) -> CaptureResult | str:
    try:
        return judge_source(Source(path, path.name, file_type_of(path)), RULEBOOK, TSHARK, prefilter=prefilter)
    except CaptureError as error:
        return str(error)


def _between_engines(path: Path) -> Iterator[str]:
    wireshark = system_wireshark()
    ran = run_plugin(path, wireshark, RULEBOOK, ("-2", "-Y", "rstorigin || _ws.lua.error"))
    if ran.errors:
        yield f"the plugin: {ran.errors[0][:300]}"
    raw = export(path, wireshark)
    yield from map(str, differences(path.name, ran.rows, postproc_rows(raw, RULEBOOK))[:_SHOWN])


def _first(one: object, other: object) -> str:
    """The first of two values, or of their items, that differ."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        one, other = next((pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]), (one, other))
    return f"{str(one)[:500]} and {str(other)[:500]}"
