"""Rule weights, fitted to labelled captures and bounded by how often a rule misfires on public ones.

usage: python -m bench.weights.calibrate FOLDER...
    [--stacks FOLDER] [--real-resets real-resets.csv] [-o proposal.toml] [--table docs/weights.md]

The folders hold laboratory captures with their labels (bench/weights/labelled.py); those that accuracy is reported on
must not be among them. `--stacks` holds captures of other stacks and devices, whose mechanisms are called STACK:WHAT:
no weight is fitted to them, but the table says on how many of them a rule fired.

What the rules are is the rulebook's, and what they weigh for: a rule that accuses never gets a negative weight, nor one
that clears a positive one. Mechanisms count alike, a false accusation as much as ten misses (bench/weights/fit.py). A
rule that never fired in the laboratory keeps its weight, unless it misfires too often for it.

The result is a proposal: an overlay with the weights, and a table that says where each comes from.
"""

from __future__ import annotations

import argparse
import csv
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from tabulate import tabulate

from bench import public_captures
from bench.weights.fit import CONFIDENCE, FALSE_ACCUSATION_COST, fit, most_weight, sample_weights
from bench.weights.labelled import Label, labelled_captures, read_packets_of
from bench.weights.real_resets import Observation, genuine_observations, readable
from heuristics.language.expressions import named
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.statements import Rule
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.runtime.atomic_file import whole_file
from postproc.verdicts.judge_resets import observe_resets

# Observables in which one system's stack differs from another's
FORM = {"df", "flow_label", "has_ack", "ip_id", "options_len", "tos", "window"}
OPENING = {"opening_df", "opening_label", "opening_linux", "opening_window", "peer_syn_tos"}
NUMBERS = {
    *("ack_ahead", "ack_step", "acked_bytes", "id_step", "own_id_step", "own_window", "seq_step"),
    *("ts_missing", "ts_step"),
}
FINGERPRINT = FORM | OPENING | NUMBERS

PREFACE = """# What each rule weighs, and why

Written by `python -m bench.weights.calibrate` (do not edit), from laboratory captures ({seeds};
none of them is used to report accuracy). Weights are centi-nats.

*On forged*, *on genuine*: on how many of the laboratory's resets the rule fired. *On public genuine*: the same for
{public}.

*On stacks*: on how many stacks and devices other than the laboratory's the rule fired, forged resets and genuine ones.
No weight is fitted to them.

*At most*: 100 ln(1/p), where p is the upper end of the {confidence} confidence interval of the rate at which the rule
misfires. A rule that accuses misfires on genuine resets of public captures. Where only the few public captures judged
by hand can tell, and the sign is no fingerprint of one system's stack, those of the laboratory count too. A rule that
clears misfires on the laboratory's forged resets.

*Fitted*: by logistic regression within these bounds, each mechanism counting alike, a false accusation as much as
{cost} misses; in parentheses where the rule never fired in the laboratory. *Weight*: what the rulebook has. Where the
two differ, public captures or the literature say more than a laboratory whose hosts all run one system."""


@dataclass(frozen=True, slots=True)
class Fired:
    """One reset of the laboratory and the ids of the rules that fired on it."""

    label: Label
    rules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Count:
    """On how many of how many resets a rule fired."""

    fired: int = 0
    of: int = 0

    def __str__(self) -> str:
        """Such as 3 / 120; a dash where there was nothing to fire on."""
        return f"{self.fired} / {self.of}" if self.of else "-"

    def __add__(self, other: Count) -> Count:
        """Both together."""
        return Count(self.fired + other.fired, self.of + other.of)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One rule: where it fired, the most it may weigh either way, the proposed weight, and whether it was fitted."""

    rule: Rule
    forged: Count
    genuine: Count
    public: Count
    stacks: Count
    bound: int
    weight: int
    fitted: bool


def lab_resets(folders: Iterable[Path], rulebook: Rulebook, program: Tshark) -> list[Fired]:
    """What fired on every labelled reset of the folders."""
    found = []
    for folder in folders:
        for capture in labelled_captures(folder, program):
            labels = {label.frame: label for label in capture.labels if label.kind == "rst"}
            for reset, observation in observe_resets(capture.packets, rulebook) if labels else ():
                if label := labels.get(reset.packet.frame):
                    found.append(Fired(label, _firing(rulebook, observation)))
    return found


def public_genuine(expected: Path, rulebook: Rulebook, program: Tshark) -> list[Observation]:
    """Observations of the public captures' resets that their table does not call forged; captures lie beside it."""
    with expected.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["origin"] != "middlebox"]
    found = []
    for name, of_capture in groupby(rows, key=lambda row: row["capture"]):
        frames = {int(frame) for row in of_capture for frame in row["frames"].split()}
        observed = observe_resets(read_packets_of(expected.with_name(name), program), rulebook)
        found += [observation for reset, observation in observed if reset.packet.frame in frames]
    return found


def calibrate(
    resets: Sequence[Fired],
    public: Sequence[Observation],
    table: Sequence[Observation],
    rulebook: Rulebook,
    stacks: Sequence[Fired] = (),
) -> list[Calibrated]:
    """Every rule with its counts, bound and fitted weight. `table` holds observations of public genuine resets too.

    `stacks` are resets of other stacks; they only count.
    """
    rules = rulebook.rules
    public_counts = {rule.id: _public_count(rule, public, table) for rule in rules}
    forged = {rule.id: _lab_count(rule, resets, forged=True) for rule in rules}
    genuine = {rule.id: _lab_count(rule, resets, forged=False) for rule in rules}
    misfires = forged | {
        rule.id: public_counts[rule.id] + (genuine[rule.id] if _lab_can_tell(rule, table) else Count())
        for rule in rules
        if rule.weight > 0
    }
    bounds = {id_: most_weight(count.fired, count.of) for id_, count in misfires.items()}
    ever = [rule for rule in rules if any(rule.id in reset.rules for reset in resets)]
    weights = _fit(resets, ever, bounds, rulebook.verdict.prior)
    return [
        Calibrated(
            rule,
            forged[rule.id],
            genuine[rule.id],
            public_counts[rule.id],
            _stack_count(rule, stacks),
            bounds[rule.id],
            weights.get(rule.id, min(rule.weight, bounds[rule.id]) if misfires[rule.id].fired else rule.weight),
            rule.id in weights,
        )
        for rule in rules
    ]


def _fit(resets: Sequence[Fired], rules: Sequence[Rule], bounds: dict[str, int], prior: int) -> dict[str, int]:
    fired = np.array([[rule.id in reset.rules for rule in rules] for reset in resets], dtype=float)
    forged = [reset.label.forged for reset in resets]
    sample = sample_weights([reset.label.group for reset in resets], forged)
    limits = [(0, bounds[rule.id]) if rule.weight > 0 else (-bounds[rule.id], 0) for rule in rules]
    found = fit(fired, np.array(forged), sample, prior, limits)
    return {rule.id: weight for rule, weight in zip(rules, found, strict=True)}


def _firing(rulebook: Rulebook, observation: Observation) -> frozenset[str]:
    return frozenset(rule.id for rule in rulebook.rules if rule.holds(observation))


def _lab_count(rule: Rule, resets: Sequence[Fired], *, forged: bool) -> Count:
    fired = [rule.id in reset.rules for reset in resets if reset.label.forged == forged]
    return Count(sum(fired), len(fired))


def _stack_count(rule: Rule, resets: Sequence[Fired]) -> Count:
    fired = {_stack(reset) for reset in resets if rule.id in reset.rules}
    return Count(len(fired), len({_stack(reset) for reset in resets}))


def _stack(reset: Fired) -> str:
    return reset.label.mechanism.partition(":")[0]


def _lab_can_tell(rule: Rule, table: Sequence[Observation]) -> bool:
    """Whether the laboratory's genuine resets count for a rule's bound.

    Its hosts all run one system's stack, so they do not count for what tells stacks apart. They need not count where
    the table of public resets can check the rule.
    """
    fingerprint = not FINGERPRINT.isdisjoint(named(rule.condition))
    return not fingerprint and not any(readable(rule, observation) for observation in table)


def _public_count(rule: Rule, public: Sequence[Observation], table: Sequence[Observation]) -> Count:
    readable_ones = [*public, *(observation for observation in table if readable(rule, observation))]
    return Count(sum(rule.holds(observation) for observation in readable_ones), len(readable_ones))


def overlay(found: Sequence[Calibrated]) -> str:
    """The weights as a rulebook to lay over the default one."""
    changed = [each for each in found if each.weight != each.rule.weight]
    entries = [f'[[rule]]\nid = "{each.rule.id}"\nweight = {each.weight}\n' for each in changed]
    return "\n".join(['# Proposed by bench/weights/calibrate.py\n[rulebook]\nname = "calibrated"\n', *entries])


def table_of(found: Sequence[Calibrated], folders: Sequence[Path], tabled: bool) -> str:
    """The table of weights, in Markdown."""
    rows = [
        (
            f"`{each.rule.id}`",
            each.forged,
            each.genuine,
            each.public,
            each.stacks,
            each.bound,
            each.weight if each.fitted else f"({each.weight})",
            each.rule.weight,
            each.rule.reference.replace("|", "\\|"),
        )
        for each in found
    ]
    counts = ("on forged", "on genuine", "on public genuine", "on stacks")
    header = ("rule", *counts, "at most", "fitted", "weight", "source")
    public = "public captures, not part of this repository, that were judged by hand"
    if tabled:
        public += (
            " and, where it has what a rule reads, a table of about a thousand resets of 390 other public captures"
        )
    words = {"seeds": ", ".join(folder.name for folder in folders), "public": public,
             "confidence": f"{CONFIDENCE:.0%}", "cost": f"{FALSE_ACCUSATION_COST:.0f}"}  # fmt: skip
    preface = [textwrap.fill(paragraph, 119) for paragraph in PREFACE.format(**words).split("\n\n")]
    return "\n\n".join([*preface, tabulate(rows, header, tablefmt="github", disable_numparse=True)]) + "\n"


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())


def main() -> None:
    """Calibrate with what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.weights.calibrate", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="laboratory captures to fit to")
    parser.add_argument("--stacks", type=Path, help="labelled captures of other stacks, which are only counted")
    parser.add_argument("--real-resets", type=Path, help="a table of features of public resets")
    parser.add_argument(
        "--public", type=Path, help="a table of public resets judged by hand (default: that of RSTORIGIN_SHARED)"
    )
    parser.add_argument("--rulebook", type=Path, help="your own rulebook, laid over the default one")
    parser.add_argument("-o", "--out", type=Path, help="where to write the proposed weights (TOML)")
    parser.add_argument("--table", type=Path, help="where to write the table (Markdown); default: print it")
    arguments = parser.parse_args()
    rulebook = load(overlays=[arguments.rulebook] if arguments.rulebook else [])
    program = find_tshark()
    table: list[Observation] = []
    if arguments.real_resets:
        table = genuine_observations(arguments.real_resets, rulebook.thresholds)
    else:
        alone = "weights are bounded by the captures in the repository and the laboratory alone"
        print(f"no --real-resets: {alone}", file=sys.stderr)
    resets = lab_resets(arguments.folders, rulebook, program)
    if not any(reset.label.forged for reset in resets):
        parser.error(
            f"no forged reset among the {len(resets)} labelled ones: name folders that python -m tests.lab wrote"
        )
    public = arguments.public or public_captures.folder() / "expected.csv"
    skipped = "" if arguments.public else public_captures.missing()
    if skipped:
        print(f"skipped: {skipped}", file=sys.stderr)
    observed = [] if skipped else public_genuine(public, rulebook, program)
    stacks = lab_resets([arguments.stacks] if arguments.stacks else [], rulebook, program)
    found = calibrate(resets, observed, table, rulebook, stacks)
    text = table_of(found, arguments.folders, bool(table))
    if arguments.table:
        _write(arguments.table, text)
    else:
        print(text)
    if arguments.out:
        _write(arguments.out, overlay(found))


if __name__ == "__main__":
    main()
