"""Rescoring: add the evidence of other captures to a verdict, once all captures are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heuristics.observables.output_columns import Kind, observable_columns
from heuristics.observables.vocabulary import ALWAYS, BY_NAME, Type, Value
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.scoring import (
    UNCLEAR,
    Origin,
    Verdict,
    origin_of,
    suspicion,
    suspicion_limits,
    verdict_at,
    where,
)
from heuristics.rulebook.statements import Rule
from postproc.verdicts.result_row import JudgedReset, ResetRow

# Conditions take it for granted that these observables are there. A row does not have all of them.
_NEUTRAL: dict[Type, Value] = {Type.INT: 0, Type.BOOL: False, Type.STR: ""}
_ABSENT = {name: _NEUTRAL[BY_NAME[name].type] for name in ALWAYS if name in BY_NAME}


def rescore(
    reset: JudgedReset, rules: Sequence[Rule], observation: dict[str, Value], rulebook: Rulebook
) -> JudgedReset:
    """The reset with these rules added to its score. `observation` has the values that their explanations print."""
    if not rules:
        return reset
    score = reset.score + sum(rule.weight for rule in rules)
    verdict = verdict_at(score, rulebook.verdict)
    origin = origin_of(verdict, front_end=reset.row.origin == Origin.FRONT_END).value
    row = replace(
        reset.row,
        verdict=verdict.value,
        origin=origin,
        suspicion=suspicion(score, suspicion_limits()),
        evidence=(*reset.row.evidence, *(rule.id for rule in rules)),
    )
    if verdict.value != reset.row.verdict:  # only this can be concluded anew from the new verdict
        reason = UNCLEAR if verdict is Verdict.UNCLEAR else ""
        row = replace(row, cause=None, device=None, where=where(rulebook, _concluded(row)) or None, reason=reason)
    explanations = tuple(rule.say.render(observation) for rule in rules)
    return replace(reset, row=row, score=score, words=(*reset.words, *explanations))


def _concluded(row: ResetRow) -> dict[str, Value]:
    """The observables that the columns of a row show, with its verdict and origin."""
    shown = {column.observable: getattr(row, column.name) for column in observable_columns(Kind.RST)}
    return {**_ABSENT, **shown, "verdict": row.verdict, "origin": row.origin}
