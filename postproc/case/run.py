"""One run over captures and case folders, as `summarize` and `reconcile` share it: read, judge, hear witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heuristics.errors import visible
from heuristics.rulebook.model import Rulebook
from postproc.batch.cache import remembered_tshark
from postproc.batch.cache_key import settings_key
from postproc.batch.job import Job, Judged, needs_tshark
from postproc.batch.result_store import Archive, Report, on_this_machine
from postproc.capture.discovery import Source, Sources, find_sources
from postproc.capture.remote import find_remote, is_url
from postproc.capture.tshark import program as tshark
from postproc.capture.tshark.program import Tshark
from postproc.case.case_file import CaseFile, load_case
from postproc.case.cross_capture_baseline import joined
from postproc.case.cross_capture_ip_id import counted_together
from postproc.case.peer_captures import Testimony, rejudged, testimonies
from postproc.cli.messages import tell
from postproc.cli.progress import progress
from postproc.runtime.errors import TsharkError, UsageError
from postproc.runtime.temp_files import MAKE_ROOM
from postproc.runtime.words import counted
from postproc.runtime.worker_pool import cores

if TYPE_CHECKING:
    from postproc.batch.dask_cluster import Cluster


@dataclass(frozen=True)
class Case:
    """What the case.toml among the folders says; `rulebook` is where its overlay lies."""

    file: CaseFile
    rulebook: Path | None = None


def case_of(paths: Sequence[Path]) -> Case:
    """Raises CaseError; UsageError where case folders disagree: one summary has one rulebook, one set of networks."""
    cases = [(folder, load_case(folder)) for folder in paths if folder.is_dir()]
    spoken = [(folder, file) for folder, file in cases if file != CaseFile()]
    if not spoken:
        return Case(CaseFile())
    if len(cases) > 1:
        raise UsageError(visible(f"{spoken[0][0]} has a case.toml: summarize it by itself"))
    folder, file = spoken[0]
    return Case(file, folder / file.rulebook if file.rulebook else None)


def find_all(paths: Sequence[str]) -> Sources:
    """The files at these paths and URLs. Raises RemoteError."""
    local = find_sources([Path(path) for path in paths if not is_url(path)])
    remote = [find_remote(path) for path in paths if is_url(path)]
    return Sources(
        (*local.files, *(source for each in remote for source in each.files)),
        (*local.problems, *(problem for each in remote for problem in each.problems)),
    )


@dataclass(frozen=True)
class Run:
    """How to judge: by which rules, which flows to keep, over how many processes, with cache and prefilter or not.

    `with_flows`: the table of flows is asked for.
    """

    rules: Rulebook
    case: CaseFile
    jobs: int
    keep: bool = True
    all_flows: bool = False
    witnesses: bool = True
    prefilter: bool = True
    cluster: str | None = None
    with_flows: bool = False

    def judge(self, sources: Sequence[Source]) -> tuple[list[Judged], list[Testimony]]:
        """What comes of each source, in order, and what witnesses said."""
        _tell_empty_points(self.case, sources)
        archive = Archive()
        with _connected(self.cluster) as cluster:
            program = None if cluster else self._tshark(sources)
            version = cluster.version if cluster else program.version if program else None
            if self.keep:
                options = {"all_flows": self.all_flows, "prefilter": self.prefilter}
                archive = Archive.open(sources, settings_key(self.rules, version, options))
            job = Job(self.rules, program, self.all_flows, self.prefilter, self.keep, self.with_flows)
            runner = cluster.run if cluster else on_this_machine(self.jobs)
            with progress("judging resets", len(sources)) as report:
                judged = archive.judge(sources, job, runner, report)
        heard: list[Testimony] = []
        if self.witnesses and len(sources) > 1:
            judged, not_asked = joined(sources, judged, self.case, self.rules)
            judged = counted_together(sources, judged, self.case, self.rules)
            if not_asked:
                tell(
                    f"for {counted(not_asked, 'reset')} without a baseline no other capture was asked, since private "
                    "addresses may mean other hosts there: list your networks in case.toml"
                )
            heard, not_compared = self._testimonies(sources, judged, archive, program)
            if not_compared:
                tell(
                    f"{counted(not_compared, 'pair')} of captures could not be compared: one of them could not be read "
                    f"a second time, or there is no room for temporary files ({MAKE_ROOM})"
                )
            judged = rejudged(judged, heard, self.rules)
        for trouble in archive.troubles:
            tell(visible(f"results are not kept: {trouble}"))
        return judged, heard

    def _testimonies(
        self, sources: Sequence[Source], judged: Sequence[Judged], archive: Archive, program: Tshark | None
    ) -> tuple[list[Testimony], int]:
        def report(steps: int) -> Report:
            return bars.enter_context(progress("comparing captures", steps))

        if self.cluster:  # which has its own
            with suppress(TsharkError):
                program = self._tshark(sources)
        with ExitStack() as bars:
            return testimonies(sources, judged, self.case, archive, program, self.jobs or cores(), report)

    def _tshark(self, sources: Sequence[Source]) -> Tshark | None:
        """Looked for only where it is needed."""
        if not any(map(needs_tshark, sources)):
            return None
        case = next((source.case for source in sources if source.case), None)
        return remembered_tshark(case) if case and self.keep else tshark.find()


def _connected(cluster: str | None) -> AbstractContextManager[Cluster | None]:
    if cluster is None:
        return nullcontext()
    from postproc.batch.dask_cluster import connected  # slow to import

    return connected(cluster)


def _tell_empty_points(case: CaseFile, sources: Sequence[Source]) -> None:
    for point in case.point:
        if not any(point.took(source.name) for source in sources):
            tell(visible(f"case.toml: [[point]] {point.name}: no capture has such a name: {', '.join(point.captures)}"))
