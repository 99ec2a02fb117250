"""`rstorigin rules`: rules and explanations, what one of them means, and whether a rulebook is right."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from tabulate import tabulate

from heuristics.errors import UnknownRuleError, visible
from heuristics.language.expressions import Node, definitions_in, named
from heuristics.observables.icmp_vocabulary import ICMP_ALWAYS, ICMP_BY_NAME, ICMP_OBSERVABLES
from heuristics.observables.observable import ObservableSource
from heuristics.observables.vocabulary import ALWAYS, BY_NAME, OBSERVABLES, Observable
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.statements import Define, Explanation, ExplanationCase, IcmpEntry, Rule
from heuristics.rulebook.thresholds import THRESHOLDS
from postproc.cli.options import RulebookOption, TableFormat, load_rules
from postproc.runtime.text import csv_table

app = typer.Typer(name="rules", help="Show and check the rules that resets are judged by.", no_args_is_help=True)


@app.command("list")
def list_rules(
    rulebook: RulebookOption = None,
    format_: Annotated[TableFormat, typer.Option("--format", help="How to write the list.")] = TableFormat.TABLE,
) -> None:
    """List every rule with its weight, and every explanation with its least and greatest price, in centi-nats."""
    typer.echo(_written(load_rules(rulebook), format_))


@app.command()
def show(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, as `rules list` shows it, or the name of a definition."),
    ],
    rulebook: RulebookOption = None,
) -> None:
    """Show all about one rule, explanation, entry for ICMP errors or definition: conditions, what they read, source."""
    rules = load_rules(rulebook)
    described = _descriptions(id_, rules)
    if not described:
        kinds = (rules.all_rules, rules.all_explanations, rules.icmp)
        ids = [entry.id for kind in kinds for entry in kind]
        raise UnknownRuleError(id_, [*ids, *(define.name for define in (*rules.defines, *rules.icmp_defines))])
    typer.echo("\n\n".join(described))


def _descriptions(id_: str, rules: Rulebook) -> list[str]:
    """Everything that is called `id_`: a rule and a definition may have the same name."""
    resets = _Meanings(BY_NAME, {define.name: define for define in rules.defines})
    errors = _Meanings(ICMP_BY_NAME, {define.name: define for define in rules.icmp_defines})
    found = [_rule_described(rule, resets) for rule in rules.all_rules if rule.id == id_]
    for rule in rules.all_rules:
        if id_ in rule.was:
            found.append(f"{id_} is now {rule.id}.\n\n{_rule_described(rule, resets)}")
    found += [_explanation_described(each, rules, resets) for each in rules.all_explanations if each.id == id_]
    found += [_entry_described(entry, errors) for entry in rules.icmp if entry.id == id_]
    for meanings in (resets, errors):
        if id_ in meanings.defines:
            found.append(_define_described(meanings.defines[id_], meanings))
    return found


@app.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A rulebook, a file or a folder of files, complete or laid over the default one."
        ),
    ],
) -> None:
    """Check a rulebook file: says ok, or everything that is wrong with it."""
    checked = load_rules(file)
    rules, explanations = len(checked.rules), len(checked.explanations)
    reasons, icmp = len(checked.reasons), len(checked.icmp)
    counts = f"{rules} rules, {explanations} explanations, {reasons} reasons and {icmp} entries for ICMP errors"
    typer.echo(visible(f"{file}: ok, {counts} with the default rulebook below"))


@app.command()
def observables(
    format_: Annotated[TableFormat, typer.Option("--format", help="How to write the list.")] = TableFormat.TABLE,
    icmp: Annotated[bool, typer.Option("--icmp", help="Those of ICMP errors.")] = False,
    rulebook: RulebookOption = None,
) -> None:
    """List what a condition can name: observables of a reset (or an ICMP error), thresholds and definitions."""
    rules = load_rules(rulebook)
    always, defines = (ICMP_ALWAYS, rules.icmp_defines) if icmp else (ALWAYS, rules.defines)
    table = "icmp_define" if icmp else "define"
    rows: list[Row] = [
        *(
            _name_row(one.name, one.type, one.source, one.unit, one.name not in always, one.meaning)
            for one in (ICMP_OBSERVABLES if icmp else OBSERVABLES)
        ),
        *(
            _name_row(one.name, "int", ObservableSource.THRESHOLDS, one.unit, False, one.meaning)
            for one in (() if icmp else THRESHOLDS)
        ),
        *(_name_row(one.name, one.type, table, one.unit, not one.definition.always, one.meaning) for one in defines),
    ]
    typer.echo(_tabled(rows, rows, format_))


def _name_row(name: str, type_: str, source: str, unit: str, may_be_missing: bool, meaning: str) -> Row:
    return {
        "name": name,
        "type": str(type_),
        "source": str(source),
        "unit": unit,
        "missing": "may be" if may_be_missing else "",
        "meaning": meaning,
    }


Row = dict[str, str | int]
Fact = tuple[str, str]


class _Meanings(NamedTuple):
    """What the names in a condition mean."""

    observables: Mapping[str, Observable]
    defines: Mapping[str, Define]


Content = dict[str, object]


def _written(rules: Rulebook, format_: TableFormat) -> str:
    rows = [*map(_rule_row, rules.all_rules), *map(_explanation_row, rules.all_explanations)]
    of_explanations = [_explanation_content(explanation, rules) for explanation in rules.all_explanations]
    return _tabled(rows, [*map(_rule_content, rules.all_rules), *of_explanations], format_)


def _rule_row(rule: Rule) -> Row:
    return _row(rule, "rule", rule.weight, "")


def _explanation_row(explanation: Explanation) -> Row:
    prices = [case.price for case in explanation.cases]
    low, high = min(prices), max(prices)
    return _row(explanation, "explanation", "", low if low == high else f"from {low} to {high}")


def _row(entry: Rule | Explanation, kind: str, weight: int | str, price: int | str) -> Row:
    enabled = "yes" if entry.enabled else "no"
    return {"id": entry.id, "kind": kind, "weight": weight, "price": price, "enabled": enabled, "title": entry.title}


def _tabled(rows: Sequence[Row], contents: Sequence[Mapping[str, object]], format_: TableFormat) -> str:
    """The list in one of the formats: `rows` for people and spreadsheets, the whole `contents` for programs."""
    match format_:
        case TableFormat.JSON:
            return json.dumps(contents, indent=2)
        case TableFormat.JSONL:
            return "\n".join(map(json.dumps, contents))
        case TableFormat.CSV:
            return csv_table(rows[0], (row.values() for row in rows))
        case TableFormat.MARKDOWN:
            escaped = [{key: str(cell).replace("|", r"\|") for key, cell in row.items()} for row in rows]
            return tabulate(escaped, headers="keys", tablefmt="pipe", disable_numparse=True)
        case TableFormat.TABLE:
            return tabulate(rows, headers="keys", tablefmt="simple")


def _rule_content(rule: Rule) -> Content:
    return {
        "id": rule.id,
        "kind": "rule",
        "weight": rule.weight,
        "enabled": rule.enabled,
        "title": rule.title,
        "when": _when(rule),
        "say": rule.say.source,
        "origin": rule.origin,
        "reference": rule.reference,
    }


def _explanation_content(explanation: Explanation, rules: Rulebook) -> Content:
    return {
        "id": explanation.id,
        "kind": "explanation",
        "enabled": explanation.enabled,
        "title": explanation.title,
        "origin": explanation.origin,
        "explains": [rule.id for rule in _explained(explanation, rules)],
        "cases": [{"when": _when(case), "price": case.price} for case in explanation.cases],
        "say": explanation.say.source,
        "cause": explanation.cause.source if explanation.cause else None,
        "reference": explanation.reference,
    }


def _when(entry: Rule | ExplanationCase) -> str | list[str]:
    lines = _one_line_each(entry.when)
    return lines[0] if isinstance(entry.when, str) else lines


def _explained(explanation: Explanation, rules: Rulebook) -> list[Rule]:
    return [rule for rule in rules.all_rules if rule.id in explanation.explains]


def _one_line_each(source: str | Sequence[str]) -> list[str]:
    """The texts of a condition without their line breaks."""
    return [" ".join(text.split()) for text in ([source] if isinstance(source, str) else source)]


def _condition_facts(label: str, source: str | Sequence[str]) -> list[Fact]:
    first, *others = _one_line_each(source)
    return [(label, first), *(("or", other) for other in others)]


def _rule_described(rule: Rule, meanings: _Meanings) -> str:
    facts = [
        *_condition_facts("when", rule.when),
        ("weight", f"{rule.weight:+d} centi-nats: odds of a forgery times {math.exp(rule.weight / 100):.3g}"),
        ("says", rule.say.source),
        *([("origin", rule.origin)] if rule.origin else []),
        ("enabled", "yes" if rule.enabled else "no"),
        *([("was", ", ".join(rule.was))] if rule.was else []),
        ("reference", rule.reference),
    ]
    return _listed(f"{rule.id}: {rule.title}", facts, [rule.condition], meanings)


def _explanation_described(explanation: Explanation, rules: Rulebook, meanings: _Meanings) -> str:
    side = "for" if explanation.accuses else "against"
    facts = [
        ("origin", f"{explanation.origin}: what it explains does not count {side} the sender"),
        *(("" if number else "explains", _sign(rule)) for number, rule in enumerate(_explained(explanation, rules))),
        *(fact for case in explanation.cases for fact in _case_facts(case)),
        ("says", explanation.say.source),
        *([("cause", explanation.cause.source)] if explanation.cause else []),
        ("enabled", "yes" if explanation.enabled else "no"),
        ("reference", explanation.reference),
    ]
    conditions = [case.condition for case in explanation.cases]
    return _listed(f"{explanation.id}: {explanation.title}", facts, conditions, meanings)


def _sign(rule: Rule) -> str:
    return f"{rule.id} ({rule.weight:+d}{'' if rule.enabled else ', disabled'}): {rule.title}"


def _case_facts(case: ExplanationCase) -> list[Fact]:
    return [*_condition_facts("case", case.when), ("price", f"{case.price:d} centi-nats")]


def _entry_described(entry: IcmpEntry, meanings: _Meanings) -> str:
    facts = [
        *_condition_facts("when", entry.when),
        ("verdict", f"{entry.verdict}, origin {entry.origin}, suspicion {entry.suspicion} of 100"),
        ("says", entry.say.source),
        *([("device", entry.device)] if entry.device else []),
        ("reference", entry.reference),
    ]
    return _listed(f"{entry.id}: an entry for ICMP errors", facts, [entry.condition], meanings)


def _define_described(define: Define, meanings: _Meanings) -> str:
    kind = {"int": "a number", "str": "a text", "bool": "a condition"}[define.type]
    facts = [
        *_condition_facts("is", define.source),
        ("type", f"{kind}{f' ({define.unit})' if define.unit else ''}"),
        ("missing", "never" if define.definition.always else "where an observable that it needs is missing"),
    ]
    return _listed(f"{define.name}: {define.meaning}", facts, [define.definition.tree], meanings)


def _listed(title: str, facts: Sequence[Fact], conditions: Sequence[Node], meanings: _Meanings) -> str:
    lines = [title, *(f"  {label:<10} {text}" for label, text in facts)]
    definitions = {found.name: None for condition in conditions for found in definitions_in(condition)}
    if definitions:
        lines.append("  definitions")
        for name in definitions:
            lines.append(f"    {name}: {' or '.join(_one_line_each(meanings.defines[name].source))}")
    if names := {name: None for condition in conditions for name in named(condition)}:
        lines.append("  reads")
        for observable in map(meanings.observables.__getitem__, names):
            unit = f" ({observable.unit})" if observable.unit else ""
            lines.append(f"    {observable.name}{unit}: {observable.meaning}")
    return "\n".join(lines)
