"""One entry of a rulebook in words: what it asks, what it says, what the names in it mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from heuristics.language.expressions import Node, definitions_in, named
from heuristics.observables.icmp_vocabulary import ICMP_BY_NAME
from heuristics.observables.vocabulary import BY_NAME, JUDGED, Observable
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.statements import Define, Device, Explanation, ExplanationCase, IcmpEntry, Rule, Statement
from postproc.cli.rule_lists import explained, one_line_each

_Fact = tuple[str, str]
_KINDS = {
    "reason": "why a verdict is unclear",
    "cause": "what may have made the sender reset",
    "where": "where a suspect reset was sent from",
    "device": "a known device or mechanism",
    "advice": "what to capture next",
}


class _Meanings(NamedTuple):
    """What the names in a condition mean."""

    observables: Mapping[str, Observable]
    defines: Mapping[str, Define]


def described(id_: str, rules: Rulebook) -> list[str]:
    """Everything that is called `id_`: entries of several kinds may have the same id."""
    judged = BY_NAME | {observable.name: observable for observable in JUDGED}
    resets = _Meanings(judged, {define.name: define for define in rules.defines})
    errors = _Meanings(ICMP_BY_NAME, {define.name: define for define in rules.icmp_defines})
    found = [_rule(rule, resets) for rule in rules.all_rules if rule.id == id_]
    found += [f"{id_} is now {rule.id}.\n\n{_rule(rule, resets)}" for rule in rules.all_rules if id_ in rule.was]
    found += [_explanation(each, rules, resets) for each in rules.all_explanations if each.id == id_]
    statements: dict[str, Sequence[Statement]] = {
        "reason": rules.reasons,
        "cause": rules.causes,
        "where": rules.wheres,
        "device": rules.devices,
        "advice": rules.advices,
    }
    for kind, entries in statements.items():
        found += [_statement(entry, kind, resets) for entry in entries if entry.id == id_]
    found += [_icmp_entry(entry, errors) for entry in rules.icmp if entry.id == id_]
    for meanings in (resets, errors):
        if id_ in meanings.defines:
            found.append(_define(meanings.defines[id_], meanings))
    return found


def _rule(rule: Rule, meanings: _Meanings) -> str:
    facts = [
        *_condition("when", rule.when),
        ("weight", f"{rule.weight:+d} centi-nats: odds of a forgery times {math.exp(rule.weight / 100):.3g}"),
        ("says", rule.say.source),
        *([("origin", rule.origin)] if rule.origin else []),
        ("enabled", "yes" if rule.enabled else "no"),
        *([("was", ", ".join(rule.was))] if rule.was else []),
        ("reference", rule.reference),
    ]
    return _listed(f"{rule.id}: {rule.title}", facts, [rule.condition], meanings)


def _explanation(explanation: Explanation, rules: Rulebook, meanings: _Meanings) -> str:
    side = "for" if explanation.accuses else "against"
    facts = [
        ("origin", f"{explanation.origin}: what it explains does not count {side} the sender"),
        *(("" if number else "explains", _sign(rule)) for number, rule in enumerate(explained(explanation, rules))),
        *(fact for case in explanation.cases for fact in _case(case)),
        ("says", explanation.say.source),
        *([("cause", explanation.cause.source)] if explanation.cause else []),
        ("enabled", "yes" if explanation.enabled else "no"),
        ("reference", explanation.reference),
    ]
    conditions = [case.condition for case in explanation.cases]
    return _listed(f"{explanation.id}: {explanation.title}", facts, conditions, meanings)


def _sign(rule: Rule) -> str:
    return f"{rule.id} ({rule.weight:+d}{'' if rule.enabled else ', disabled'}): {rule.title}"


def _case(case: ExplanationCase) -> list[_Fact]:
    return [*_condition("case", case.when), ("price", f"{case.price:d} centi-nats")]


def _statement(entry: Statement, kind: str, meanings: _Meanings) -> str:
    facts = [*_condition("when", entry.when), ("says", entry.say.source)]
    if isinstance(entry, Device):
        facts += [("sure", f"{entry.confidence} %"), ("reference", entry.reference)]
    return _listed(f"{entry.id}: {_KINDS[kind]} ([[{kind}]])", facts, [entry.condition], meanings)


def _icmp_entry(entry: IcmpEntry, meanings: _Meanings) -> str:
    facts = [
        *_condition("when", entry.when),
        ("verdict", f"{entry.verdict}, origin {entry.origin}, suspicion {entry.suspicion} of 100"),
        ("says", entry.say.source),
        *([("device", entry.device)] if entry.device else []),
        ("reference", entry.reference),
    ]
    return _listed(f"{entry.id}: an entry for ICMP errors", facts, [entry.condition], meanings)


def _define(define: Define, meanings: _Meanings) -> str:
    kind = {"int": "a number", "str": "a text", "bool": "a condition"}[define.type]
    facts = [
        *_condition("is", define.source),
        ("type", f"{kind}{f' ({define.unit})' if define.unit else ''}"),
        ("missing", "never" if define.definition.always else "where an observable that it needs is missing"),
    ]
    return _listed(f"{define.name}: {define.meaning}", facts, [define.definition.tree], meanings)


def _condition(label: str, source: str | Sequence[str]) -> list[_Fact]:
    first, *others = one_line_each(source)
    return [(label, first), *(("or", other) for other in others)]


def _listed(title: str, facts: Sequence[_Fact], conditions: Sequence[Node], meanings: _Meanings) -> str:
    lines = [title, *(f"  {label:<10} {text}" for label, text in facts)]
    definitions = {found.name: None for condition in conditions for found in definitions_in(condition)}
    if definitions:
        lines.append("  definitions")
        for name in definitions:
            lines.append(f"    {name}: {' or '.join(one_line_each(meanings.defines[name].source))}")
    if names := {name: None for condition in conditions for name in named(condition)}:
        lines.append("  reads")
        for observable in map(meanings.observables.__getitem__, names):
            unit = f" ({observable.unit})" if observable.unit else ""
            lines.append(f"    {observable.name}{unit}: {observable.meaning}")
    return "\n".join(lines)
