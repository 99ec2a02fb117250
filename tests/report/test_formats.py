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
from postproc.report.screen import Screen, screen_of_stdout
from postproc.report.summary import Summary, summarise
from postproc.report.summary_sections import Layout
from postproc.runtime.text import markdown_code
from postproc.verdicts.result_row import COLUMNS

RULEBOOK = load()
NEARER = next(where.say for where in RULEBOOK.wheres if where.id == "nearer").render({})
PLAIN = Screen()
HOSTILE = "=1+1|`<script>\x1b[31m\n\u202e](http://x)*_.pcap"


def summary(name: str = "a.pcap", address: str = "203.0.113.1", words: str = "words") -> Summary:
    resets = (
        judged_reset(capture=name, src=address, flow=address, words=(words, words)),
        judged_reset(score=-400, words=(words,), **GENUINE | {"capture": name, "src": address, "rtt_us": None}),
    )
    problems = (Problem(name, "", "", "is damaged", "copy it again"),)
    return summarise([CaptureResult(name, 1234, resets, problems)], RULEBOOK, 10)


def table(content: Summary, rows: int = 10, screen: Screen = PLAIN, *, wide: bool = False) -> str:
    return outputs.table(content, RULEBOOK, Layout(rows, wide), screen)


def markdown(content: Summary, rows: int = 10) -> str:
    return outputs.markdown(content, RULEBOOK, Layout(rows))


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
        *("schema", "answer", "totals", "selection", "presumed_senders", "causes", "not_judged", "surges"),
        *("idle_timeouts", "captures", "by_sender", "resets", "by_rejector", "icmp_errors", "problems"),
    ]
    assert content["totals"]["by_verdict"]["forged"] == {"resets": 1, "percent": 50.0}
    assert content["totals"]["packets"] == 1234
    assert content["answer"][0] == "1 of 2 resets is forged; 1 is genuine."
    assert content["totals"]["conclusion"] == " ".join(content["answer"])
    (forged, genuine) = content["presumed_senders"]
    assert (forged["who"], forged["hops"], forged["by_verdict"]) == ("in between", None, {"forged": 1})
    assert forged["example"] == {"capture": "a.pcap", "frame": 7}
    assert (genuine["who"], genuine["names"]) == ("host", ["203.0.113.1"])
    assert content["captures"][0]["packets"] == 1234
    assert content["by_sender"][0]["address"] == "203.0.113.1"
    assert [list(row) for row in content["resets"]] == [[*COLUMNS, "score", "evidence_text", "signature"]] * 2
    assert content["problems"] == [{"file": "a.pcap", "reason": "is damaged", "hint": "copy it again"}]


def test_a_table_begins_with_the_answer_and_shows_evidence_in_words() -> None:
    text = table(summary(words="hop limit 63 is odd"))
    assert text.splitlines()[0] == "1 of 2 resets is forged; 1 is genuine."
    assert "1. Frame 7 of a.pcap: forged, suspicion 99 of 100\n" in text
    assert "   - hop limit 63 is odd\n" in text
    assert "1,234 packets" in text


def test_a_summary_without_resets_says_so() -> None:
    empty = summarise([CaptureResult("a.pcap", 10, (), ())], RULEBOOK, 10)
    assert table(empty).splitlines()[0] == "There is no TCP reset in 1 capture (10 packets)."
    assert "no TCP reset" in markdown(empty)
    assert outputs.rows_jsonl([]) == ""
    assert outputs.rows_csv([]) == ",".join(COLUMNS)


def test_rows_left_out_are_counted() -> None:
    resets = tuple(
        judged_reset(src=f"192.0.2.{number}", where=NEARER if number else None, distance=number) for number in range(5)
    )
    many = summarise([CaptureResult(f"{number}", 10, resets, ()) for number in range(4)], RULEBOOK, 2)
    for text in (table(many, rows=2), markdown(many, rows=2)):
        assert "3 more hosts, 3 of them with forged resets" in text
        assert "3 more senders of 12 forged resets" in text
        assert "2 more captures, 2 of them with forged resets" in text
    assert len(json.loads(outputs.whole_json(many))["by_sender"]) == 5


WORDY = summarise(
    [
        CaptureResult(
            "a-folder-with-a-long-name/and-another/capture-of-the-client-at-noon.pcap",
            1_000_000,
            tuple(
                judged_reset(
                    capture="a-folder-with-a-long-name/and-another/capture-of-the-client-at-noon.pcap",
                    src=f"2001:db8:1234:5678:9abc:def0:1234:{number}",
                    sport=40_000 + number,
                    time=1_700_000_000.0 + number,
                    device="injector that shoots bursts with varied hop limits (GFW-like) (80 %)",
                    where=NEARER,
                    cause="a cause of many words, " * 8,
                    verdict=verdict,
                )
                for number, verdict in enumerate(["forged", "likely forged"] * 2000)
            ),
            (),
        ),
        CaptureResult("b", None, (judged_reset(capture="b"),), ()),
    ],
    RULEBOOK,
    3,
)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_table_fits_the_terminal(width: int) -> None:
    text = table(WORDY, screen=Screen(width))
    code = ("Wireshark filter: ", "all evidence: ")
    assert all(len(line) <= width or any(word in line for word in code) for line in text.splitlines())
    assert "4,001 resets" in text


def test_a_wide_table_cuts_nothing() -> None:
    address = "2001:db8:1234:5678:9abc:def0:1234:1"
    assert "..." in table(WORDY).split("HOSTS NAMED AS SENDER")[1]
    wide = table(WORDY, screen=Screen(None), wide=True)
    assert any(line.startswith(f"{address}  ") for line in wide.splitlines())
    assert re.search(r"^sent from .* first .* last .* verdicts$", wide, re.MULTILINE)


def test_colours_only_where_they_are_asked_for() -> None:
    assert "\x1b" not in table(summary())
    assert "\x1b[1;31mforged\x1b[0m" in table(summary(), screen=Screen(colours=True))


@pytest.mark.parametrize(
    ("terminal", "no_colour", "colours"), [(True, None, True), (True, "1", False), (False, None, False)]
)
def test_colours_depend_on_the_terminal_and_on_no_color(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, no_colour: str | None, colours: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour:
        monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("COLUMNS", "132")
    screen = screen_of_stdout()
    assert (screen.colours, screen.width) == (colours, 132 if terminal else 80)
    assert screen_of_stdout(wide=True).width is None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_text_in_csv_is_a_formula(text: str) -> None:
    row = rows(summary(name=text, address=text))[0]
    assert row["capture"] == row["src"] == f"'{text}"


def test_a_number_in_csv_stays_a_number() -> None:
    assert (
        rows(summarise([CaptureResult("a", 1, (judged_reset(hop_delta=-3),), ())], RULEBOOK, 1))[0]["hop_delta"] == "-3"
    )


def test_markdown_shows_hostile_names_as_plain_words() -> None:
    text = markdown(summary(name=HOSTILE, address=HOSTILE, words=HOSTILE))
    outside_code = re.sub(r"`[^`\n]*`", "", text.replace(r"\`", ""))
    assert "<" not in outside_code
    assert "](" not in outside_code.replace(r"\](", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {5, 10}


@given(st.text(max_size=40))
def test_nothing_unprintable_gets_out(text: str) -> None:
    content = summary(name=text, address=text, words=text)
    written = [
        table(content),
        markdown(content),
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
