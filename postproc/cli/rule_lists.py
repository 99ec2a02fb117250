"""The entries of a rulebook as a list: short rows for people and spreadsheets, whole entries for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from tabulate import tabulate

from heuristics.language.template import Template
from heuristics.observables.icmp_vocabulary import ICMP_ALWAYS, ICMP_OBSERVABLES
from heuristics.observables.observable import ObservableSource
from heuristics.observables.vocabulary import ALWAYS, OBSERVABLES
from heuristics.rulebook.model import Rulebook
from heuristics.rulebook.statements import Define, Explanation, ExplanationCase, Rule, Statement
from heuristics.rulebook.thresholds import THRESHOLDS
from postproc.cli.options import TableFormat
from postproc.runtime.text import csv_table

Row = dict[str, str | int]
Content = Mapping[str, object]


class Entry(NamedTuple):
    """An entry as a row, and whole. `kind` is its table in the rulebook."""

    id: str
    kind: str
    row: Row
    content: Content


def entries(rules: Rulebook, format_: TableFormat, *, everything: bool) -> str:
    """The rules and explanations, or the entries of every kind."""
    listed = [*(all_entries(rules) if everything else _evidence(rules))]
    return _tabled([entry.row for entry in listed], [entry.content for entry in listed], format_)


def names(rules: Rulebook, format_: TableFormat, *, icmp: bool) -> str:
    """What conditions on resets (or ICMP errors) can name."""
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
    return _tabled(rows, rows, format_)


def all_entries(rules: Rulebook) -> Iterator[Entry]:
    """The entries of every kind, in the order in which they are asked."""
    yield from _evidence(rules)
    statements: dict[str, Sequence[Statement]] = {
        "reason": rules.reasons,
        "cause": rules.causes,
        "where": rules.wheres,
        "device": rules.devices,
        "advice": rules.advices,
        "icmp": rules.icmp,
    }
    for kind, of_kind in statements.items():
        for each in of_kind:
            yield Entry(each.id, kind, _row(each.id, kind, each.say.source), _statement_content(each, kind))
    for kind, defines in (("define", rules.defines), ("icmp_define", rules.icmp_defines)):
        for define in defines:
            yield Entry(define.name, kind, _row(define.name, kind, define.meaning), _define_content(define, kind))


def one_line_each(source: str | Sequence[str]) -> list[str]:
    """The texts of a condition without their line breaks."""
    return [" ".join(text.split()) for text in ([source] if isinstance(source, str) else source)]


def explained(explanation: Explanation, rules: Rulebook) -> list[Rule]:
    """The rules that an explanation explains, in order."""
    return [rule for rule in rules.all_rules if rule.id in explanation.explains]


def _evidence(rules: Rulebook) -> Iterator[Entry]:
    for rule in rules.all_rules:
        row = _row(rule.id, "rule", rule.title, weight=rule.weight, enabled=rule.enabled)
        yield Entry(rule.id, "rule", row, _rule_content(rule))
    for each in rules.all_explanations:
        prices = [case.price for case in each.cases]
        low, high = min(prices), max(prices)
        price = low if low == high else f"from {low} to {high}"
        row = _row(each.id, "explanation", each.title, price=price, enabled=each.enabled)
        yield Entry(each.id, "explanation", row, _explanation_content(each, rules))


def _row(
    id_: str, kind: str, title: str, *, weight: int | str = "", price: int | str = "", enabled: bool = True
) -> Row:
    shown = "yes" if enabled else "no"
    return {"id": id_, "kind": kind, "weight": weight, "price": price, "enabled": shown, "title": title}


def _name_row(name: str, type_: str, source: str, unit: str, may_be_missing: bool, meaning: str) -> Row:
    return {
        "name": name,
        "type": str(type_),
        "source": str(source),
        "unit": unit,
        "missing": "may be" if may_be_missing else "",
        "meaning": meaning,
    }


def _tabled(rows: Sequence[Row], contents: Sequence[Content], format_: TableFormat) -> str:
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
        "explains": [rule.id for rule in explained(explanation, rules)],
        "cases": [{"when": _when(case), "price": case.price} for case in explanation.cases],
        "say": explanation.say.source,
        "cause": explanation.cause.source if explanation.cause else None,
        "reference": explanation.reference,
    }


def _statement_content(entry: Statement, kind: str) -> Content:
    values = {each.name: getattr(entry, each.name) for each in fields(entry) if each.name not in ("id", "condition")}
    plain = {name: value.source if isinstance(value, Template) else value for name, value in values.items()}
    return {"id": entry.id, "kind": kind, **plain, "when": _when(entry)}


def _define_content(define: Define, kind: str) -> Content:
    is_ = one_line_each(define.source)
    return {
        "id": define.name,
        "kind": kind,
        "is": is_[0] if isinstance(define.source, str) else is_,
        "type": str(define.type),
        "unit": define.unit,
        "meaning": define.meaning,
    }


def _when(entry: Statement | ExplanationCase) -> str | list[str]:
    lines = one_line_each(entry.when)
    return lines[0] if isinstance(entry.when, str) else lines
