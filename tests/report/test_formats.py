"""Every format is well-formed and harmless, whatever packets and file names hold."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.judged_by_hand import GENUINE, judged_reset

from heuristics.errors import Problem
from heuristics.rulebook.model import load
from postproc.batch.job import CaptureResult
from postproc.report import formats as outputs
from postproc.report.summary import Summary, summarise
from postproc.runtime.text import markdown_code
from postproc.verdicts.result_row import COLUMNS

RULEBOOK = load()
HOSTILE = "=1+1|`<script>\x1b[31m\n\u202e](http://x)*_.pcap"


def summary(name: str = "a.pcap", address: str = "203.0.113.1", words: str = "words") -> Summary:
    resets = (
        judged_reset(capture=name, src=address, flow=address, words=(words, words)),
        judged_reset(score=-400, words=(words,), **GENUINE | {"capture": name, "src": address, "rtt_us": None}),
    )
    problems = (Problem(name, "", "", "is damaged", "copy it again"),)
    return summarise([CaptureResult(name, 1234, resets, problems)], RULEBOOK, 10)


def rows(content: Summary) -> list[dict[str, str]]:
    text = outputs.rows_csv([reset.row for reset in content.resets])
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_exactly_the_columns() -> None:
    first, second = rows(summary())
    assert list(first) == list(COLUMNS)
    assert first["evidence"] == "near_initial;causality"
    assert (first["hop_delta"], first["rtt_us"], second["rtt_us"]) == ("4", "40000", "")


def test_csv_has_truth_values_as_json_has_them() -> None:
    resets = [judged_reset(ended_connection=value).row for value in (True, False, None)]
    written = csv.DictReader(io.StringIO(outputs.rows_csv(resets)))
    assert [row["ended_connection"] for row in written] == ["true", "false", ""]


def test_json_lines_have_exactly_the_columns() -> None:
    text = outputs.rows_jsonl([reset.row for reset in summary().resets])
    first, second = (json.loads(line) for line in text.splitlines())
    assert list(first) == list(COLUMNS)
    assert first["evidence"] == ["near_initial", "causality"]
    assert second["rtt_us"] is None


def test_json_has_everything() -> None:
    content = json.loads(outputs.whole_json(summary()))
    assert list(content) == [
        "schema",
        "totals",
        "selection",
        "by_sender",
        "resets",
        "by_rejector",
        "icmp_errors",
        "problems",
    ]
    assert content["totals"]["by_verdict"]["forged"] == {"resets": 1, "percent": 50.0}
    assert content["totals"]["packets"] == 1234
    assert content["totals"]["conclusion"].startswith("1 of 2 resets")
    assert content["by_sender"][0]["address"] == "203.0.113.1"
    assert [list(row) for row in content["resets"]] == [[*COLUMNS, "score", "evidence_text", "signature"]] * 2
    assert content["problems"] == [{"file": "a.pcap", "reason": "is damaged", "hint": "copy it again"}]


def test_a_table_shows_evidence_in_words_and_ends_with_the_conclusion() -> None:
    text = outputs.table(summary(words="hop limit 63 is odd"), senders=10)
    assert "1. Frame 7 of a.pcap: forged, suspicion 99 of 100, origin middlebox\n" in text
    assert "   - hop limit 63 is odd\n" in text
    assert "packets: 1,234" in text
    assert text.splitlines()[-1] == summary().conclusion


def test_a_summary_without_resets_says_so() -> None:
    empty = summarise([CaptureResult("a.pcap", 10, (), ())], RULEBOOK, 10)
    assert outputs.table(empty, senders=10).splitlines()[-1] == "There is no TCP reset in 1 capture (10 packets)."
    assert "no TCP reset" in outputs.markdown(empty, senders=10)
    assert outputs.rows_jsonl([]) == ""
    assert outputs.rows_csv([]) == ",".join(COLUMNS)


def test_senders_left_out_are_counted() -> None:
    resets = tuple(judged_reset(src=f"192.0.2.{number}") for number in range(5))
    many = summarise([CaptureResult("a.pcap", 10, resets, ())], RULEBOOK, 2)
    assert "3 more senders" in outputs.table(many, senders=2)
    assert len(json.loads(outputs.whole_json(many))["by_sender"]) == 5


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_text_in_csv_is_a_formula(text: str) -> None:
    row = rows(summary(name=text, address=text))[0]
    assert row["capture"] == row["src"] == f"'{text}"


def test_a_number_in_csv_stays_a_number() -> None:
    assert (
        rows(summarise([CaptureResult("a", 1, (judged_reset(hop_delta=-3),), ())], RULEBOOK, 1))[0]["hop_delta"] == "-3"
    )


def test_markdown_shows_hostile_names_as_plain_words() -> None:
    text = outputs.markdown(summary(name=HOSTILE, address=HOSTILE, words=HOSTILE), senders=10)
    outside_code = re.sub(r"`[^`\n]*`", "", text.replace(r"\`", ""))
    assert "<" not in outside_code
    assert "](" not in outside_code.replace(r"\](", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {4, 9}


@given(st.text(max_size=40))
def test_nothing_unprintable_gets_out(text: str) -> None:
    content = summary(name=text, address=text, words=text)
    written = [
        outputs.table(content, senders=10),
        outputs.markdown(content, senders=10),
        outputs.whole_json(content),
        outputs.rows_csv([reset.row for reset in content.resets]),
        outputs.rows_jsonl([reset.row for reset in content.resets]),
    ]
    assert all(line.isprintable() for output in written for line in output.split("\n"))
    assert len(rows(content)) == 2
    assert json.loads(written[2])["resets"][0]["capture"] == text


@given(st.text())
def test_a_code_span_ends_where_it_should(text: str) -> None:
    span = markdown_code(text)
    assert span.startswith("`")
    assert span.endswith("`")
    assert "`" not in span[1:-1]
