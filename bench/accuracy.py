"""How often the verdicts are right, on captures whose truth is known; beside it, the rule of thumb they replace.

usage: python -m bench.accuracy FOLDER... [--expected expected.csv] [--rulebook mine.toml]

First come four figures, over all labelled resets: honest resets accused, forged ones cleared, forged ones found and
honest ones cleared (means over mechanisms and capture points), each capture judged alone, and again with the capture
from the other end of the same traffic (NAME.client.pcap and NAME.server.pcap), not known and known to be complete.
Nothing is left out of them.

A labelled capture is NAME.pcap with NAME.labels.json beside it (tests/captures/lab/README.md). What one capture cannot
decide is reported by itself; which that is follows from mechanism and place of the device in the labels, by the rule in
bench/weights/labelled.py. `--expected` checks the captures in a folder against a table of verdicts to accept
(tests/captures/situations/expected.csv) as well.

The naive rule: a reset is forged when its hop limit differs from the one its sender uses most in the capture, resets
left out; no baseline, no accusation.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import polars as pl
from tabulate import tabulate

from bench.weights.labelled import MIMIC, NEXT_TO_SENDER, Label, Labelled, labelled_captures, read_packets_of
from bench.weights.scores import Case, IcmpCase, grouped, naive_scores, our_scores
from heuristics.rulebook.model import Rulebook, load
from heuristics.rulebook.scoring import ACCUSED, Origin
from postproc.capture.capture_point_stats import local_addresses
from postproc.capture.packet_table import authentic, is_reset
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.verdicts.judge_icmp import judged_errors
from postproc.verdicts.judge_resets import judged_resets
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.rescoring import rescore
from postproc.verdicts.result_row import JudgedReset


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


def labelled_cases(capture: Labelled, rulebook: Rulebook) -> list[Case]:
    """Every labelled reset of a capture, judged."""
    labels = [label for label in capture.labels if label.kind == "rst"]
    if not labels:
        return []
    return _cases(capture, labels, judged_resets(capture.name, capture.packets, rulebook))


def paired_cases(capture: Labelled, peer: Labelled, rulebook: Rulebook, *, complete: bool = False) -> list[Case]:
    """Every labelled reset of a capture, judged with what the capture from the other end says of it.

    `complete`: that capture is known to hold every packet of its local addresses, as `rstorigin reconcile --complete`.
    """
    labels = [label for label in capture.labels if label.kind == "rst"]
    if not labels:
        return []
    result = reconcile(capture.packets, peer.packets, local_addresses(peer.packets) if complete else ())
    evidence = {each.frame: rulebook.rule(each.rule_id) for each in result.evidence}
    judged = []
    for each in judged_resets(capture.name, capture.packets, rulebook):
        rule = evidence.get(each.row.frame)
        judged.append(rescore(each, [rule], {}, rulebook) if rule and rule.enabled else each)
    return _cases(capture, labels, judged)


def _cases(capture: Labelled, labels: Iterable[Label], judged: Iterable[JudgedReset]) -> list[Case]:
    rows = {each.row.frame: each.row for each in judged}
    naive = _naively_accused(capture.packets)
    cases = []
    for label in labels:
        row = rows.get(label.frame)
        verdict, reason = (row.verdict, row.reason) if row else ("not seen", "")
        cases.append(Case(label, verdict, reason, label.frame in naive))
    return cases


def labelled_icmp(capture: Labelled, rulebook: Rulebook) -> list[IcmpCase]:
    """Every labelled ICMP error of a capture, judged."""
    labels = [label for label in capture.labels if label.kind == "icmp_error"]
    if not labels:
        return []
    rows = {error.row.frame: error.row for error in judged_errors(capture.name, capture.packets, rulebook)}
    cases = []
    for label in labels:
        row = rows.get(label.frame)
        origin, verdict = (row.origin, row.verdict) if row else ("not seen", "not seen")
        cases.append(IcmpCase(label, origin, verdict))
    return cases


def expectations(expected: Path, rulebook: Rulebook, program: Tshark) -> list[Expectation]:
    """Every reset that the table `expected` speaks of; the captures lie beside it."""
    with expected.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    met = []
    for name, of_capture in groupby(rows, key=lambda row: row["capture"]):
        packets = read_packets_of(expected.with_name(name), program)
        verdicts = {each.row.frame: each.row.verdict for each in judged_resets(name, packets, rulebook)}
        met += [
            Expectation(name, int(frame), tuple(row["accept"].split("|")), row["why"], verdicts.get(int(frame)))
            for row in of_capture
            for frame in row["frames"].split()
        ]
    return met


def _naively_accused(packets: pl.DataFrame) -> set[int]:
    usual = packets.filter(authentic()).group_by("src").agg(usual=pl.col("hop_limit").mode(maintain_order=True).first())
    accused = packets.filter(is_reset()).join(usual, on="src").filter(pl.col("hop_limit") != pl.col("usual"))
    return set(accused["frame"])


def _print_four(found: Mapping[str, Sequence[Case]]) -> None:
    """Accused, cleared, found and cleared rightly: all cases, undecidable ones too."""
    rows = []
    for name, cases in found.items():
        forged = [case for case in cases if case.label.forged]
        accused = sum(case.accused for case in cases if not case.label.forged)
        cleared = sum(case.cleared for case in forged)
        scores = our_scores(cases)
        honest = f"{accused} of {len(cases) - len(forged)}"
        shares = (f"{scores.forged_recall_all:.3f}", f"{scores.genuine_recall:.3f}")
        rows.append((name, honest, f"{cleared} of {len(forged)}", *shares))
    header = ("judged", "honest, accused", "forged, cleared", "forged, found", "honest, cleared")
    print(tabulate(rows, header, disable_numparse=True), end="\n\n")


def _print_groups(cases: Sequence[Case]) -> None:
    rows = [(*key, len(group), *_tally(group), sum(case.naive for case in group)) for key, group in grouped(cases)]
    header = ("vantage", "mechanism", "truth", "n", "(likely) forged", "unclear", "(likely) genuine", "naive: forged")
    print(tabulate(rows, header), end="\n\n")


def _tally(cases: Sequence[Case]) -> tuple[int, int, int]:
    """How many are accused, unclear and cleared."""
    return (
        sum(case.accused for case in cases),
        sum(case.unclear for case in cases),
        sum(case.cleared for case in cases),
    )


def _print_scores(cases: Sequence[Case]) -> None:
    rows = []
    for name, scores in (("rstorigin", our_scores(cases)), ("naive rule", naive_scores(cases))):
        recalls = (scores.forged_recall, scores.forged_recall_present, scores.forged_recall_all, scores.genuine_recall)
        shares = (f"{share:.3f}" for share in (*recalls, scores.precision))
        rows.append((name, *shares, len(scores.false_accusations)))
    header = ("", "forged found: decidable", "and sender shown", "all", "genuine cleared", "accusations right", "false")
    print("Means over mechanisms and capture points:", end="\n\n")
    print(tabulate(rows, header, disable_numparse=True), end="\n\n")
    for case in our_scores(cases).false_accusations:
        where = f"{case.label.capture} frame {case.label.frame}"
        print(f"FALSE ACCUSATION: {where}, {case.label.mechanism} ({case.truth}): {case.verdict}")


def _print_classes(cases: Sequence[Case]) -> None:
    """Forged resets by what a single capture can say of them."""
    forged = [case for case in cases if case.label.forged]
    classes = [
        ("decidable, sender shown otherwise", [case for case in forged if case.sender_present]),
        ("decidable, sender not shown", [c for c in forged if not c.label.undecidable and c.label.sender_absent]),
        *(
            (f"undecidable: {why}", [c for c in forged if c.label.undecidable == why])
            for why in (NEXT_TO_SENDER, MIMIC)
        ),
    ]
    rows = [(name, len(members), *_tally(members)) for name, members in classes]
    print(tabulate(rows, ("forged resets", "n", "(likely) forged", "unclear", "(likely) genuine")), end="\n\n")


def _print_reasons(cases: Sequence[Case]) -> None:
    """Why verdicts are unclear, and which reasons the labels refute."""
    kinds = Counter((case.reason.split(":")[0] or "NO REASON", case.truth) for case in cases if case.unclear)
    rows = [(reason, truth, count) for (reason, truth), count in sorted(kinds.items())]
    print(tabulate(rows, ("unclear because", "truth", "n")), end="\n\n")
    for case in cases:
        if case.unclear and (
            not case.reason or (case.reason.startswith("no baseline") and not case.label.sender_absent)
        ):
            print(f"UNTRUE REASON: {case.label.capture} frame {case.label.frame}: {case.reason or 'none'}")


def _print_icmp(cases: Sequence[IcmpCase]) -> None:
    """By mechanism, and what came out wrong."""
    rows = [
        (
            *key,
            len(members),
            sum(case.origin == case.truth for case in members),
            sum(case.origin == Origin.UNKNOWN for case in members),
            sum(case.verdict in ACCUSED for case in members),
        )
        for key, members in grouped(cases)
    ]
    header = ("vantage", "mechanism of the ICMP error", "truth", "n", "origin right", "unknown", "called forged")
    print(tabulate(rows, header), end="\n\n")
    right = sum(case.origin == case.truth for case in cases)
    print(f"{right} of {len(cases)} ICMP errors: origin right", end="\n\n")
    for case in cases:
        if case.origin not in (case.truth, Origin.UNKNOWN):
            where = f"{case.label.capture} frame {case.label.frame}"
            print(f"WRONG ORIGIN: {where}, {case.label.mechanism}: {case.origin}")


def _print_expectations(found: Sequence[Expectation]) -> None:
    print(f"{sum(each.met for each in found)} of {len(found)} resets judged by hand: verdict accepted")
    for each in found:
        if not each.met:
            print(f"NOT MET: {each.capture} frame {each.frame}: {each.verdict}, not {each.accept} ({each.why})")


def _other_end(name: str) -> str:
    """The name of the capture from the other end."""
    return name.replace(".client.", ".server.") if ".client." in name else name.replace(".server.", ".client.")


def main() -> None:
    """Print what the verdicts are worth on the captures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="holds NAME.pcap and NAME.labels.json")
    parser.add_argument("--expected", type=Path, help="a table of resets judged by hand, beside their captures")
    parser.add_argument("--rulebook", type=Path, help="your own rulebook, laid over the default one")
    arguments = parser.parse_args()
    rulebook = load(overlays=[arguments.rulebook] if arguments.rulebook else [])
    program = find_tshark()
    cases: list[Case] = []
    paired: list[Case] = []
    complete: list[Case] = []
    icmp: list[IcmpCase] = []
    for folder in arguments.folders:
        captures = {capture.name: capture for capture in labelled_captures(folder, program)}
        for capture in captures.values():
            cases += labelled_cases(capture, rulebook)
            icmp += labelled_icmp(capture, rulebook)
            if (peer := captures.get(_other_end(capture.name))) and peer is not capture:
                paired += paired_cases(capture, peer, rulebook)
                complete += paired_cases(capture, peer, rulebook, complete=True)
    if cases:
        pairs = {"with the other end": paired, "with the other end, complete": complete} if paired else {}
        _print_four({"each capture alone": cases, **pairs})
        _print_groups(cases)
        _print_classes(cases)
        _print_reasons(cases)
        _print_scores(cases)
    if icmp:
        _print_icmp(icmp)
    if arguments.expected:
        _print_expectations(expectations(arguments.expected, rulebook, program))


if __name__ == "__main__":
    main()
