"""The rulebook: what is evidence, how much it weighs, and its explanation. Loaded and checked as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from heuristics.errors import Problem, RulebookError, UnknownRuleError
from heuristics.language.expressions import (
    Definition,
    Which,
    named,
    to_python_all,
    to_python_first,
)
from heuristics.observables.vocabulary import OF_CASES, Value
from heuristics.rulebook.kept import keep_rulebook, kept_rulebook
from heuristics.rulebook.statements import (
    Advice,
    Cause,
    Define,
    Device,
    Explanation,
    ExplanationCase,
    IcmpEntry,
    Reason,
    Rule,
    Statement,
    Where,
)

if TYPE_CHECKING:
    from heuristics.rulebook.overlay import Layers
    from heuristics.rulebook.texts import Texts

DEFAULT_NAME = "default rulebook"  # what messages call the packaged folder

_NO_EFFECT = ("condition", "was")  # fields that say nothing that `when` and `id` do not say

_S = TypeVar("_S", bound="Statement")
FirstOf = Callable[[Mapping[str, Value]], _S | None]


def _first_of(statements: Sequence[_S]) -> FirstOf[_S]:
    """The first of `statements` that holds, as a function of an observation."""
    first = to_python_first([statement.condition for statement in statements])

    def found(observation: Mapping[str, Value]) -> _S | None:
        index = first(observation)
        return None if index is None else statements[index]

    return found


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
    """What both engines measure with, in the units that heuristics/rulebook/thresholds.py names."""

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
    """The name of the rulebook."""

    name: str
    version: int
    description: str


@dataclass(frozen=True)
class Rulebook:
    """A rulebook ready for use: every condition and template parsed, every overlay applied."""

    header: Header
    verdict: VerdictLimits
    thresholds: Thresholds
    defines: tuple[Define, ...]
    icmp_defines: tuple[Define, ...]
    all_rules: tuple[Rule, ...]  # disabled ones too, in order
    all_explanations: tuple[Explanation, ...]  # disabled ones too, in order
    reasons: tuple[Reason, ...]
    causes: tuple[Cause, ...]
    wheres: tuple[Where, ...]
    devices: tuple[Device, ...]
    icmp: tuple[IcmpEntry, ...]
    advices: tuple[Advice, ...]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The enabled rules, in order."""
        return tuple(rule for rule in self.all_rules if rule.enabled)

    @cached_property
    def which_rules(self) -> Which:
        """Which of `rules` hold for an observation, by index; compiled on first use."""
        return to_python_all([rule.condition for rule in self.rules])

    @cached_property
    def explanations(self) -> tuple[Explanation, ...]:
        """The enabled explanations, in order."""
        return tuple(explanation for explanation in self.all_explanations if explanation.enabled)

    @cached_property
    def _cases(self) -> tuple[tuple[int, ExplanationCase], ...]:
        """The cases of all `explanations`, each with the index of its explanation."""
        return tuple((index, case) for index, each in enumerate(self.explanations) for case in each.cases)

    @cached_property
    def _which_cases(self) -> Which:
        return to_python_all([case.condition for _, case in self._cases])

    def prices(self, observation: Mapping[str, Value]) -> dict[int, int]:
        """The price of each of `explanations` that is possible, by index in order."""
        prices: dict[int, int] = {}
        for number in self._which_cases(observation):
            index, case = self._cases[number]
            prices[index] = min(case.price, prices.get(index, case.price))
        return prices

    @cached_property
    def first_reason(self) -> FirstOf[Reason]:
        """The first of `reasons` that holds."""
        return _first_of(self.reasons)

    @cached_property
    def first_cause(self) -> FirstOf[Cause]:
        """The first of `causes` that holds."""
        return _first_of(self.causes)

    @cached_property
    def first_where(self) -> FirstOf[Where]:
        """The first of `wheres` that holds."""
        return _first_of(self.wheres)

    @cached_property
    def first_device(self) -> FirstOf[Device]:
        """The first of `devices` that holds."""
        return _first_of(self.devices)

    @cached_property
    def first_icmp(self) -> FirstOf[IcmpEntry]:
        """The first of `icmp` that holds."""
        return _first_of(self.icmp)

    @cached_property
    def which_advices(self) -> Which:
        """Which of `advices` hold for an observation with its verdict and origin, by index."""
        return to_python_all([advice.condition for advice in self.advices])

    @cached_property
    def case_rules(self) -> tuple[Rule, ...]:
        """Those of `rules` that read what only the captures of a case together show."""
        return tuple(rule for rule in self.rules if not OF_CASES.isdisjoint(named(rule.condition)))

    @cached_property
    def _by_id(self) -> dict[str, Rule]:
        old = {id_: rule for rule in self.all_rules for id_ in rule.was}
        return old | {rule.id: rule for rule in self.all_rules}

    @cached_property
    def _explanations_by_id(self) -> dict[str, Explanation]:
        return {explanation.id: explanation for explanation in self.all_explanations}

    def evidence(self, id_: str) -> Rule | Explanation:
        """The rule or explanation called `id_`. Raises UnknownRuleError with the nearest id of a rule."""
        return self._explanations_by_id.get(id_) or self.rule(id_)

    def rule(self, id_: str) -> Rule:
        """The rule that is or was called `id_`, enabled or not. Raises UnknownRuleError with the nearest id."""
        if id_ in self._by_id:
            return self._by_id[id_]
        raise UnknownRuleError(id_, (rule.id for rule in self.all_rules))

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) of all that has an effect, so not of disabled rules, comments or layout."""
        content = {
            "rulebook": asdict(self.header),
            "verdict": asdict(self.verdict),
            "thresholds": asdict(self.thresholds),
            "define": {define.name: define.source for define in self.defines},
            "icmp_define": {define.name: define.source for define in self.icmp_defines},
            "rule": [_content(rule) for rule in self.rules],
            "explanation": [_explanation_content(explanation) for explanation in self.explanations],
            "reason": [_content(reason) for reason in self.reasons],
            "cause": [_content(cause) for cause in self.causes],
            "where": [_content(where) for where in self.wheres],
            "device": [_content(device) for device in self.devices],
            "icmp": [_content(entry) for entry in self.icmp],
            "advice": [_content(advice) for advice in self.advices],
        }
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone; what was computed from them is computed again."""
        return {part.name: getattr(self, part.name) for part in fields(self)}


def load(path: Path | None = None, overlays: Sequence[Path] = ()) -> Rulebook:
    """The rulebook in `path` (None: the one that comes with the package) with `overlays` on top, in order.

    Each is a file, or a folder whose files (`*.toml`) are read in the order of their names. An overlay changes the keys
    it gives: of [rulebook], [verdict] and [thresholds], and of any other entry by its id or name. A new entry must be
    complete. New rules and explanations come last, all other new entries first (the last one usually holds always).
    Raises RulebookError with every problem of every file.
    """
    return (
        _merged([_base(path), *((str(overlay), overlay) for overlay in overlays)]) if path or overlays else _default()
    )


@cache
def _default() -> Rulebook:
    """The rulebook that comes with the package. It does not change while the program runs, and reading it is slow."""
    found = kept_rulebook()
    if isinstance(found, Rulebook):
        return found
    rulebook = _merged([_base(None)])
    keep_rulebook(rulebook)
    return rulebook


def _base(path: Path | None) -> tuple[str, Path | Traversable]:
    return (str(path), path) if path is not None else (DEFAULT_NAME, files("heuristics.rulebook") / "default")


def _merged(sources: Iterable[tuple[str, Path | Traversable]]) -> Rulebook:
    # Slow to import: pydantic's models of the tables. A rulebook that was kept needs none of them.
    from heuristics.rulebook.overlay import Layers
    from heuristics.rulebook.reader import read_layer
    from heuristics.rulebook.texts import Texts

    layers = Layers()
    problems: list[Problem] = []
    order: list[str] = []  # of the files
    partial = False
    for name, source in sources:
        contents, found = read_layer(name, source)
        partial = partial or any(content is None for _, content in contents) or not contents
        order += [name, *(file for file, _ in contents)]
        problems += found + layers.add((file, content) for file, content in contents if content is not None)
    texts = Texts(layers, partial=partial)
    problems += texts.problems
    if problems := problems or layers.problems():
        raise RulebookError(sorted(problems, key=lambda problem: order.index(problem.file)))
    return _built(layers, texts)


def _built(layers: Layers, texts: Texts) -> Rulebook:
    def entries(table: str) -> list[dict[str, Any]]:
        return [
            {**entry, "condition": texts.conditions[table, id_], "say": texts.sentences[table, id_]}
            for id_, entry in layers.entries[table].items()
        ]

    return Rulebook(
        header=Header(**layers.tables["rulebook"]),
        verdict=VerdictLimits(**layers.tables["verdict"]),
        thresholds=Thresholds(**layers.tables["thresholds"]),
        defines=_defines(layers, "define", texts.definitions),
        icmp_defines=_defines(layers, "icmp_define", texts.icmp_definitions),
        all_rules=tuple(Rule(**{**entry, "was": tuple(entry.get("was", ()))}) for entry in entries("rule")),
        all_explanations=tuple(_explanations(layers, texts)),
        reasons=tuple(Reason(**entry) for entry in entries("reason")),
        causes=tuple(Cause(**entry) for entry in entries("cause")),
        wheres=tuple(Where(**entry) for entry in entries("where")),
        devices=tuple(Device(**entry) for entry in entries("device")),
        icmp=tuple(IcmpEntry(**entry) for entry in entries("icmp")),
        advices=tuple(Advice(**entry) for entry in entries("advice")),
    )


def _explanations(layers: Layers, texts: Texts) -> Iterable[Explanation]:
    for id_, entry in layers.entries["explanation"].items():
        cases = zip(entry["cases"], texts.cases[id_], strict=True)
        yield Explanation(
            **{
                **entry,
                "explains": frozenset(filter(None, map(layers.rule_id, entry["explains"]))),
                "cases": tuple(ExplanationCase(case["when"], condition, case["price"]) for case, condition in cases),
                "say": texts.sentences["explanation", id_],
                "cause": texts.sentences.get(("explanation cause", id_)),
            }
        )


def _defines(layers: Layers, table: str, definitions: Mapping[str, Definition]) -> tuple[Define, ...]:
    return tuple(
        Define(name, entry["is"], entry["meaning"], entry.get("unit", ""), definitions[name])
        for name, entry in layers.entries[table].items()
    )


def _explanation_content(entry: Explanation) -> dict[str, Any]:
    return {
        **{part.name: getattr(entry, part.name) for part in fields(entry)},
        "explains": sorted(entry.explains),
        "cases": [(case.when, case.price) for case in entry.cases],
        "say": entry.say.source,
        "cause": entry.cause.source if entry.cause else None,
    }


def _content(entry: Statement) -> dict[str, Any]:
    content = {part.name: getattr(entry, part.name) for part in fields(entry) if part.name not in _NO_EFFECT}
    return {**content, "say": entry.say.source}
