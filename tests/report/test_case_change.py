"""Two cases compared: rates with exact intervals, what is new and what is gone."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from support.command_line import FORGED, GENUINE, LAB, run
from support.judged_by_hand import GENUINE as HONEST
from support.judged_by_hand import judged_reset

from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.capture.capture_point import CapturePoint
from postproc.report.case_change import Change, Exposure, case_change, change_sentences
from postproc.report.rate_ratio import rate_ratio
from postproc.verdicts.result_row import JudgedReset

COUNTS = st.integers(0, 2000)
EXPOSURES = st.floats(0.01, 100)


def case(resets: Sequence[JudgedReset], hours: float = 1, packets: int = 1000) -> list[CaptureResult]:
    point = CapturePoint((), 0, round(hours * 3_600_000_000))
    return [CaptureResult("a.pcap", packets, tuple(resets), (), capture_point=point)]


def resets(count: int, **values: object) -> list[JudgedReset]:
    return [judged_reset(frame=index, flow=f"flow {index} {values.get('src')}", **values) for index in range(count)]


@given(before=COUNTS, after=COUNTS, first=EXPOSURES, second=EXPOSURES)
def test_the_interval_is_the_exact_one(before: int, after: int, first: float, second: float) -> None:
    """SciPy finds the limits of Clopper and Pearson by another way."""
    found = rate_ratio(before, after, first, second)
    if before + after == 0:
        assert (found.low, found.high, found.is_clear) == (0, math.inf, False)
        return
    shares = binomtest(after, before + after).proportion_ci(method="exact")
    assert found.low == pytest.approx(shares.low / (1 - shares.low) * first / second, rel=1e-6)
    if before:
        assert found.high == pytest.approx(shares.high / (1 - shares.high) * first / second, rel=1e-6)
        assert found.low <= found.ratio <= found.high
    else:
        assert found.high == math.inf


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(7)

    def events(mean: float) -> int:
        count, product = 0, chance.random()
        while product > math.exp(-mean):
            count, product = count + 1, product * chance.random()
        return count

    held = sum(
        found.low <= 3 <= found.high for found in (rate_ratio(events(10), events(60), 1, 2) for _ in range(1000))
    )
    assert held >= 940


def test_no_exposure_has_no_rate() -> None:
    with pytest.raises(ValueError, match="exposure above zero"):
        rate_ratio(1, 1, 0, 1)


def test_what_is_new_gone_more_and_fewer() -> None:
    quiet, loud = resets(5, src="203.0.113.8", **HONEST), resets(60, src="203.0.113.8", **HONEST)
    change = case_change(case([*resets(40), *quiet]), case(loud), load(), Exposure.TIME)
    rows = {row.name: row for row in change.rows if row.kind == "sender"}
    assert rows["a device at an unknown distance"].change is Change.GONE
    assert rows["203.0.113.8"].change is Change.MORE
    assert change.row("forged").change is Change.GONE
    assert change.row("genuine").change is Change.MORE
    assert change.row("all resets").change is Change.UNCLEAR
    first, *_ = change_sentences(change)
    assert first.startswith("Connections with suspect resets: 40 an hour before (40), 0 after (0): gone, 0 to 0.09")
    back = case_change(case(loud), case([*resets(40), *quiet]), load(), Exposure.TIME)
    assert back.row("forged").change is Change.NEW
    assert "New: a device at an unknown distance." in [*change_sentences(back)]


def test_connections_are_counted_and_against_what_is_asked_for() -> None:
    one = [judged_reset(frame=frame) for frame in range(9)]
    change = case_change(case(one), case(one, hours=4, packets=500), load(), Exposure.TIME)
    assert (change.row("forged").before, change.exposures) == (1, (1, 4))
    many, half = resets(100), resets(100)
    by_time = case_change(case(many), case(half, packets=500), load(), Exposure.TIME)
    by_packets = case_change(case(many), case(half, packets=500), load(), Exposure.PACKETS)
    assert by_time.row("forged").change is Change.UNCLEAR
    assert by_packets.row("forged").ratio.ratio == 2
    assert by_packets.row("forged").change is Change.MORE


def test_one_case_against_itself_has_no_clear_change() -> None:
    result = run("compare", LAB / "03_reject_midstream_r1.client.pcap", LAB / "03_reject_midstream_r1.client.pcap")
    assert result.exit_code == 0
    assert "no clear change" in result.stdout
    assert " more" not in result.stdout.replace("or more", "")


def test_every_format(tmp_path: Path) -> None:
    arguments = ("compare", FORGED, GENUINE, "--per", "packets", "--format")
    content = json.loads(run(*arguments, "json").stdout)
    assert content["per"] == "packets"
    assert content["exposure"]["before"] > 0
    forged = next(row for row in content["rows"] if row["name"] == "forged")
    assert (forged["before"], forged["after"]) == (1, 0)
    assert run(*arguments, "markdown").stdout.startswith("# What has changed")
    target = tmp_path / "change.txt"
    assert run(*arguments, "table", "-o", target).exit_code == 0
    assert "SENDERS" in target.read_text("utf-8")


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    assert run("compare", FORGED, tmp_path / "none").exit_code == 2
    assert run("compare", FORGED, GENUINE, "-o", GENUINE).exit_code == 2
    export = tmp_path / "one.tsv"
    run("export", LAB / "02_reject_syn_r1.server.pcap", "-o", export)
    lines = export.read_text("utf-8").splitlines(keepends=True)
    export.write_text("".join(lines[:2]), "utf-8")  # one packet covers no time
    result = run("compare", export, FORGED)
    assert result.exit_code == 2
    assert "try --per packets" in result.output
