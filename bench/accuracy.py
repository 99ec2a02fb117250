"""How often the verdicts are right, on captures whose truth is known; beside it, the rule of thumb they replace.

usage: python bench/accuracy.py FOLDER... [--expected expected.csv]

A labelled capture is NAME.pcap with NAME.labels.json beside it (tests/captures/lab/README.md). `--expected` checks the
captures in a folder against a table of verdicts to accept (tests/captures/real/expected.csv) as well.

The naive rule: a reset is forged when its hop limit differs from the one its sender uses most in the capture, resets
left out; no baseline, no accusation.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

import polars as pl
from tabulate import tabulate

from heuristics.fields import RST
from heuristics.rulebook import Rulebook, load
from heuristics.verdict import Origin, Verdict
from postproc import tshark
from postproc.analyse import judge_packets
from postproc.icmp import judged_errors
from postproc.kinds import Kind
from postproc.packets import authentic
from postproc.sources import Source
from postproc.summary import ACCUSED
from postproc.task import read_packets
from postproc.tshark import Tshark

CLEARED = (Verdict.GENUINE, Verdict.LIKELY_GENUINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled reset, where it came from (an Origin), our verdict on it, and whether the naive rule accuses it."""

    capture: str
    frame: int
    vantage: str
    mechanism: str
    truth: str
    verdict: str
    naive: bool

    @property
    def forged(self) -> bool:
        """Whether something in between sent it in the sender's name. A front-end speaks for itself."""
        return self.truth == Origin.MIDDLEBOX

    @property
    def accused(self) -> bool:
        """Whether our verdict says that the sender did not send it."""
        return self.verdict in ACCUSED

    @property
    def cleared(self) -> bool:
        """Whether our verdict says that the sender sent it."""
        return self.verdict in CLEARED

    @property
    def group(self) -> tuple[str, str, str]:
        """What averages are over: a mechanism at one vantage, and the truth."""
        return self.vantage, self.mechanism, self.truth


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares between 0 and 1. Recalls are macro averages over (vantage, mechanism), precision is over all resets."""

    forged_recall: float
    genuine_recall: float
    precision: float
    false_accusations: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class IcmpCase:
    """One labelled ICMP error: its mechanism, where it came from, and our origin and verdict."""

    capture: str
    frame: int
    vantage: str
    mechanism: str
    truth: str
    origin: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """One reset of a capture that was judged by hand, the verdicts to accept, and ours (None: we saw no reset)."""

    capture: str
    frame: int
    accept: tuple[str, ...]
    why: str
    verdict: str | None

    @property
    def met(self) -> bool:
        """Whether our verdict is one to accept."""
        return self.verdict in self.accept


def labelled_cases(folder: Path, rulebook: Rulebook, program: Tshark) -> list[Case]:
    """Every labelled reset of the captures in `folder`, judged."""
    cases = []
    for labels in sorted(folder.glob("*.labels.json")):
        truth = json.loads(labels.read_text(encoding="utf-8"))
        capture = labels.with_name(truth["capture"])
        packets = _packets(capture, program)
        verdicts = _verdicts(capture.name, packets, rulebook)
        naive = _naively_accused(packets)
        cases += [
            Case(
                capture=capture.name,
                frame=event["frame"],
                vantage=truth["vantage"],
                mechanism=event["mechanism"],
                truth=event["origin"],
                verdict=verdicts.get(event["frame"], "not seen"),
                naive=event["frame"] in naive,
            )
            for event in truth["events"]
            if event["kind"] == "rst"
        ]
    return cases


def labelled_icmp(folder: Path, rulebook: Rulebook, program: Tshark) -> list[IcmpCase]:
    """Every labelled ICMP error of the captures in `folder`, judged."""
    cases = []
    for labels in sorted(folder.glob("*.labels.json")):
        truth = json.loads(labels.read_text(encoding="utf-8"))
        events = [event for event in truth["events"] if event["kind"] == "icmp_error"]
        capture = labels.with_name(truth["capture"])
        rows = {}
        if events:
            rows = {
                error.row.frame: error.row
                for error in judged_errors(capture.name, _packets(capture, program), rulebook)
            }
        for event in events:
            row = rows.get(event["frame"])
            judged = (row.origin, row.verdict) if row else ("not seen", "not seen")
            common = (capture.name, event["frame"], truth["vantage"], event["mechanism"], event["origin"])
            cases.append(IcmpCase(*common, *judged))
    return cases


def our_scores(cases: Sequence[Case]) -> Scores:
    """How good our verdicts are; an unclear one is neither an accusation nor a clearance."""
    return _scores(cases, lambda case: case.accused, lambda case: case.cleared)


def naive_scores(cases: Sequence[Case]) -> Scores:
    """How good the naive rule is; what it does not accuse counts as cleared."""
    return _scores(cases, lambda case: case.naive, lambda case: not case.naive)


def expectations(expected: Path, rulebook: Rulebook, program: Tshark) -> list[Expectation]:
    """Every reset that the table `expected` speaks of; the captures lie beside it."""
    with expected.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    met = []
    for name, of_capture in groupby(rows, key=lambda row: row["capture"]):
        capture = expected.with_name(name)
        verdicts = _verdicts(name, _packets(capture, program), rulebook)
        met += [
            Expectation(name, int(frame), tuple(row["accept"].split("|")), row["why"], verdicts.get(int(frame)))
            for row in of_capture
            for frame in row["frames"].split()
        ]
    return met


def _packets(capture: Path, program: Tshark) -> pl.DataFrame:
    return read_packets(Source(capture, capture.name, Kind.CAPTURE), program).table


def _verdicts(name: str, packets: pl.DataFrame, rulebook: Rulebook) -> dict[int, str]:
    return {row.frame: row.verdict for row in judge_packets(name, packets, rulebook)}


def _naively_accused(packets: pl.DataFrame) -> set[int]:
    reset = pl.col("flags") & RST != 0
    usual = packets.filter(authentic()).group_by("src").agg(usual=pl.col("hop_limit").mode(maintain_order=True).first())
    accused = packets.filter(reset).join(usual, on="src").filter(pl.col("hop_limit") != pl.col("usual"))
    return set(accused["frame"])


def _scores(cases: Sequence[Case], accuses: Callable[[Case], bool], clears: Callable[[Case], bool]) -> Scores:
    accused = [case for case in cases if accuses(case)]
    return Scores(
        forged_recall=_macro([case for case in cases if case.forged], accuses),
        genuine_recall=_macro([case for case in cases if case.truth == Origin.ENDPOINT], clears),
        precision=fmean(case.forged for case in accused) if accused else 1.0,
        false_accusations=tuple(case for case in accused if not case.forged),
    )


def _macro(cases: Sequence[Case], right: Callable[[Case], bool]) -> float:
    """The mean, over (vantage, mechanism), of the share that is right; 1 where there is none."""
    shares = [fmean(right(case) for case in group) for _, group in _groups(cases)]
    return fmean(shares) if shares else 1.0


def _groups(cases: Sequence[Case]) -> Iterable[tuple[tuple[str, str, str], list[Case]]]:
    ordered = sorted(cases, key=lambda case: case.group)
    return ((key, list(group)) for key, group in groupby(ordered, key=lambda case: case.group))


def _print_groups(cases: Sequence[Case]) -> None:
    rows = [
        (
            vantage,
            mechanism,
            truth,
            len(group),
            sum(case.accused for case in group),
            sum(not case.accused and not case.cleared for case in group),
            sum(case.cleared for case in group),
            sum(case.naive for case in group),
        )
        for (vantage, mechanism, truth), group in _groups(cases)
    ]
    header = ("vantage", "mechanism", "truth", "n", "(likely) forged", "unclear", "(likely) genuine", "naive: forged")
    print(tabulate(rows, header), end="\n\n")


def _print_scores(cases: Sequence[Case]) -> None:
    both = (("rstorigin", our_scores(cases)), ("naive rule", naive_scores(cases)))
    rows = [
        (
            name,
            *(f"{share:.3f}" for share in (scores.forged_recall, scores.genuine_recall, scores.precision)),
            len(scores.false_accusations),
        )
        for name, scores in both
    ]
    header = ("", "forged found (macro)", "genuine cleared (macro)", "accusations right", "false accusations")
    print(tabulate(rows, header, disable_numparse=True), end="\n\n")
    for case in our_scores(cases).false_accusations:
        print(f"FALSE ACCUSATION: {case.capture} frame {case.frame}, {case.mechanism}: {case.verdict}")


def _print_icmp(cases: Sequence[IcmpCase]) -> None:
    """By mechanism, and what came out wrong."""

    def key(case: IcmpCase) -> tuple[str, str, str]:
        return case.vantage, case.mechanism, case.truth

    rows = [
        (
            *group,
            len(members),
            sum(case.origin == case.truth for case in members),
            sum(case.origin == Origin.UNKNOWN for case in members),
            sum(case.verdict in ACCUSED for case in members),
        )
        for group, found in groupby(sorted(cases, key=key), key=key)
        for members in [list(found)]
    ]
    header = ("vantage", "mechanism of the ICMP error", "truth", "n", "origin right", "unknown", "called forged")
    print(tabulate(rows, header), end="\n\n")
    right = sum(case.origin == case.truth for case in cases)
    print(f"{right} of {len(cases)} ICMP errors: origin right", end="\n\n")
    for case in cases:
        if case.origin not in (case.truth, Origin.UNKNOWN):
            print(f"WRONG ORIGIN: {case.capture} frame {case.frame}, {case.mechanism}: {case.origin}")


def _print_expectations(found: Sequence[Expectation]) -> None:
    print(f"{sum(each.met for each in found)} of {len(found)} resets judged by hand: verdict accepted")
    for each in found:
        if not each.met:
            print(f"NOT MET: {each.capture} frame {each.frame}: {each.verdict}, not {each.accept} ({each.why})")


def main() -> None:
    """Print what the verdicts are worth on the captures that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="holds NAME.pcap and NAME.labels.json")
    parser.add_argument("--expected", type=Path, help="a table of resets judged by hand, beside their captures")
    parser.add_argument("--rulebook", type=Path, help="your own rulebook, laid over the default one")
    arguments = parser.parse_args()
    rulebook = load(overlays=[arguments.rulebook] if arguments.rulebook else [])
    program = tshark.find()
    cases = [case for folder in arguments.folders for case in labelled_cases(folder, rulebook, program)]
    if cases:
        _print_groups(cases)
        _print_scores(cases)
    icmp = [case for folder in arguments.folders for case in labelled_icmp(folder, rulebook, program)]
    if icmp:
        _print_icmp(icmp)
    if arguments.expected:
        _print_expectations(expectations(arguments.expected, rulebook, program))


if __name__ == "__main__":
    main()
