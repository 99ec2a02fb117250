"""`rstorigin rules`: the entries of the rulebook, what each means, whether a rulebook is right, what it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heuristics.errors import UnknownRuleError, visible
from postproc.cli import rule_lists, rule_texts, rule_trial
from postproc.cli.options import RulebookOption, TableFormat, load_rules

app = typer.Typer(
    name="rules",
    help="Show, check and try the rules that resets are judged by.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_rules(
    rulebook: RulebookOption = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Also reasons, causes, places, devices, advice, ICMP entries, definitions."),
    ] = False,
    format_: Annotated[TableFormat, typer.Option("--format", help="How to write the list.")] = TableFormat.TABLE,
) -> None:
    """List every rule with its weight, and every explanation with its least and greatest price, in centi-nats."""
    typer.echo(rule_lists.entries(load_rules(rulebook), format_, everything=all_))


@app.command()
def show(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, as `rules list --all` shows it, or the name of a definition."),
    ],
    rulebook: RulebookOption = None,
) -> None:
    """Show all about one entry of the rulebook or definition: conditions, what they read, sentences, source."""
    rules = load_rules(rulebook)
    described = rule_texts.described(id_, rules)
    if not described:
        raise UnknownRuleError(id_, [entry.id for entry in rule_lists.all_entries(rules)])
    typer.echo("\n\n".join(described))


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
    typer.echo(rule_lists.names(load_rules(rulebook), format_, icmp=icmp))


app.command("try")(rule_trial.try_rules)
