"""The rulebook: what is weighed, how much it weighs, and what is said about it. Loaded and checked as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Any

from heuristics.errors import Problem, RulebookError, UnknownRuleError, nearest
from heuristics.language.expressions import Node, Test, Which, named, parse, to_python, to_python_all
from heuristics.language.template import Template, parse_template
from heuristics.observables.icmp_vocabulary import ICMP_ALWAYS
from heuristics.observables.vocabulary import ALWAYS, OF_CASES, Type
from heuristics.rulebook.schema import CONCLUDED, ICMP, VOCABULARY, RulebookFile, parse_file, subject

DEFAULT_NAME = "default rulebook"  # what messages call the packaged file

_REQUIRED = {
    "rule": ("title", "when", "weight", "say", "reference"),
    "reason": ("when", "say"),
    "cause": ("when", "say"),
    "where": ("when", "say"),
    "device": ("when", "say", "confidence", "reference"),
    "icmp": ("when", "verdict", "origin", "suspicion", "say", "reference"),
}
_VERDICT_ORDER = ("genuine", "likely_genuine", "prior", "likely_forged", "forged")


@dataclass(frozen=True)
class _Conditional:
    """Something that is said when a condition holds."""

    id: str
    when: str
    condition: Node = field(repr=False)
    say: Template

    @cached_property
    def holds(self) -> Test:
        """Whether the condition holds for an observation (observable name -> value); compiled on first use."""
        return to_python(self.condition)

    def __getstate__(self) -> dict[str, Any]:
        """Without the compiled function, which cannot be sent to another process."""
        return {key: value for key, value in vars(self).items() if key != "holds"}


@dataclass(frozen=True)
class Rule(_Conditional):
    """One piece of evidence. `weight` in centi-nats: + for "in between", - for "endpoint"."""

    title: str
    weight: int
    reference: str
    origin: str | None = None  # "front-end": a reset that a device in front of the endpoint sends on its behalf
    enabled: bool = True


@dataclass(frozen=True)
class Reason(_Conditional):
    """Why a verdict is unclear; the first that holds is given."""


@dataclass(frozen=True)
class Cause(_Conditional):
    """What may have made the sender reset; the first that holds is given. May ask for verdict and origin."""


@dataclass(frozen=True)
class Where(_Conditional):
    """Where a suspect reset came from, in words; the first that holds is given. May ask for verdict and origin."""


@dataclass(frozen=True)
class Device(_Conditional):
    """A known device or mechanism and the form its resets have; the first that holds is given.

    `confidence` (percent) says how sure the form makes the name. Asked after the verdict, they never change it.
    """

    confidence: int
    reference: str


@dataclass(frozen=True)
class IcmpEntry(_Conditional):
    """A judgement of ICMP and ICMPv6 errors; that of the first entry that holds is given.

    `verdict` and `origin` are values of heuristics.verdict.Verdict and Origin, `suspicion` is 0-100, `device` names a
    known device whose form the error has.
    """

    verdict: str
    origin: str
    suspicion: int
    reference: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class VerdictLimits:
    """The score before any evidence, and the scores from which each verdict is given. Centi-nats."""

    prior: int
    forged: int
    likely_forged: int
    likely_genuine: int
    genuine: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What both engines measure with. Microseconds (`_us`), sequence numbers (`seq_reach`) or a plain count."""

    burst_gap_us: int
    speech_wait_us: int
    seq_reach: int
    copy_gap_us: int
    run_step: int
    hop_tolerance: int
    baseline_packets: int
    talk_gap_us: int


@dataclass(frozen=True, slots=True)
class Header:
    """What the rulebook is called."""

    name: str
    version: int
    description: str


@dataclass(frozen=True)
class Rulebook:
    """A rulebook ready for use: every condition and template parsed, every overlay applied."""

    header: Header
    verdict: VerdictLimits
    thresholds: Thresholds
    all_rules: tuple[Rule, ...]  # disabled ones too, in order
    reasons: tuple[Reason, ...]
    causes: tuple[Cause, ...]
    wheres: tuple[Where, ...]
    devices: tuple[Device, ...]
    icmp: tuple[IcmpEntry, ...]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The enabled rules, in order."""
        return tuple(rule for rule in self.all_rules if rule.enabled)

    @cached_property
    def which_rules(self) -> Which:
        """Which of `rules` hold for an observation, by index; compiled on first use."""
        return to_python_all([rule.condition for rule in self.rules])

    @cached_property
    def case_rules(self) -> tuple[Rule, ...]:
        """Those of `rules` that ask what only the captures of a case together show."""
        return tuple(rule for rule in self.rules if not OF_CASES.isdisjoint(named(rule.condition)))

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.all_rules}

    def rule(self, id_: str) -> Rule:
        """The rule called `id_`, enabled or not. Raises UnknownRuleError with the nearest id."""
        if id_ in self._by_id:
            return self._by_id[id_]
        raise UnknownRuleError(id_, (rule.id for rule in self.all_rules))

    def icmp_entry(self, id_: str) -> IcmpEntry:
        """The entry for ICMP errors called `id_`. Raises UnknownRuleError with the nearest id, of rules too."""
        for entry in self.icmp:
            if entry.id == id_:
                return entry
        raise UnknownRuleError(id_, (entry.id for entry in (*self.all_rules, *self.icmp)))

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of all that has an effect, so not of disabled rules, comments or layout."""
        content = {
            "rulebook": asdict(self.header),
            "verdict": asdict(self.verdict),
            "thresholds": asdict(self.thresholds),
            "rule": [_content(rule) for rule in self.rules],
            "reason": [_content(reason) for reason in self.reasons],
            "cause": [_content(cause) for cause in self.causes],
            "where": [_content(where) for where in self.wheres],
            "device": [_content(device) for device in self.devices],
            "icmp": [_content(entry) for entry in self.icmp],
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone; what was computed from them is computed again."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def load(path: Path | None = None, overlays: Sequence[Path] = ()) -> Rulebook:
    """The rulebook in `path` (None: the one that comes with the package) with `overlays` laid on it, in order.

    An overlay changes the keys it gives: of [rulebook], [verdict] and [thresholds], and of any other entry by its id.
    A new id must be complete; new rules come last, all other new entries first (the last one usually holds always).
    Raises RulebookError with every problem of every file.
    """
    return _laid([_base(path), *((str(overlay), overlay) for overlay in overlays)]) if path or overlays else _default()


@cache
def _default() -> Rulebook:
    """The one that comes with the package: it does not change while we run, and reading it takes a while."""
    return _laid([_base(None)])


def _laid(layers: Iterable[tuple[str, Path | Traversable]]) -> Rulebook:
    merged = _Merged()
    problems: list[Problem] = []
    for name, source in layers:
        content, found = _read(name, source)
        problems += found
        merged.lay(name, content)
    if not problems:
        problems = merged.problems()
    if problems:
        raise RulebookError(problems)
    return merged.build()


def _base(path: Path | None) -> tuple[str, Path | Traversable]:
    if path is not None:
        return str(path), path
    return DEFAULT_NAME, files("heuristics.rulebook") / "default.toml"


def _read(name: str, source: Path | Traversable) -> tuple[RulebookFile, list[Problem]]:
    try:
        raw = source.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return RulebookFile(), [Problem(name, "", "", f"cannot be read: {reason}")]
    return parse_file(name, raw)


class _Merged:
    """Layers of rulebook files, one on the other; remembers which file first named what, to blame it."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {"rulebook": {}, "verdict": {}, "thresholds": {}}
        self.entries: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in _REQUIRED}
        self.owner: dict[tuple[str, str], str] = {}
        self.base = ""

    def lay(self, file: str, content: RulebookFile) -> None:
        self.base = self.base or file
        for name, table in self.tables.items():
            given = getattr(content, name).given()
            table.update(given)
            if given:
                self.owner[name, ""] = file
        for kind, inherited in list(self.entries.items()):
            self.lay_entries(file, kind, (entry.given() for entry in getattr(content, kind)))
            if kind != "rule":  # of all others the first that holds is given, so an overlay's new ones come first
                laid = self.entries[kind]
                new = {id_: entry for id_, entry in laid.items() if id_ not in inherited}
                self.entries[kind] = {**new, **{id_: laid[id_] for id_ in inherited}}

    def lay_entries(self, file: str, table: str, given: Iterable[dict[str, Any]]) -> None:
        entries = dict(self.entries[table])
        for entry in given:
            self.owner.setdefault((table, entry["id"]), file)
            entries[entry["id"]] = {**entries.get(entry["id"], {}), **entry}
        self.entries[table] = entries

    def problems(self) -> list[Problem]:
        """What is missing or contradictory once all layers lie on each other."""
        found = self.missing_keys() + [problem for table in _REQUIRED for problem in self.incomplete_entries(table)]
        return found or self.verdict_order()

    def missing_keys(self) -> list[Problem]:
        wanted = {"rulebook": Header, "verdict": VerdictLimits, "thresholds": Thresholds}
        return [
            Problem(self.owner.get((name, ""), self.base), "", f"[{name}] {key.name}", "is missing")
            for name, table in wanted.items()
            for key in fields(table)
            if key.name not in self.tables[name]
        ]

    def incomplete_entries(self, table: str) -> list[Problem]:
        complete: list[str] = []
        problems = []
        for id_, entry in self.entries[table].items():
            missing = [key for key in _REQUIRED[table] if key not in entry]
            if not missing:
                complete.append(id_)
                continue
            reason = f"a new {table} needs {', '.join(missing)} too"
            problems.append(subject(self.owner[table, id_], table, id_, "", reason, nearest(id_, complete)))
        return problems

    def verdict_order(self) -> list[Problem]:
        limits = self.tables["verdict"]
        for low, high in pairwise(_VERDICT_ORDER):
            if limits[low] >= limits[high]:
                reason = f"{low} ({limits[low]}) must be below {high} ({limits[high]})"
                return [Problem(self.owner["verdict", ""], "", "[verdict]", reason, " < ".join(_VERDICT_ORDER))]
        return []

    def build(self) -> Rulebook:
        return Rulebook(
            header=Header(**self.tables["rulebook"]),
            verdict=VerdictLimits(**self.tables["verdict"]),
            thresholds=Thresholds(**self.tables["thresholds"]),
            all_rules=tuple(Rule(**_parsed(entry)) for entry in self.entries["rule"].values()),
            reasons=tuple(Reason(**_parsed(entry)) for entry in self.entries["reason"].values()),
            causes=tuple(Cause(**_parsed(entry, CONCLUDED)) for entry in self.entries["cause"].values()),
            wheres=tuple(Where(**_parsed(entry, CONCLUDED)) for entry in self.entries["where"].values()),
            devices=tuple(Device(**_parsed(entry, CONCLUDED)) for entry in self.entries["device"].values()),
            icmp=tuple(IcmpEntry(**_parsed(entry, ICMP, ICMP, ICMP_ALWAYS)) for entry in self.entries["icmp"].values()),
        )


def _parsed(
    entry: dict[str, Any],
    vocabulary: Mapping[str, Type] = VOCABULARY,
    spoken: Mapping[str, Type] = VOCABULARY,
    always: frozenset[str] = ALWAYS,
) -> dict[str, Any]:
    condition, say = parse(entry["when"], vocabulary, always), parse_template(entry["say"], spoken)
    return {**entry, "condition": condition, "say": say}


def _content(entry: _Conditional) -> dict[str, Any]:
    content = {part.name: getattr(entry, part.name) for part in fields(entry) if part.name != "condition"}
    return {**content, "say": entry.say.source}
