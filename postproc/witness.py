"""Captures of a run that are witnesses for one another: found, compared, and what comes of it for the verdicts."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from heuristics.rulebook import Rulebook
from postproc.archive import Archive, Report
from postproc.case_file import CaseFile
from postproc.errors import CaptureError, TsharkError
from postproc.parallel import WorkerDiedError, over_processes
from postproc.place import place_of
from postproc.reconcile import Reconciled, reconcile
from postproc.remote import fetched
from postproc.resets import JudgedReset
from postproc.reweigh import reweighed
from postproc.sources import Source
from postproc.task import Judged, needs_tshark
from postproc.tshark import Tshark

_CLOCKS_US = 600_000_000  # clocks that differ by more than ten minutes are not looked at


@dataclass(frozen=True, slots=True)
class Pair:
    """A capture with resets, and one that may tell who sent them, by index. `complete` as in postproc.reconcile."""

    capture: int
    witness: int
    complete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Spread:
    """The task of reading a capture whole, once for all that it is compared with. False where it cannot be read."""

    program: Tshark | None
    folder: Path

    def __call__(self, item: tuple[int, Source]) -> bool:
        """Write its packets table to `folder`."""
        from postproc.reading import read_packets  # slow to import

        index, source = item
        try:
            with fetched(source) as copy:
                table = read_packets(copy, self.program if needs_tshark(copy) else None, whole=True).table
            table.write_parquet(_packets_of(self.folder, index))
        except (CaptureError, TsharkError, OSError, pl.exceptions.PolarsError):  # the last of a full disk
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Compare:
    """The task of comparing one pair, of which both were written to `folder`."""

    folder: Path

    def __call__(self, pair: Pair) -> Reconciled:
        """Reconcile them."""
        capture, witness = (pl.read_parquet(_packets_of(self.folder, index)) for index in (pair.capture, pair.witness))
        return reconcile(capture, witness, pair.complete)


def _packets_of(folder: Path, index: int) -> Path:
    return folder / f"{index}.parquet"


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one witness said about one capture, both by index."""

    capture: int
    witness: int
    said: Reconciled


def testimonies(
    sources: Sequence[Source],
    judged: Sequence[Judged],
    case: CaseFile,
    archive: Archive,
    program: Tshark | None,
    processes: int,
    report: Callable[[int], Report],
) -> tuple[list[Testimony], int]:
    """Compare every capture with resets with those that were taken where its resets claim to come from.

    And how many pairs could not be compared.
    """
    pairs = list(_pairs(sources, judged, case))
    keys = {pair: _key(judged[pair.capture], judged[pair.witness], pair) for pair in pairs}
    known = {pair: said for pair in pairs if (said := archive.find_pair(sources[pair.capture], keys[pair]))}
    for pair, said in _compared([pair for pair in pairs if pair not in known], sources, program, processes, report):
        archive.store_pair(sources[pair.capture], keys[pair], said)
        known[pair] = said
    heard = [Testimony(pair.capture, pair.witness, known[pair]) for pair in pairs if pair in known]
    return heard, len(pairs) - len(heard)


def _compared(
    pairs: Sequence[Pair],
    sources: Sequence[Source],
    program: Tshark | None,
    processes: int,
    report: Callable[[int], Report],
) -> Iterator[tuple[Pair, Reconciled]]:
    """What comes of each pair, but for those of which a capture cannot be read a second time."""
    wanted = sorted({index for pair in pairs for index in (pair.capture, pair.witness)})
    tell = report(len(wanted) + len(pairs))
    with tempfile.TemporaryDirectory(prefix="rstorigin-") as name:
        folder = Path(name)
        readable: set[int] = set()
        spread = over_processes(_Spread(program, folder), [(index, sources[index]) for index in wanted], processes)
        for done, (place, result) in enumerate(spread, 1):
            if result is True:
                readable.add(wanted[place])
            tell(done)
        both = [pair for pair in pairs if {pair.capture, pair.witness} <= readable]
        for done, (place, said) in enumerate(over_processes(_Compare(folder), both, processes), len(wanted) + 1):
            if not isinstance(said, WorkerDiedError):
                yield both[place], said
            tell(done)


def rejudged(judged: Sequence[Judged], heard: Sequence[Testimony], rulebook: Rulebook) -> list[Judged]:
    """The results with what witnesses said weighed in. Where two contradict each other, neither is believed."""
    said: defaultdict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for testimony in heard:
        for finding in testimony.said.findings:
            said[testimony.capture][finding.frame].add(finding.evidence)
    results = list(judged)
    for index, by_frame in said.items():
        before = judged[index].resets
        resets = tuple(_weighed(reset, by_frame.get(reset.row.frame, set()), rulebook) for reset in before)
        results[index] = replace(judged[index], resets=resets)
    return results


def _weighed(reset: JudgedReset, evidence: set[str], rulebook: Rulebook) -> JudgedReset:
    if len(evidence) != 1:
        return reset
    return reweighed(reset, [rule for rule in map(rulebook.rule, evidence) if rule.enabled], {}, rulebook)


def _pairs(sources: Sequence[Source], judged: Sequence[Judged], case: CaseFile) -> Iterator[Pair]:
    """Each capture whose resets claim to come from elsewhere, with each that was taken there at that time."""
    places = [place_of(source, each.scene, case) for source, each in zip(sources, judged, strict=True)]
    for i, (here, each) in enumerate(zip(places, judged, strict=True)):
        claimed = {reset.row.src for reset in each.resets} - here.local
        for j, there in enumerate(places):
            asked = claimed & there.local
            if i != j and asked and judged[j].readable and here.scene.near(there.scene, _CLOCKS_US) is not False:
                yield Pair(i, j, tuple(sorted(asked & there.complete)))


def _key(capture: Judged, witness: Judged, pair: Pair) -> str:
    """Names what a comparison depends on; empty where a content is not known."""
    if not (capture.content and witness.content):
        return ""
    return hashlib.sha256("\0".join((capture.content, witness.content, *pair.complete)).encode()).hexdigest()[:32]
