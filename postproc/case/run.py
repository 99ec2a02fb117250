"""One run over captures and case folders, as `summarize` and `reconcile` share it: read, judge, compare peers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.batch.cache import FOLDER
from postproc.batch.cache_key import settings_key
from postproc.batch.job import CaptureResult, Job, JobOptions, needs_tshark
from postproc.batch.result_store import ReportProgress, ResultStore, cache_base, cases_of, on_this_machine
from postproc.capture.discovery import Source, Sources, find_sources
from postproc.capture.piped import is_piped, label_of, whole_copy
from postproc.capture.remote import find_remote_sources, is_url
from postproc.capture.tshark.decode_as import with_decode_as
from postproc.capture.tshark.program import DEFAULT_TIMEOUT_S, Tshark, find_tshark
from postproc.case.case_file import CaseFile, load_case
from postproc.case.copies import with_copies_marked
from postproc.case.cross_capture_baseline import rescored_by_baselines
from postproc.case.cross_capture_ip_id import rescored_by_ip_id_runs
from postproc.case.peer_captures import (
    Comparison,
    ComparisonOptions,
    compare_peers,
    rescored_by_peers,
    with_failures,
)
from postproc.runtime.errors import CaptureError, TsharkError, UsageError
from postproc.runtime.text import plural
from postproc.runtime.worker_pool import cores
from postproc.verdicts.reconcile_result import CapturePair

if TYPE_CHECKING:
    from postproc.batch.dask_cluster import Cluster


class Monitor(Protocol):
    """Shows a person what a run does."""

    def warn(self, message: str) -> None:
        """Show a message."""

    def progress(self, task: str, total: int, file: Path | None = None) -> AbstractContextManager[ReportProgress]:
        """Show how many of `total` steps of `task` are done, or how much of the one `file` that it reads."""


@dataclass(frozen=True, slots=True)
class CaseSettings:
    """The case.toml among the folders; `rulebook` is the path of its overlay."""

    file: CaseFile
    rulebook: Path | None = None


def case_settings(paths: Sequence[Path]) -> CaseSettings:
    """The settings of the case folder among `paths`. One run has one rulebook and one set of networks.

    Raises CaseError, and UsageError where there are several case folders and one of them has a case.toml.
    """
    cases = [(folder, load_case(folder)) for folder in paths if folder.is_dir()]
    with_file = [(folder, file) for folder, file in cases if file != CaseFile()]
    if not with_file:
        return CaseSettings(CaseFile())
    if len(cases) > 1:
        raise UsageError(visible(f"{with_file[0][0]} has a case.toml: summarize it by itself"))
    folder, file = with_file[0]
    return CaseSettings(file, folder / file.rulebook if file.rulebook else None)


@contextmanager
def inputs_at(paths: Sequence[str], monitor: Monitor) -> Iterator[Sources]:
    """The files at these paths and URLs. `-` is stdin: of it, and of pipes, there are copies until the block ends.

    Raises RemoteError, and CaptureError for a pipe that cannot be read.
    """
    with ExitStack() as copies:
        given: dict[Path, str] = {}
        local: list[Path] = []
        for path in dict.fromkeys(path for path in paths if not is_url(path)):
            if is_piped(path):
                copy = copies.enter_context(whole_copy(path, monitor.warn))
                given[copy] = label_of(path)
                local.append(copy)
            else:
                local.append(Path(path))
        found = [find_sources(local, given), *(find_remote_sources(path) for path in paths if is_url(path))]
        yield Sources(
            tuple(source for each in found for source in each.files),
            tuple(problem for each in found for problem in each.problems),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run judges. `jobs` is the number of processes, 0 for as many as are worth it.

    With `compare_peers`, captures are evidence for one another; `complete` and `thorough` are ComparisonOptions.
    `cluster` is the address of a Dask scheduler, `decode_as` are rules for tshark besides those of case.toml. The
    caches of case folders are in `cache_dir`, if that is given. The others are JobOptions.
    """

    jobs: int = 0
    use_cache: bool = True
    prefilter: bool = True
    all_flows: bool = False
    with_flows: bool = False
    compare_peers: bool = True
    complete: bool = False
    thorough: bool = False
    cluster: str | None = None
    decode_as: tuple[str, ...] = ()
    cache_dir: Path | None = None
    tshark_timeout_s: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One run: judges all inputs by the rulebook, with case.toml, and reports to the monitor."""

    rulebook: Rulebook
    case: CaseFile
    options: RunOptions
    monitor: Monitor

    def judge(self, sources: Sequence[Source]) -> tuple[list[CaptureResult], list[Comparison]]:
        """The result of each source, in order, and the comparisons with peer captures."""
        self._warn_of_empty_points(sources)
        store = ResultStore()
        new_caches = [folder for folder in self._cache_folders(sources) if not folder.exists()]
        with _connected(self.options.cluster) as cluster:
            tshark = None if cluster else self._tshark(sources)
            version = cluster.version if cluster else tshark.version if tshark else None
            if self.options.use_cache:
                key_options = {
                    "all_flows": self.options.all_flows,
                    "prefilter": self.options.prefilter,
                    "decode_as": self._decode_as,
                }
                key = settings_key(self.rulebook, version, key_options)
                store = ResultStore.open(sources, key, self.options.cache_dir)
            runner = cluster.run if cluster else on_this_machine(self.options.jobs)
            with self.monitor.progress("judging resets", len(sources), self._only_file(sources)) as report:
                results = with_copies_marked(store.judge(sources, self._job(tshark), runner, report))
        comparisons: list[Comparison] = []
        if self.options.compare_peers and len(sources) > 1:
            results = self._rescored_across_captures(sources, results)
            comparisons, failed = self._compare_peers(sources, results, store, tshark)
            results = with_failures(sources, results, failed)
            results = rescored_by_peers(results, comparisons, self.rulebook)
        if store.damaged:
            self.monitor.warn(f"{plural(store.damaged, 'stored result')} could not be read and had to be made anew")
        for problem in store.write_problems:
            self.monitor.warn(visible(f"results are not kept: {problem}"))
        for folder in filter(Path.exists, new_caches):
            hint = "--no-cache stores none, --cache-dir stores them elsewhere"
            self.monitor.warn(visible(f"results are stored in {folder}, and the next run reads what changed ({hint})"))
        return results, comparisons

    def _cache_folders(self, sources: Sequence[Source]) -> list[Path]:
        """The folders with the results of this run's cases."""
        if not self.options.use_cache:
            return []
        return [cache_base(case, self.options.cache_dir) / FOLDER for case in cases_of(sources)]

    def _only_file(self, sources: Sequence[Source]) -> Path | None:
        """The one file on this machine that is read, if there is just one."""
        here = self.options.cluster is None and all(source.url is None and source.member is None for source in sources)
        return sources[0].path if here and len(sources) == 1 and sources[0].path.exists() else None

    def _job(self, tshark: Tshark | None) -> Job:
        options = JobOptions(
            all_flows=self.options.all_flows,
            prefilter=self.options.prefilter,
            use_cache=self.options.use_cache,
            with_flows=self.options.with_flows,
            decode_as=self._decode_as,
            tshark_timeout_s=self.options.tshark_timeout_s,
        )
        return Job(self.rulebook, tshark, options)

    def _rescored_across_captures(
        self, sources: Sequence[Source], results: Sequence[CaptureResult]
    ) -> list[CaptureResult]:
        rescored, ambiguous = rescored_by_baselines(sources, results, self.case, self.rulebook)
        if ambiguous:
            self.monitor.warn(
                f"{plural(ambiguous, 'reset')} without a baseline got none from other captures: private addresses may "
                "be other hosts there; list your networks in case.toml"
            )
        return rescored_by_ip_id_runs(sources, rescored, self.case, self.rulebook)

    def _compare_peers(
        self, sources: Sequence[Source], results: Sequence[CaptureResult], store: ResultStore, tshark: Tshark | None
    ) -> tuple[list[Comparison], dict[CapturePair, CaptureError]]:
        def start_progress(steps: int) -> ReportProgress:
            return bars.enter_context(self.monitor.progress("comparing captures", steps))

        if self.options.cluster:  # its workers have their own tshark, but pairs are compared here
            with suppress(TsharkError):
                tshark = self._tshark(sources)
        with ExitStack() as bars:
            options = ComparisonOptions(
                tshark=tshark,
                processes=self.options.jobs or cores(),
                start_progress=start_progress,
                complete=self.options.complete,
                thorough=self.options.thorough,
            )
            return compare_peers(sources, results, self.case, store, options)

    @property
    def _decode_as(self) -> tuple[str, ...]:
        """The rules for tshark; those of the command line come last, so they count."""
        return (*self.case.decode_as, *self.options.decode_as)

    def _tshark(self, sources: Sequence[Source]) -> Tshark | None:
        """The tshark on this machine; None where no source needs it."""
        if not any(map(needs_tshark, sources)):
            return None
        return replace(with_decode_as(find_tshark(), self._decode_as), timeout_s=self.options.tshark_timeout_s)

    def _warn_of_empty_points(self, sources: Sequence[Source]) -> None:
        for point in self.case.point:
            if not any(point.took(source.name) for source in sources):
                patterns = ", ".join(point.captures)
                self.monitor.warn(visible(f"case.toml: [[point]] {point.name}: no capture has such a name: {patterns}"))


def _connected(cluster: str | None) -> AbstractContextManager[Cluster | None]:
    if cluster is None:
        return nullcontext()
    from postproc.batch.dask_cluster import connected  # slow to import

    return connected(cluster)
