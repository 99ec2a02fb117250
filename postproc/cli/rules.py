"""`rstorigin rules`: what is weighed, what one rule means, and whether a rulebook file is right."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from heuristics.errors import visible
from heuristics.language.expressions import Node, named
from heuristics.observables.icmp_vocabulary import ICMP_ALWAYS, ICMP_BY_NAME, ICMP_OBSERVABLES
from heuristics.observables.vocabulary import ALWAYS, BY_NAME, OBSERVABLES, Observable
from heuristics.rulebook.model import IcmpEntry, Rule
from postproc.cli.options import Format, RulebookOption, load_rules
from postproc.runtime.text import csv_table

app = typer.Typer(name="rules", help="Show and check the rules that resets are judged by.", no_args_is_help=True)


@app.command("list")
def list_rules(
    rulebook: RulebookOption = None,
    format_: Annotated[Format, typer.Option("--format", help="How to write the list.")] = Format.TABLE,
) -> None:
    """List every rule: its id, its weight in centi-nats, whether it is enabled, and its title."""
    typer.echo(_written(load_rules(rulebook).all_rules, format_))


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id of a rule, as `rules list` shows it.")],
    rulebook: RulebookOption = None,
) -> None:
    """Show all about one rule, or entry for ICMP errors: its condition, what it reads, explanation and reference."""
    rules = load_rules(rulebook)
    known = any(rule.id == id_ for rule in rules.all_rules)
    typer.echo(_described(rules.rule(id_)) if known else _entry_described(rules.icmp_entry(id_)))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rulebook, complete or laid over the default one.")],
) -> None:
    """Check a rulebook file: says ok, or everything that is wrong with it."""
    checked = load_rules(file)
    rules, reasons, icmp = len(checked.rules), len(checked.reasons), len(checked.icmp)
    counts = f"{rules} rules, {reasons} reasons and {icmp} entries for ICMP errors"
    typer.echo(visible(f"{file}: ok, {counts} with the default rulebook below"))


@app.command()
def observables(
    format_: Annotated[Format, typer.Option("--format", help="How to write the list.")] = Format.TABLE,
    icmp: Annotated[bool, typer.Option("--icmp", help="Those of ICMP errors.")] = False,
) -> None:
    """List the observables: every fact about a reset (or an ICMP error) that a condition can ask for."""
    rows: list[Row] = [
        {
            "name": seen.name,
            "type": str(seen.type),
            "source": str(seen.source),
            "unit": seen.unit,
            "missing": "" if seen.name in (ICMP_ALWAYS if icmp else ALWAYS) else "may be",
            "meaning": seen.meaning,
        }
        for seen in (ICMP_OBSERVABLES if icmp else OBSERVABLES)
    ]
    typer.echo(_tabled(rows, rows, format_))


Row = dict[str, str | int]
Content = dict[str, str | int | bool | None]


def _row(rule: Rule) -> Row:
    return {"id": rule.id, "weight": rule.weight, "enabled": "yes" if rule.enabled else "no", "title": rule.title}


def _written(rules: Sequence[Rule], format_: Format) -> str:
    return _tabled([_row(rule) for rule in rules], [_content(rule) for rule in rules], format_)


def _tabled(rows: Sequence[Row], contents: Sequence[Mapping[str, object]], format_: Format) -> str:
    """The list in one of the formats: `rows` for people and spreadsheets, the whole `contents` for programs."""
    match format_:
        case Format.JSON:
            return json.dumps(contents, indent=2)
        case Format.JSONL:
            return "\n".join(map(json.dumps, contents))
        case Format.CSV:
            return csv_table(rows[0], (row.values() for row in rows))
        case Format.MARKDOWN:
            escaped = [{key: str(cell).replace("|", r"\|") for key, cell in row.items()} for row in rows]
            return tabulate(escaped, headers="keys", tablefmt="pipe", disable_numparse=True)
        case Format.TABLE:
            return tabulate(rows, headers="keys", tablefmt="simple")


def _content(rule: Rule) -> Content:
    return {
        "id": rule.id,
        "weight": rule.weight,
        "enabled": rule.enabled,
        "title": rule.title,
        "when": rule.when,
        "say": rule.say.source,
        "origin": rule.origin,
        "reference": rule.reference,
    }


def _described(rule: Rule) -> str:
    facts = [
        ("when", rule.when),
        ("weight", f"{rule.weight:+d} centi-nats: odds of a forgery times {math.exp(rule.weight / 100):.3g}"),
        ("says", rule.say.source),
        *([("origin", rule.origin)] if rule.origin else []),
        ("enabled", "yes" if rule.enabled else "no"),
        ("reference", rule.reference),
    ]
    return _listed(f"{rule.id}: {rule.title}", facts, rule.condition, BY_NAME)


def _entry_described(entry: IcmpEntry) -> str:
    facts = [
        ("when", entry.when),
        ("verdict", f"{entry.verdict}, origin {entry.origin}, suspicion {entry.suspicion} of 100"),
        ("says", entry.say.source),
        *([("device", entry.device)] if entry.device else []),
        ("reference", entry.reference),
    ]
    return _listed(f"{entry.id}: an entry for ICMP errors", facts, entry.condition, ICMP_BY_NAME)


def _listed(title: str, facts: Sequence[tuple[str, str]], condition: Node, vocabulary: Mapping[str, Observable]) -> str:
    lines = [title, *(f"  {label:<10} {text}" for label, text in facts), "  reads"]
    for observable in map(vocabulary.__getitem__, named(condition)):
        unit = f" ({observable.unit})" if observable.unit else ""
        lines.append(f"    {observable.name}{unit}: {observable.meaning}")
    return "\n".join(lines)
