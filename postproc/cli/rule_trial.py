"""`rstorigin rules try`: what a rulebook of one's own would change: what fires, and which verdicts become others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

from heuristics.errors import visible
from heuristics.rulebook.scoring import Verdict
from postproc.cli.exit_status import SOME_FAILED, WRONG_USAGE
from postproc.cli.messages import print_problems, write_result
from postproc.cli.options import (
    CacheDirOption,
    CacheOption,
    DecodeAsOption,
    JobsOption,
    OutputOption,
    PathsArgument,
    RulebookOption,
    TableFormat,
)
from postproc.cli.progress import TerminalMonitor
from postproc.runtime.text import csv_table, escape_markdown, plural

if TYPE_CHECKING:
    from heuristics.rulebook.model import Rulebook
    from heuristics.rulebook.statements import Explanation, IcmpEntry, Rule
    from postproc.batch.job import CaptureResult
    from postproc.verdicts.result_row import ResetRow

_TEXTS = ("origin", "reason", "cause", "device", "where")  # columns that a rulebook may change too


@dataclass(frozen=True, slots=True)
class Fired:
    """An entry that the rulebook on trial adds or changes, and on how many resets and ICMP errors it is evidence.

    `before` counts with the rulebook below. `verdicts` counts those with it by their verdict now.
    """

    id: str
    before: int
    now: int
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A reset or ICMP error whose verdict, suspicion, evidence or texts change.

    `gained` and `lost` are ids of evidence, `texts` the names of the other columns that change.
    """

    capture: str
    frame: int
    kind: str
    src: str
    verdict_before: str
    verdict: str
    suspicion_before: int
    suspicion: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """Whether the verdict changes."""
        return self.verdict != self.verdict_before


@dataclass(frozen=True, slots=True)
class Trial:
    """The result: how many rows were judged, what fired, what changes."""

    judged: int
    fired: tuple[Fired, ...]
    changes: tuple[Change, ...]


def try_rules(
    ctx: typer.Context,
    mine: Annotated[
        Path, typer.Argument(metavar="RULEBOOK", help="Your rulebook, a file or a folder, over the default one.")
    ],
    paths: PathsArgument,
    rulebook: RulebookOption = None,
    format_: Annotated[TableFormat, typer.Option("--format", help="How to write the result.")] = TableFormat.TABLE,
    output: OutputOption = None,
    jobs: JobsOption = 0,
    use_cache: CacheOption = True,
    cache_dir: CacheDirOption = None,
    decode_as: DecodeAsOption = None,
) -> None:
    """Try a rulebook on captures: which of its entries fire, and which verdicts it changes.

    It is compared with the default rulebook, with that of case.toml and --rulebook over it.
    """
    # Slow to import: other commands on rules judge no captures.
    from heuristics.rulebook.model import load
    from postproc.capture.remote import is_url
    from postproc.case.run import CaseRun, RunOptions, case_settings, inputs_at

    monitor = TerminalMonitor()
    case = case_settings([Path(path) for path in paths if not is_url(path)])
    below = [path for path in (case.rulebook, rulebook) if path is not None]
    before, now = load(overlays=below), load(overlays=[*below, mine])
    found = ctx.with_resource(inputs_at(paths, monitor))
    if not found.files:
        print_problems(found.problems)
        raise typer.Exit(WRONG_USAGE)
    options = RunOptions(jobs=jobs, use_cache=use_cache, cache_dir=cache_dir, decode_as=tuple(decode_as or ()))
    results = [CaseRun(rules, case.file, options, monitor).judge(found.files)[0] for rules in (before, now)]
    problems = [*found.problems, *(problem for each in results[1] for problem in each.problems)]
    print_problems(problems)
    inputs = [source.path for source in found.files if source.url is None] + [mine, *below]
    write_result(_rendered(_compared(results[0], results[1], changed_entries(before, now)), format_), output, inputs)
    if problems:
        raise typer.Exit(SOME_FAILED)


def changed_entries(before: Rulebook, now: Rulebook) -> list[str]:
    """The ids of the rules, explanations and entries for ICMP errors that one rulebook has otherwise than the other."""

    def entries(rules: Rulebook) -> dict[str, Rule | Explanation | IcmpEntry]:
        listed: list[Rule | Explanation | IcmpEntry] = [*rules.all_rules, *rules.all_explanations, *rules.icmp]
        return {each.id: each for each in listed}

    old = entries(before)
    return [id_ for id_, entry in entries(now).items() if entry != old.get(id_)]


def _compared(before: Sequence[CaptureResult], now: Sequence[CaptureResult], entries: Sequence[str]) -> Trial:
    old, new = _rows(before), _rows(now)
    fired = (
        Fired(
            id_,
            before=sum(id_ in row.evidence for row in old.values()),
            now=sum(id_ in row.evidence for row in new.values()),
            verdicts=dict(Counter(row.verdict for row in new.values() if id_ in row.evidence)),
        )
        for id_ in entries
    )
    changes = (_change(old[place], row) for place, row in new.items() if place in old and _differ(old[place], row))
    return Trial(len(new), tuple(fired), tuple(changes))


def _rows(results: Sequence[CaptureResult]) -> dict[tuple[str, int], ResetRow]:
    """All rows, by capture and frame."""
    judged = (each for result in results for each in (*result.resets, *result.errors))
    return {(each.row.capture, each.row.frame): each.row for each in judged}


def _differ(one: ResetRow, other: ResetRow) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in ("verdict", "suspicion", "evidence", *_TEXTS))


def _change(before: ResetRow, now: ResetRow) -> Change:
    return Change(
        capture=now.capture,
        frame=now.frame,
        kind=now.kind,
        src=now.src,
        verdict_before=before.verdict,
        verdict=now.verdict,
        suspicion_before=before.suspicion,
        suspicion=now.suspicion,
        gained=tuple(id_ for id_ in now.evidence if id_ not in before.evidence),
        lost=tuple(id_ for id_ in before.evidence if id_ not in now.evidence),
        texts=tuple(name for name in _TEXTS if getattr(before, name) != getattr(now, name)),
    )


def _rendered(trial: Trial, format_: TableFormat) -> str:
    """For people what fires and the changes of verdicts; csv, jsonl: a row for each change; json: everything."""
    match format_:
        case TableFormat.JSON:
            return json.dumps(asdict(trial), indent=2)
        case TableFormat.JSONL:
            return "\n".join(json.dumps(asdict(change)) for change in trial.changes)
        case TableFormat.CSV:
            return csv_table((field.name for field in fields(Change)), (_cells(change) for change in trial.changes))
    safe, style = (escape_markdown, "pipe") if format_ is TableFormat.MARKDOWN else (visible, "simple")
    parts = [_counts(trial)]
    if trial.fired:
        rows = [(each.id, each.before, each.now, _by_verdict(each.verdicts)) for each in trial.fired]
        parts.append(tabulate(rows, ("your entry", "fired before", "fires now", "verdicts now"), tablefmt=style))
    if verdicts := [change for change in trial.changes if change.moves]:
        rows_ = [[safe(cell) for cell in _shown(change)] for change in verdicts]
        header = ("capture", "frame", "in the name of", "before", "now", "gained", "lost")
        parts.append(tabulate(rows_, header, tablefmt=style, disable_numparse=True))
    return "\n\n".join(parts)


def _counts(trial: Trial) -> str:
    moves = Counter((each.verdict_before, each.verdict) for each in trial.changes if each.moves)
    listed = "".join(f"; {count:,} from {before} to {now}" for (before, now), count in moves.most_common())
    others = f"{len(trial.changes) - moves.total():,} more with other evidence, suspicion or texts"
    judged = f"Resets and ICMP errors judged: {trial.judged:,}"
    return f"{judged}. {plural(moves.total(), 'verdict')} changed{listed}; {others}."


def _by_verdict(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in Verdict if verdict in counts)


def _shown(change: Change) -> tuple[str, ...]:
    before = f"{change.verdict_before} ({change.suspicion_before})"
    now = f"{change.verdict} ({change.suspicion})"
    return (change.capture, str(change.frame), change.src, before, now, " ".join(change.gained), " ".join(change.lost))


def _cells(change: Change) -> list[object]:
    values = asdict(change).values()
    return [";".join(value) if isinstance(value, tuple) else value for value in values]
