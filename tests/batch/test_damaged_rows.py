"""A row of the cache with anything wrong in it is a miss: the capture is judged again."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.command_line import LAB, run

from heuristics.rulebook.model import load
from postproc.batch.cache import Cache
from postproc.batch.job import CaptureResult, Job
from postproc.capture.discovery import find_sources
from postproc.capture.tshark.program import find_tshark
from postproc.verdicts.reconcile_result import (
    PeerEvidence,
    ReconcileResult,
    TranslatedEnd,
    Translation,
    Undecided,
    UndecidedCount,
)

CAPTURE = LAB / "10_server_ttl128.client.pcap"  # resets and ICMP errors
WRONG: tuple[Any, ...] = (None, [], ["a"], {}, {"a": 1}, "\0", "a", 1, 1.5, True)
Key = tuple[str | int, ...]  # of a value in a row: names of columns and indexes


class Stored:
    """A case with one capture, whose result is in the cache."""

    def __init__(self, case: Path) -> None:
        case.mkdir()
        (case / "a.pcap").write_bytes(CAPTURE.read_bytes())
        self.case, self.source = case, find_sources([case]).files[0]
        cache = Cache.open(case, "key")
        cache.store(self.source, Job(load(), find_tshark())(self.source))
        cache.write_combined()
        self.combined = cache.folder / "together.json.gz"
        (self.single,) = cache.folder.glob("[0-9a-f]*.parquet")
        (self.line,) = map(json.loads, gzip.decompress(self.combined.read_bytes()).splitlines())
        self.table = pl.read_parquet(self.single)
        self.content, self.stamp = self.single.read_bytes(), self.single.stat().st_mtime_ns

    def found(self, line: Any) -> CaptureResult | None:
        """What the cache finds if its combined file has only this line."""
        self.combined.write_bytes(gzip.compress(json.dumps(line).encode(), compresslevel=0))
        return self._found()

    def found_in_single(self, content: bytes) -> CaptureResult | None:
        """The same if only the capture's own file is there, with this content."""
        self.combined.unlink(missing_ok=True)
        self.single.write_bytes(content)
        return self._found()

    def _found(self) -> CaptureResult | None:
        cache = Cache.open(self.case, "key")
        return cache.find(self.source) or cache.find_content(self.source)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp("damaged") / "case")


@pytest.fixture
def combined_only(stored: Stored) -> Iterator[Stored]:
    """The capture's own file has the right size and time, as the combined file says, but nothing in it."""
    stored.single.write_bytes(bytes(len(stored.content)))
    os.utime(stored.single, ns=(stored.stamp, stored.stamp))
    yield stored
    stored.single.write_bytes(stored.content)
    os.utime(stored.single, ns=(stored.stamp, stored.stamp))


def keys(value: Any, before: Key = ()) -> Iterator[Key]:
    """The key of every value in a row, at any depth; of a list the first item only."""
    if before:
        yield before
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, each in inner:
        yield from keys(each, (*before, key))


def replaced(row: Any, key: Key, value: Any) -> Any:
    """A copy of `row` with another value at `key`."""
    copy = deepcopy(row)
    at(copy, key[:-1])[key[-1]] = value
    return copy


def without(row: Any, key: Key) -> Any:
    """A copy of `row` without the column at `key`."""
    copy = deepcopy(row)
    del at(copy, key[:-1])[key[-1]]
    return copy


def at(row: Any, key: Key) -> Any:
    for part in key:
        row = row[part]
    return row


def test_an_undamaged_row_is_found(stored: Stored, combined_only: Stored) -> None:
    assert combined_only.found(stored.line) is not None
    row = stored.line[3]
    assert all((row["resets"], row["errors"], row["flows"], row["capture_point"]["hosts"]))


def test_a_value_of_another_type_is_a_miss(combined_only: Stored) -> None:
    """Null is right where a value may be missing: in as many columns as the capture shows or more."""
    line = combined_only.line
    may_be_missing = set()
    for key in keys(line):
        for wrong in WRONG:
            before = at(line, key)
            if type(wrong) is type(before) or (before is None and wrong is not None):
                continue
            if combined_only.found(replaced(line, key, wrong)) is not None:
                may_be_missing.add((key, wrong))
    assert {wrong for _, wrong in may_be_missing} <= {None}
    optional = {key[-1] for key, _ in may_be_missing}
    assert not optional & {
        "path",
        "size",
        "mtime_ns",
        "content",
        "readable",
        "resets",
        "errors",
        "flows",
        "capture_point",
    }
    assert not optional & {"capture", "frame", "src", "verdict", "suspicion", "evidence", "score", "words", "row"}


def test_a_missing_or_another_column_is_a_miss(combined_only: Stored) -> None:
    line = combined_only.line
    for key in keys(line):
        if isinstance(key[-1], str):
            assert combined_only.found(without(line, key)) is None, key
            assert combined_only.found(replaced(line, (*key[:-1], "other"), 1)) is None, key


@pytest.mark.parametrize("flows", ["A", "AAA", "A\u00e4==", "A AA", "AA=A"])
def test_flows_that_are_not_base64_are_a_miss(flows: str, combined_only: Stored) -> None:
    changed = replaced(combined_only.line, (3, "flows"), flows)
    assert combined_only.found(changed) is None


@pytest.mark.parametrize("kind", ["", "rst ", "tcp"])
def test_an_unknown_name_is_a_miss(kind: str, combined_only: Stored) -> None:
    key = (3, "resets", 0, "row", "kind")
    assert combined_only.found(replaced(combined_only.line, key, kind)) is None


def test_a_row_of_another_capture_is_a_miss(combined_only: Stored) -> None:
    key = (3, "path")
    changed = replaced(combined_only.line, key, "b.pcap")
    assert combined_only.found(changed) is None


@pytest.mark.parametrize("line", [None, [], {}, "a", 1, [1, 2, 3], [[], 1, 2, {}], ["a", 1, 2, []], [{}, {}, {}, {}]])
def test_a_line_of_another_form_is_a_miss(line: Any, combined_only: Stored) -> None:
    assert combined_only.found(line) is None


def test_a_combined_file_that_is_cut_short_is_a_miss(combined_only: Stored) -> None:
    assert combined_only.found(combined_only.line) is not None
    whole = combined_only.combined.read_bytes()
    for size in range(0, len(whole), 97):
        combined_only.combined.write_bytes(whole[:size])
        assert combined_only._found() is None


def test_any_other_value_in_the_file_of_a_capture_is_a_miss(stored: Stored) -> None:
    """Parquet has no checksum of its own: a flipped bit gives another value of the same type."""
    other = {int: lambda value: value ^ 1, str: lambda value: chr(ord(value[0]) ^ 1) + value[1:] if value else "a"}
    other |= {bool: lambda value: not value, float: lambda value: value + 1}
    (row,) = stored.table.to_dicts()
    file = stored.case.parent / "changed.parquet"
    stored.table.write_parquet(file)
    assert stored.found_in_single(file.read_bytes()) is not None
    for key in keys(row):
        value = at(row, key)
        if type(value) not in other:
            continue
        changed = replaced(row, key, other[type(value)](value))
        pl.DataFrame([changed], schema=stored.table.schema).write_parquet(file)
        assert stored.found_in_single(file.read_bytes()) is None, key
    stored.found_in_single(stored.content)


def test_the_file_of_a_capture_that_is_cut_short_is_a_miss(stored: Stored) -> None:
    for size in range(0, len(stored.content), 997):
        assert stored.found_in_single(stored.content[:size]) is None
    assert stored.found_in_single(stored.content) is not None


def test_a_damaged_comparison_is_a_miss(tmp_path: Path) -> None:
    cache = Cache.open(tmp_path, "key")
    ends = (TranslatedEnd("192.0.2.1", 40000, "10.0.0.1", 40000), TranslatedEnd("203.0.113.1", 80, "203.0.113.1", 80))
    result = ReconcileResult(
        (PeerEvidence(7, "never_left", None),),
        offset_us=5,
        translations=(Translation(*ends, known=True),),
        undecided=(UndecidedCount(Undecided.SAME_PLACE, 2),),
    )
    cache.store_pair("ab", result)
    cache.write_pairs()
    file = cache.folder / "pairs.json.gz"
    content = file.read_bytes()

    def found() -> tuple[ReconcileResult | None, int]:
        opened = Cache.open(tmp_path, "key")
        return opened.find_pair("ab"), opened.damaged

    assert found() == (result, 0)
    key, row = json.loads(gzip.decompress(content))
    for damaged in (
        content[: len(content) // 2],
        gzip.compress(json.dumps([key, row | {"offset_us": "6"}]).encode()),
        gzip.compress(json.dumps([key, row | {"more": 1}]).encode()),
        gzip.compress(json.dumps([key]).encode()),
        gzip.compress(b"7"),
        content[:-8] + bytes(8),
    ):
        file.write_bytes(damaged)
        assert found() == (None, 1)


def test_comparisons_of_several_runs_are_kept(tmp_path: Path) -> None:
    results = {key: ReconcileResult((), offset) for key, offset in (("ab", 1), ("cd", None))}
    runs = {key: Cache.open(tmp_path, "key") for key in results}
    for key, run_of_key in runs.items():
        run_of_key.store_pair(key, results[key])
        run_of_key.write_pairs()
    last = Cache.open(tmp_path, "key")
    assert {key: last.find_pair(key) for key in results} == results


def test_a_run_over_a_damaged_cache_judges_again(tmp_path: Path) -> None:
    case = tmp_path / "case"
    case.mkdir()
    (case / "a.pcap").write_bytes(CAPTURE.read_bytes())
    first = run("summarize", case, "--format", "json", "-j", "1")
    (combined,) = case.rglob("together.json.gz")
    line = json.loads(gzip.decompress(combined.read_bytes()))
    line[3]["flows"] = line[3]["flows"][:-5]
    combined.write_bytes(gzip.compress(json.dumps(line).encode()))
    for single in combined.parent.glob("[0-9a-f]*.parquet"):
        status = single.stat()
        single.write_bytes(bytes(status.st_size))
        os.utime(single, ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(2):
        again = run("summarize", case, "--format", "json", "-j", "1")
        assert (again.exit_code, again.stdout) == (first.exit_code, first.stdout) == (0, first.stdout)
