"""The readers of everything that comes from outside. Each takes bytes; only the errors that it documents may come."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.command_line import FORGED
from support.lua_interpreters import VOCABULARY
from support.parity import system_wireshark

from fuzz import seeds
from heuristics.errors import ExpressionError, RulebookError
from heuristics.language.expressions import parse, to_lua, to_python
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.reader import parse_file
from postproc.batch.cache import Cache
from postproc.batch.job import CaptureResult, judge_source
from postproc.capture.archive import is_wanted, members, unpack
from postproc.capture.discovery import Source
from postproc.capture.file_type import FileType, file_type_of
from postproc.capture.prefilter.split import split_capture
from postproc.case.case_file import CaseError, load_case
from postproc.kernel_trace.trace_text import read_trace
from postproc.runtime.errors import CaptureError
from postproc.session_log.log_time import Clock
from postproc.session_log.recognise import recognised
from postproc.session_log.sessions import SESSION_SCHEMA, read_sessions


@dataclass(frozen=True)
class Target:
    """A reader, and what its inputs are made from."""

    read: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]


rulebook: Callable[[], Rulebook] = cache(load)


@cache
def _folder() -> Path:
    """A folder of this process."""
    return Path(tempfile.mkdtemp(prefix=f"fuzz-{os.getpid()}-"))


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    return path


def read_capture_file(content: bytes) -> None:
    """The fast path over a capture, without tshark: all that it can decode."""
    path = _file("capture", content)
    file_type_of(path)
    with split_capture(path) as split:
        if split is not None:
            assert split.packets >= len(split.deferred_frames)


def _judge(content: bytes, name: str, types: Sequence[FileType]) -> CaptureResult | None:
    path = _file(name, content)
    with suppress(CaptureError):
        if (found := file_type_of(path)) in types:
            return judge_source(Source(path, name, found), rulebook(), None)
    return None


def read_export(content: bytes) -> None:
    """A fields export, judged."""
    _judge(content, "export.tsv", (FileType.EXPORT, FileType.PARQUET))


def read_text(content: bytes) -> None:
    """Text of packets, judged."""
    _judge(content, "packets.txt", (FileType.PACKET_TEXT,))


def read_overlay(content: bytes) -> None:
    """A user's rulebook over the default one."""
    parse_file("overlay", content)
    with suppress(RulebookError):
        load(overlays=[_file("overlay.toml", content)])


def read_expression(content: bytes) -> None:
    """A condition of a rule, which becomes Python and Lua."""
    with suppress(ExpressionError):
        tree = parse(content.decode("utf-8", "replace"), VOCABULARY)
        to_python(tree)
        to_lua(tree)


def read_case(content: bytes) -> None:
    """A case.toml."""
    _file("case.toml", content)
    with suppress(CaseError):
        load_case(_folder())


def read_cache(content: bytes) -> None:
    """A cache of which one file, that of a result or the combined one, is other than we wrote it."""
    case = _folder() / "case"
    results = case / ".rstorigin" / "results" / ("0" * 32)
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{'0' * 32}.parquet").write_bytes(content)
    (results / "together.json.gz").write_bytes(content)
    opened = Cache.open(case, "0" * 32)
    opened.find(Source(case / "none.pcap", "none.pcap", FileType.CAPTURE, case))


def read_archive(content: bytes) -> None:
    """A zip archive: its members, of which captures and exports are unpacked."""
    path = _file("archive.zip", content)
    with suppress(CaptureError):
        for member in members(path, path.name):
            if is_wanted(member) and not member.obstacle:
                target = _folder() / "member"
                target.unlink(missing_ok=True)
                unpack(path, member.name, target, path.name)
                file_type_of(target)


def read_log(content: bytes) -> None:
    """A session log of a format that has to be recognised."""
    path = _file("sessions.log", content)
    with suppress(CaptureError), read_sessions(path, recognised(path), Clock()) as batches:
        for batch in batches:
            assert batch.sessions.schema == SESSION_SCHEMA


def read_kernel_trace(content: bytes) -> None:
    """A trace of a kernel."""
    with suppress(CaptureError):
        read_trace(_file("trace.txt", content))


def read_verdict_file(content: bytes) -> None:
    """The file by which `rstorigin open` hands verdicts over, read by the plugin in tshark."""
    path = _file("handed-over.txt", content)
    fields = ("-T", "fields", "-e", "_ws.lua.error", "-e", "rstorigin.verdict")
    done = system_wireshark().tshark("-r", FORGED, *fields, plugins=[seeds.PLUGIN], verdicts=path)
    assert done.returncode == 0, done.stderr
    assert "Lua" not in done.stderr + done.stdout, done.stderr + done.stdout


TARGETS = {
    "capture": Target(read_capture_file, seeds.captures),
    "export": Target(read_export, seeds.exports),
    "text": Target(read_text, seeds.texts),
    "overlay": Target(read_overlay, seeds.overlays),
    "expression": Target(read_expression, seeds.expressions),
    "case": Target(read_case, seeds.cases),
    "cache": Target(read_cache, seeds.cached),
    "archive": Target(read_archive, seeds.archives),
    "log": Target(read_log, seeds.logs),
    "trace": Target(read_kernel_trace, seeds.traces),
    "handover": Target(read_verdict_file, seeds.verdict_files),
}
