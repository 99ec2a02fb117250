"""What two captures of the same traffic decide, on pairs whose truth is known: resets decided, and wrong decisions.

usage: python -m bench.reconcile FOLDER...

A pair is NAME.client.pcap and NAME.server.pcap (or .pcap.gz) with labels beside them (tests/captures/lab/README.md).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from bench.weights.labelled import read_packets_of
from heuristics.rulebook.scoring import Origin
from postproc.capture.tshark.program import Tshark, find_tshark
from postproc.verdicts.reconcile import reconcile
from postproc.verdicts.reconcile_result import LEFT_SENDER, NEVER_LEFT


@dataclass(frozen=True, slots=True)
class Decision:
    """One labelled reset that arrived, and the evidence that the other capture gives (empty: none)."""

    capture: str
    frame: int
    mechanism: str
    forged: bool
    evidence: str

    @property
    def wrong(self) -> bool:
        """Whether the evidence contradicts the truth."""
        return self.evidence == (LEFT_SENDER if self.forged else NEVER_LEFT)


def decisions(folder: Path, program: Tshark, *, complete: bool) -> Iterator[Decision]:
    """Every labelled reset of the pairs in `folder`. `complete`: the captures are known to be whole."""
    for labels in sorted(folder.glob("*.labels.json")):
        truth = json.loads(labels.read_text(encoding="utf-8"))
        capture = labels.with_name(truth["capture"])
        other = "server" if truth["vantage"] == "client" else "client"
        peer = labels.with_name(truth["capture"].replace(f".{truth['vantage']}.", f".{other}."))
        events = [event for event in truth["events"] if event["kind"] == "rst"]
        if not events or not peer.exists():
            continue
        result = reconcile(
            read_packets_of(capture, program),
            read_packets_of(peer, program),
            truth[other].values() if complete else (),
        )
        by_frame = {each.frame: each.rule_id for each in result.evidence}
        for event in events:
            if event.get("direction") == "out":
                continue  # the captured host sent it
            evidence = by_frame.get(event["frame"], "")
            forged = event["origin"] == Origin.MIDDLEBOX
            yield Decision(capture.name, event["frame"], event["mechanism"], forged, evidence)


def main() -> None:
    """Print what is found, and what is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--complete", action="store_true", help="the captures are known to hold every packet")
    arguments = parser.parse_args()
    program = find_tshark()
    found = [each for folder in arguments.folders for each in decisions(folder, program, complete=arguments.complete)]
    kinds = Counter((each.mechanism, each.forged, each.evidence) for each in found)
    rows = [
        (mechanism, "forged" if forged else "genuine", *(kinds[mechanism, forged, evidence] for evidence in _EVIDENCE))
        for mechanism, forged in sorted({(each.mechanism, each.forged) for each in found})
    ]
    print(tabulate(rows, ("mechanism", "truth", NEVER_LEFT, LEFT_SENDER, "nothing said")), end="\n\n")
    for forged, right in ((True, NEVER_LEFT), (False, LEFT_SENDER)):
        of = [each for each in found if each.forged == forged]
        share = sum(each.evidence == right for each in of) / len(of) if of else 1.0
        print(f"{'forged' if forged else 'genuine'}: {share:.3f} of {len(of)} decided rightly")
    wrong = [each for each in found if each.wrong]
    print(f"wrong: {len(wrong)}")
    for each in wrong:
        print(f"WRONG: {each.capture} frame {each.frame}, {each.mechanism}: {each.evidence}")


_EVIDENCE = (NEVER_LEFT, LEFT_SENDER, "")

if __name__ == "__main__":
    main()
